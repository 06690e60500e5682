import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askNode, type NodeReach } from "../../../cluster/node-shell.ts";
import { encryptionOf, sayEncryption, STATUS_SCRIPT } from "../../../cluster/secrets-at-rest.ts";
import { obstacleToSshd, Sshd } from "../../sshd.ts";
import { skip } from "../../skip.ts";

/** As documented (docs.k3s.io/cli/secrets-encrypt), and as issues of K3s show it. Not seen on a K3s by these tests. */
const ENABLED = `Encryption Status: Enabled
Current Rotation Stage: start
Server Encryption Hashes: All hashes match

Active  Key Type  Name
------  --------  ----
 *      AES-CBC   aescbckey
`;
const DISABLED = "Encryption Status: Disabled, no configuration file found\n";

const answer = (stdout: string, status: number | undefined = 0, reason = "") => ({ stdout, status, reason });

describe("whether K3s encrypts Secrets", () => {
  it("is read from what K3s prints", () => {
    assert.deepEqual(encryptionOf(answer(ENABLED)), { kind: "on", by: "AES-CBC" });
    for (const text of [DISABLED, "Encryption Status: Disabled\nCurrent Rotation Stage: start\n"])
      assert.deepEqual(encryptionOf(answer(text)), { kind: "off" });
  });

  it("is never taken for granted: anything else is not known, with the reason", () => {
    for (const [stdout, status, reason] of [
      ["", 0, "empty"],
      ["", 1, "fatal: see server log"],
      [ENABLED, 1, "it failed then"],
      ["", undefined, "no answer within 20 s"],
      ["Encryption: Enabled", 0, "another program"],
    ] as const)
      assert.deepEqual(encryptionOf(answer(stdout, status, reason)), { kind: "unknown", reason });
  });

  it("is a warning only where it is off, and not for trials", () => {
    const [on, off, unknown] = [
      { kind: "on", by: "AES-CBC" },
      { kind: "off" },
      { kind: "unknown", reason: "r" },
    ] as const;
    const warns = [on, off, unknown, undefined].map((one) => sayEncryption("gen8", one, false).isWarning);
    assert.deepEqual(warns, [false, true, false, false]);
    assert.ok(!sayEncryption("gen8", off, true).isWarning);
  });

  it("leads to a page that exists, and to the command for the node", () => {
    for (const one of [{ kind: "off" }, { kind: "unknown", reason: "r" }, undefined] as const) {
      const { message } = sayEncryption("gen8", one, false);
      const [page = ""] = /docs\/[a-z-]+\.md/.exec(message) ?? [];
      assert.ok(existsSync(new URL(`../../../${page}`, import.meta.url)), message);
      if (one?.kind !== "off") assert.match(message, /sudo k3s secrets-encrypt status/);
    }
  });
});

describe("the question to the node", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "k3s-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Puts a program in K3s's place. */
  function pretend(script: string): void {
    writeFileSync(join(folder, "k3s"), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, "k3s"), 0o755);
  }
  const withPath = (script: string) => `PATH=${folder}:/usr/bin:/bin\n${script}`;
  const leftFolders = () => readdirSync(tmpdir()).filter((name) => name.startsWith("node-shell-"));

  it("is answered on this machine, with the arguments that K3s knows", async () => {
    pretend(`[ "$*" = "secrets-encrypt status" ] && cat <<'END'\n${ENABLED}END`);
    const said = await askNode({ kind: "local" }, withPath(STATUS_SCRIPT));
    assert.deepEqual(encryptionOf(said), { kind: "on", by: "AES-CBC" });
  });

  it("is answered with K3s's own reason where it fails, and where there is none", async () => {
    pretend("echo first >&2; echo 'level=fatal msg=\"see server log\"' >&2; exit 1");
    const failed = encryptionOf(await askNode({ kind: "local" }, withPath(STATUS_SCRIPT)));
    assert.deepEqual(failed, { kind: "unknown", reason: 'level=fatal msg="see server log"' });
    rmSync(join(folder, "k3s"));
    if (existsSync("/usr/local/bin/k3s") || existsSync("/opt/bin/k3s")) return;
    const none = encryptionOf(await askNode({ kind: "local" }, withPath(STATUS_SCRIPT)));
    assert.deepEqual(none, { kind: "unknown", reason: "no K3s is installed there" });
  });

  describe("over SSH", () => {
    const server = new Sshd();
    let reach: NodeReach & { kind: "ssh" };
    before(async function () {
      const obstacle = obstacleToSshd();
      if (obstacle !== undefined) skip(this, obstacle);
      await server.start(["ed25519"]);
      reach = {
        kind: "ssh",
        host: "127.0.0.1",
        port: server.port,
        user: "root",
        hostKey: server.hostKey("ed25519"),
        privateKey: server.userKey,
      };
    });
    after(() => server.stop());

    it("is answered, and leaves no key behind", async () => {
      pretend(`cat <<'END'\n${DISABLED}END`);
      assert.deepEqual(encryptionOf(await askNode(reach, withPath(STATUS_SCRIPT))), { kind: "off" });
      assert.deepEqual(leftFolders(), []);
    });

    it("is not asked of a host with another key, or with a key that is not let in", async () => {
      const other = readFileSync(`${server.makeKey("other", "ed25519")}`, "utf8");
      const otherHost = readFileSync(join(server.directory, "other.pub"), "utf8").trim();
      pretend(`cat <<'END'\n${ENABLED}END`);
      for (const [wrong, reason] of [
        [{ ...reach, hostKey: otherHost }, /Host key verification failed/],
        [{ ...reach, privateKey: other }, /Permission denied/],
      ] as const) {
        const said = encryptionOf(await askNode(wrong, withPath(STATUS_SCRIPT)));
        assert.equal(said.kind, "unknown");
        assert.match(said.kind === "unknown" ? said.reason : "", reason);
      }
      assert.deepEqual(leftFolders(), []);
    });
  });
});
