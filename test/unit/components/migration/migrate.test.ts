import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../../../tools/cli.ts";
import { skip } from "../../../skip.ts";

// The script in a pod whose names come from a file and a `getent` of the test's own.
describe("the migrations in a cluster of another domain", function () {
  this.timeout(60_000);
  let folder: string;
  before(function () {
    if (spawnSync("unshare", ["--mount", "--propagation", "private", "true"]).status !== 0) {
      skip(this, "this machine allows no mount namespaces");
    }
    folder = mkdtempSync(join(tmpdir(), "migrate-"));
  });
  after(() => {
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  /**
   * Runs it against a server that does not answer.
   *
   * @param search what the kubelet wrote into the pod's /etc/resolv.conf
   * @param known names that have an address
   */
  function migrate(
    host: string,
    search: string,
    known: readonly string[],
  ): { output: string; seconds: number } {
    const program = (name: string, text: string) => {
      writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
      chmodSync(join(folder, name), 0o755);
    };
    program(
      "getent",
      `case $2 in ${known.map((name) => `"${name}"`).join(" | ") || "''"}) echo 10.43.0.1 ;; *) exit 2 ;; esac`,
    );
    program("psql", "echo 'could not translate host name' >&2; exit 2");
    writeFileSync(join(folder, "resolv.conf"), `search ${search}\nnameserver 10.43.0.10\noptions ndots:5\n`);
    const begun = Date.now();
    const ran = spawnSync(
      "unshare",
      [
        ...["--mount", "--propagation", "private", "sh", "-c"],
        // The folder is the pod's /tmp.
        'mount --bind "$1/resolv.conf" /etc/resolv.conf && mount --bind "$1" /tmp && PATH="/tmp:$PATH" exec sh /tmp/migrate.sh',
        ...["sh", folder],
      ],
      { encoding: "utf8", env: { PATH: process.env.PATH, PGHOST: host, PGPORT: "5432", WAIT: "2" } },
    );
    return { output: ran.stderr, seconds: (Date.now() - begun) / 1000 };
  }

  before(() => {
    if (!folder) return;
    const text = spawnSync("cat", [projectFile("components/migration/scripts/migrate.sh")], {
      encoding: "utf8",
    }).stdout;
    writeFileSync(join(folder, "migrate.sh"), text);
  });

  const host = (domain: string) => `postgres.transcript-pipeline.svc.${domain}`;
  const search = (domain: string) => `transcript-pipeline.svc.${domain} svc.${domain} ${domain} lan.example`;

  it("end at once, with the domain and the command", () => {
    const ran = migrate(host("cluster.local"), search("k8s.example"), ["kubernetes.default.svc.k8s.example"]);
    assert.match(
      ran.output,
      /migrate: postgres\.transcript-pipeline\.svc\.cluster\.local has no address: the cluster's domain is k8s\.example, not cluster\.local\. Set it: pulumi config set --path cluster\.domain k8s\.example$/m,
    );
    assert.ok(ran.seconds < 2, `${ran.seconds} s`);
  });

  it("wait for a server in the right domain, and while no name at all has an address", () => {
    for (const [domain, known] of [
      ["cluster.local", ["kubernetes.default.svc.cluster.local"]],
      ["k8s.example", []],
    ] as const) {
      const ran = migrate(host("cluster.local"), search(domain), known);
      assert.match(ran.output, /migrate: no login at \S+ within 2 seconds/);
      assert.doesNotMatch(ran.output, /domain/);
    }
  });

  it("do not judge a server that is not in the cluster", () => {
    const ran = migrate("db.example", search("k8s.example"), ["kubernetes.default.svc.k8s.example"]);
    assert.match(ran.output, /no login at db\.example:5432/);
  });
});
