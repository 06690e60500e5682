/** A real SSH server on this machine's loopback, with its own keys and port. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** Kinds of key that ssh-keygen makes for a host. */
export type KeyKind = "ed25519" | "ecdsa" | "rsa";

const SSHD = ["/usr/sbin/sshd", "/usr/lib/openssh/sshd"].find((path) => existsSync(path));

/** Why such a server cannot run here, or undefined. */
export function obstacleToSshd(): string | undefined {
  if (SSHD === undefined) return "sshd is not installed (Debian: openssh-server)";
  if (process.getuid?.() !== 0) return "only root can let a user in";
  for (const program of ["ssh-keygen", "ssh-keyscan", "ssh"])
    if (spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0) return `${program} is not on PATH`;
  return undefined;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** One that listens on 127.0.0.1 and ::1, and lets root in with {@link userKey}. */
export class Sshd {
  readonly directory = mkdtempSync(join(tmpdir(), "sshd-"));
  port = 0;
  private child: ChildProcess | undefined;

  /** The private key of the user, in OpenSSH's form. */
  get userKey(): string {
    return readFileSync(join(this.directory, "user"), "utf8");
  }

  /** A host key as `node.sshHostKey` has it. */
  hostKey(kind: KeyKind): string {
    return readFileSync(join(this.directory, `${kind}.pub`), "utf8")
      .trim()
      .split(" ")
      .slice(0, 2)
      .join(" ");
  }

  /** Makes a key pair, in the server's folder. */
  makeKey(name: string, kind: KeyKind, passphrase = ""): string {
    const file = join(this.directory, name);
    execFileSync("ssh-keygen", ["-q", "-t", kind, "-N", passphrase, "-C", "", "-f", file]);
    return file;
  }

  /**
   * Starts it.
   *
   * @param kinds of its host keys
   * @param options further lines of its configuration
   */
  async start(kinds: readonly KeyKind[], options: readonly string[] = []): Promise<void> {
    if (SSHD === undefined) throw new Error(obstacleToSshd());
    // It requires a directory owned by root to drop its rights in.
    mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
    chmodSync(this.directory, 0o755);
    for (const kind of kinds) this.makeKey(kind, kind);
    this.makeKey("user", "ed25519");
    writeFileSync(join(this.directory, "authorized_keys"), readFileSync(join(this.directory, "user.pub")), {
      mode: 0o600,
    });
    this.port = await freePort();
    const config = [
      `Port ${this.port}`,
      "ListenAddress 127.0.0.1",
      "ListenAddress ::1",
      ...kinds.map((kind) => `HostKey ${join(this.directory, kind)}`),
      `AuthorizedKeysFile ${join(this.directory, "authorized_keys")}`,
      "PidFile none",
      "UsePAM no",
      "StrictModes no",
      "PasswordAuthentication no",
      "PermitRootLogin prohibit-password",
      ...options,
    ];
    writeFileSync(join(this.directory, "config"), `${config.join("\n")}\n`);
    this.child = spawn(SSHD, ["-D", "-e", "-f", join(this.directory, "config")], { stdio: "ignore" });
    for (let attempt = 0; attempt < 100; attempt++) {
      if (this.child.exitCode !== null) throw new Error("sshd has ended at once");
      if (spawnSync("ssh-keyscan", ["-T", "1", "-p", String(this.port), "127.0.0.1"]).stdout.length > 0)
        return;
      await pause(50);
    }
    throw new Error("sshd does not answer");
  }

  /** Ends it, and what it started. */
  async stop(): Promise<void> {
    if (this.child && this.child.exitCode === null) {
      this.child.kill("SIGTERM");
      await once(this.child, "exit");
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
