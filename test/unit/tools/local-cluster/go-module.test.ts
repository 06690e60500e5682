import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import {
  compilerMemory,
  importPath,
  kubernetesPrograms,
  kubernetesVersion,
  parts,
} from "../../../../tools/local-cluster/build.ts";
import { metricsServerPackage } from "../../../../tools/local-cluster/metrics-server.ts";
import { kubeRouterPackage } from "../../../../tools/local-cluster/network-policies.ts";
import { sealedSecretsPackages } from "../../../../tools/local-cluster/sealed-secrets.ts";
import { corefile } from "../../../../tools/local-cluster/node-config.ts";
import { projectFile } from "../../../../tools/cli.ts";

const source = (file: string): string => readFileSync(projectFile(`tools/local-cluster/${file}`), "utf8");

describe("the local cluster's programs", () => {
  it("have every plugin that its DNS server's configuration names, and no other", () => {
    const text = corefile("cluster.local", "10.0.0.1", "/kubeconfig");
    const named = [...text.matchAll(/^ {2}(\w+)/gm)].map(([, plugin]) => plugin);
    const compiled = [...source("go/coredns/main.go").matchAll(/coredns\/plugin\/(\w+)"/g)];
    assert.deepEqual(compiled.map(([, plugin]) => plugin).sort(), [...new Set(named)].sort());
    assert.ok(named.includes("kubernetes"), text);
  });

  it("are all that the node starts", () => {
    const script = source("node-init.sh");
    const started = [...script.matchAll(/^ *keep \S+ (\S+)|^ {2}exec (\S+)|&& exec (\S+)/gm)]
      .map((match) => match.slice(1).find((word) => word !== undefined))
      .filter((word) => word !== undefined && !script.includes(`\n${word}() (`));
    const built = [...parts.flatMap(({ packages }) => packages), kubeRouterPackage].map((one) =>
      basename(one),
    );
    for (const program of [...started, "kine", "ctr", "kubectl", "runc"])
      assert.ok([...built, ...kubernetesPrograms].includes(program ?? ""), program);
    assert.ok(started.length >= 7, started.join());
  });

  it("are what the modules of other projects are kept for", () => {
    const tools = (folder: string) =>
      [...source(`${folder}/go.mod`).matchAll(/^(?:tool )?\t?([\w./-]+\/cmd\/[\w-]+)$/gm)].map(
        ([, tool]) => tool,
      );
    assert.deepEqual(tools("kube-router"), [kubeRouterPackage]);
    assert.deepEqual(tools("sealed-secrets"), sealedSecretsPackages);
    assert.deepEqual(tools("metrics-server"), [metricsServerPackage]);
  });

  it("are of one version of Kubernetes, metrics-server too", () => {
    const versions = [
      ...source("metrics-server/go.mod").matchAll(/^\tk8s\.io\/[\w-]+ v0\.(\d+\.\d+) /gm),
    ].map(([, version]) => version);
    assert.ok(versions.length >= 5, versions.join());
    assert.deepEqual([...new Set(versions)], [kubernetesVersion().replace(/^1\./, "")]);
  });

  it("start as Kubernetes' programs by the names of the links to them", () => {
    const names = [...source("go/kubernetes/main.go").matchAll(/^\t"([\w-]+)":/gm)].map(([, name]) => name);
    assert.deepEqual(names.sort(), [...kubernetesPrograms].sort());
  });

  it("have names that Go knows: this project's own by its module", () => {
    assert.match(source("go/go.mod"), /^module transcript-pipeline\.local\/node$/m);
    assert.equal(importPath("./kine"), "transcript-pipeline.local/node/kine");
    assert.equal(importPath("k8s.io/kubernetes/cmd/kubectl"), "k8s.io/kubernetes/cmd/kubectl");
  });

  it("have the same versions in containerd.mod, except for the CRI", () => {
    const lines = source("go/go.mod").split("\n");
    const other = source("go/containerd.mod").split("\n");
    const gone = lines.filter((line) => !other.includes(line));
    assert.deepEqual(
      gone.map((line) => line.trim().split(" ")[0]),
      ["k8s.io/cri-api"],
    );
    assert.equal(other.length, lines.length - 1);
  });

  it("are compiled without garbage collection only as far as there is memory for all compilers at once", () => {
    assert.deepEqual(compilerMemory(20_000, 2), { GOGC: "off", GOMEMLIMIT: "1500MiB" });
    assert.deepEqual(compilerMemory(4000, 2), { GOGC: "off", GOMEMLIMIT: "1200MiB" });
    assert.deepEqual(compilerMemory(1500, 2), {});
    assert.deepEqual(compilerMemory(16_000, 32), {});
  });
});
