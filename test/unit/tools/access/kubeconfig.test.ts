import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { boundsFor } from "../../../../tools/access/bounds.ts";
import { handOut, refuseOutput } from "../../../../tools/access/hand-out.ts";
import { apiServerOf, isOwnMachine, kubeconfigText } from "../../../../tools/access/kubeconfig.ts";
import { inWords, secondsOf, shortened } from "../../../../tools/access/lifetime.ts";
import { projectFile } from "../../../../tools/cli.ts";

const cluster = { server: "https://gen8:6443", "certificate-authority-data": "Q0E=" };

describe("the kubeconfig that is handed to CI", () => {
  it("has the operator's cluster and the token, and nothing of the operator's own login", () => {
    const operator = {
      clusters: [{ name: "rack", cluster }],
      users: [{ name: "admin", user: { "client-key-data": "operator's key" } }],
    };
    const text = kubeconfigText("rack", apiServerOf(operator), "postgres-ci-deploy", "a.b.c");
    assert.ok(!text.includes("operator's key"));
    assert.deepEqual(parse(text), {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "rack",
      clusters: [{ name: "rack", cluster }],
      users: [{ name: "postgres-ci-deploy", user: { token: "a.b.c" } }],
      contexts: [{ name: "rack", context: { cluster: "rack", user: "postgres-ci-deploy" } }],
    });
  });

  it("is refused where the token could be read on its way", () => {
    const of = (fields: object) => ({ clusters: [{ cluster: { ...cluster, ...fields } }] });
    assert.throws(() => apiServerOf(of({ server: "http://gen8:6443" })), /only over https.*--server/);
    assert.throws(() => apiServerOf(of({}), "gen8:6443"), /"gen8:6443"/);
    assert.throws(() => apiServerOf(of({ "insecure-skip-tls-verify": true })), /to whoever answers/);
    assert.throws(() => apiServerOf({ clusters: null }), /kubectl config view/);
  });

  it("leads to another address where one is named, and one that only this machine has is known", () => {
    const local = { clusters: [{ cluster: { ...cluster, server: "https://127.0.0.1:6443" } }] };
    assert.ok(isOwnMachine(apiServerOf(local)));
    for (const server of ["https://localhost:6443", "https://[::1]:6443", "https://127.0.1.1"])
      assert.ok(isOwnMachine({ server }), server);
    assert.deepEqual(apiServerOf(local, "https://gen8:6443"), cluster);
    assert.ok(!isOwnMachine(apiServerOf(local, "https://gen8:6443")));
  });

  describe("goes", () => {
    let directory: string;
    beforeEach(() => (directory = mkdtempSync(join(tmpdir(), "access-"))));
    afterEach(() => rmSync(directory, { recursive: true }));
    const mode = (file: string) => statSync(file).mode & 0o777;

    it("into a file that only its owner reads, also if others could read it before", () => {
      const file = join(directory, "kubeconfig");
      writeFileSync(file, "an older and longer text");
      chmodSync(file, 0o644);
      handOut("a token", file);
      assert.equal(readFileSync(file, "utf8"), "a token");
      assert.equal(mode(file), 0o600);
    });

    it("into no file that a link leads to", () => {
      const target = join(directory, "target");
      writeFileSync(target, "");
      symlinkSync(target, join(directory, "link"));
      assert.throws(() => handOut("a token", join(directory, "link")), /ELOOP/);
      assert.equal(readFileSync(target, "utf8"), "");
    });

    it("into a file of the shell's, which only its owner then reads", () => {
      const file = join(directory, "kubeconfig");
      const program = `import { handOut } from ${JSON.stringify(projectFile("tools/access/hand-out.ts"))}; handOut("a token");`;
      const line = 'umask 022; "$0" --input-type=module --eval "$1" >"$2"';
      const { status, stderr } = spawnSync("sh", ["-c", line, process.execPath, program, file], {
        encoding: "utf8",
      });
      assert.equal(status, 0, stderr);
      assert.equal(readFileSync(file, "utf8"), "a token");
      assert.equal(mode(file), 0o600);
    });

    it("not where npm has written its own lines", () => {
      const npm = { npm_lifecycle_event: "ci:access" };
      assert.throws(() => refuseOutput(undefined, npm), /npm run --silent/);
      refuseOutput(undefined, { ...npm, npm_config_loglevel: "silent" });
      refuseOutput("file", npm);
      refuseOutput(undefined, {});
    });
  });
});

describe("a token's lifetime", () => {
  it("is given in days, hours or minutes", () => {
    assert.deepEqual(["90d", "12h", "10m"].map(secondsOf), [7_776_000, 43_200, 600]);
    for (const wrong of ["90", "d", "9m", "-1d", "1.5d", "90 d", "99999999d", ""])
      assert.throws(() => secondsOf(wrong), /--expires: .*--expires 90d/, wrong);
  });

  it("that the cluster has shortened is reported", () => {
    assert.equal(shortened(7_776_000, 7_775_990), undefined);
    assert.match(
      shortened(7_776_000, 86_400 * 7) ?? "",
      /grants a token for 7 days at most, not for 90 days/,
    );
  });

  it("is said in the largest unit that fits", () => {
    assert.deepEqual([90 * 86_400, 7200, 7199, 600].map(inWords), [
      "90 days",
      "2 hours",
      "119 minutes",
      "10 minutes",
    ]);
  });
});

describe("a bound", () => {
  it("cannot be ended by what is in a name", () => {
    const path = '/mnt/a"] || true || "" in ["';
    const volume = {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: "v" },
      spec: { hostPath: { path } },
    };
    const [bound] = boundsFor("deploy", [volume]);
    assert.equal(
      bound?.expression,
      'has(object.spec.hostPath) && object.spec.hostPath.path in ["/mnt/a\\"] || true || \\"\\" in [\\""]',
    );
  });
});
