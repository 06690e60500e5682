import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../../../tools/cli.ts";
import { metricsServerObjects } from "../../../../tools/local-cluster/metrics-server.ts";
import { addresses } from "../../../../tools/local-cluster/network.ts";
import { writeNodeConfig } from "../../../../tools/local-cluster/node-config.ts";
import { clusterPaths } from "../../../../tools/local-cluster/paths.ts";

interface Found {
  kind: string;
  metadata: { name: string; namespace?: string };
  spec: {
    service: { name: string; namespace: string };
    selector: Record<string, string>;
    ports: { targetPort: number }[];
    template: {
      metadata: { labels: Record<string, string> };
      spec: { containers: { command: string[]; ports: { containerPort: number }[] }[] };
    };
  };
}

describe("the metrics server of a local cluster", () => {
  const objects = metricsServerObjects("/binaries") as Found[];
  const find = (kind: string): Found => {
    const found = objects.find((one) => one.kind === kind);
    assert.ok(found, kind);
    return found;
  };

  it("is behind the Service that the API server passes requests on to", () => {
    const [service, { spec: pod }] = [find("Service"), find("Deployment").spec.template];
    const { name, namespace } = service.metadata;
    assert.deepEqual(find("APIService").spec.service, { name, namespace });
    assert.deepEqual(find("Deployment").spec.template.metadata.labels, service.spec.selector);
    assert.deepEqual(
      service.spec.ports.map(({ targetPort }) => targetPort),
      pod.containers.flatMap(({ ports }) => ports.map(({ containerPort }) => containerPort)),
    );
  });

  it("checks the kubelet's certificate", () => {
    const [container] = find("Deployment").spec.template.spec.containers;
    assert.ok(container);
    assert.ok(container.command.some((flag) => flag.startsWith("--kubelet-certificate-authority=")));
    assert.deepEqual(
      container.command.filter((flag) => flag.includes("insecure")),
      [],
    );
  });
});

describe("the certificates of a local cluster", function () {
  this.timeout(60_000);
  const state = mkdtempSync(join(tmpdir(), "node-config-"));
  const folder = join(state, "certificates");
  const script = readFileSync(projectFile("tools/local-cluster/node-init.sh"), "utf8");
  const certificate = (file: string) => new X509Certificate(readFileSync(join(folder, file)));

  before(async () => {
    const kubeconfig = join(state, "kubeconfig");
    await writeNodeConfig(
      { ...clusterPaths("testing"), state, kubeconfig },
      addresses("testing"),
      "/binaries",
    );
  });
  after(() => rmSync(state, { recursive: true, force: true }));

  it("are all that its programs are started with", () => {
    const named = [...script.matchAll(/"\$certificates\/([\w.-]+)"/g)].map(([, file = ""]) => file);
    assert.ok(named.includes("auth-proxy.key"), named.join());
    assert.deepEqual(
      named.filter((file) => !existsSync(join(folder, file))),
      [],
    );
  });

  it("let nobody but the API server speak for others to metrics-server", () => {
    const [, name] = /--requestheader-allowed-names=(\S+)/.exec(script) ?? [];
    const [, authority = ""] = /--requestheader-client-ca-file="\$certificates\/([^"]+)"/.exec(script) ?? [];
    const { publicKey } = certificate(authority);
    const signed = readdirSync(folder).filter(
      (file) => file.endsWith(".crt") && file !== authority && certificate(file).verify(publicKey),
    );
    assert.deepEqual(signed, ["auth-proxy.crt"]);
    assert.equal(certificate("auth-proxy.crt").subject, `CN=${name}`);
    assert.ok(!certificate("auth-proxy.crt").verify(certificate("ca.crt").publicKey));
  });
});
