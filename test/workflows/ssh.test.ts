import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lookAtSsh, sshFindings } from "../../cluster/ssh-reach.ts";
import { projectFile } from "../../tools/cli.ts";
import { findEngine } from "../../tools/engine/engine.ts";
import { engineEnvironment } from "../../tools/engine/environment.ts";
import { attempt } from "../../tools/processes.ts";
import { endPluginsOf } from "../orphans.ts";
import { skip } from "../skip.ts";
import { ed25519HostKey } from "../ssh-keys.ts";
import { obstacleToSshd, Sshd } from "../sshd.ts";

/** A program of one component: the storage of a node, over a connection that the environment describes. */
const PROGRAM = `
import { NodeStorage } from ${JSON.stringify(projectFile("components/storage/node-storage.ts"))};
const { path, ...connection } = JSON.parse(process.env.TEST_CONNECTION ?? "{}");
new NodeStorage("storage", {
  connection: { kind: "ssh", user: "root", ...connection },
  path, capacity: "1Mi", identity: "transcript-pipeline/prod", volumeUid: "1",
});
`;

describe("the engine's SSH client and a real server", function () {
  this.timeout(300_000);
  let sshd: Sshd;
  let directory: string;
  let engine: string;

  before(async function () {
    const found = await findEngine();
    const obstacle =
      obstacleToSshd() ?? ("reason" in found ? "no Pulumi CLI can be had on this machine" : undefined);
    if (obstacle !== undefined || "reason" in found) {
      skip(this, obstacle ?? "");
    }
    engine = found.command;
    sshd = new Sshd();
    await sshd.start(["ecdsa", "rsa", "ed25519"]);
    directory = mkdtempSync(join(tmpdir(), "ssh-storage-"));
    mkdirSync(join(directory, "state"));
    symlinkSync(projectFile("node_modules"), join(directory, "node_modules"));
    writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
    writeFileSync(join(directory, "index.ts"), PROGRAM);
    writeFileSync(
      join(directory, "Pulumi.yaml"),
      "name: ssh-storage\nruntime: { name: nodejs, options: { typescript: false } }\nmain: index.ts\n",
    );
    const made = await pulumi(["stack", "init", "test"]);
    assert.ok(made.ok, made.errors);
  });
  after(async () => {
    await sshd?.stop();
    if (directory === undefined) return;
    endPluginsOf(directory);
    rmSync(directory, { recursive: true, force: true });
  });

  const pulumi = (args: readonly string[], connection: object = {}) =>
    attempt(engine, [...args, "--non-interactive"], {
      cwd: directory,
      timeout: 120_000,
      env: engineEnvironment({
        backend: { directory: join(directory, "state"), passphrase: "test" },
        variables: { SSH_AUTH_SOCK: undefined, TEST_CONNECTION: JSON.stringify(connection) },
      }),
    });

  /** Whether the engine could prepare a directory, and whether the look beforehand objected. */
  async function prepare(name: string, host: string, hostKey: string) {
    const path = join(directory, name, "pgdata");
    const target = { host, port: sshd.port, hostKey };
    const findings = sshFindings(target, await lookAtSsh(target));
    const ran = await pulumi(["up", "--yes", "--skip-preview", "--stack", "test"], {
      ...{ host, port: sshd.port, hostKey, path },
      privateKey: sshd.userKey,
    });
    const marker = join(path, "volume.identity");
    const prepared = existsSync(marker) && readFileSync(marker, "utf8") === "transcript-pipeline/prod\n";
    assert.equal(prepared, ran.ok, ran.output);
    return { ...ran, findings, path };
  }

  it("prepare the directory, by IPv4 and IPv6, with an ed25519 and an ECDSA key", async () => {
    for (const [name, host, kind] of [
      ["first", "127.0.0.1", "ed25519"],
      ["second", "::1", "ecdsa"],
    ] as const) {
      const ran = await prepare(name, host, sshd.hostKey(kind));
      assert.ok(ran.ok, ran.output + ran.errors);
      assert.deepEqual(ran.findings, []);
    }
  });

  it("part over another host's key, with nothing done, and the look beforehand says so", async () => {
    const ran = await prepare("wrong", "127.0.0.1", ed25519HostKey());
    assert.equal(ran.ok, false);
    assert.match(ran.output + ran.errors, /host key mismatch/);
    assert.match(ran.findings[0]?.message ?? "", /it is another host/);
    assert.ok(!existsSync(ran.path));
  });

  it("cannot agree on an RSA key, and the look beforehand says so", async () => {
    const ran = await prepare("rsa", "127.0.0.1", sshd.hostKey("rsa"));
    assert.equal(ran.ok, false);
    assert.match(ran.output + ran.errors, /no common algorithm for host key/);
    assert.match(ran.findings[0]?.message ?? "", /SHA-1/);
  });
});
