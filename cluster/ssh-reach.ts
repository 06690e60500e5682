/**
 * Checks a node's SSH server before deploying over it. The engine's client reports "no such host" for an alias, "no common
 * algorithm" for a key's kind and "host key mismatch" for a wrong key, after three attempts and without the
 * configuration key. Does not try to log in.
 */
import { execFile } from "node:child_process";
import { lookup } from "node:dns/promises";
import { connect, isIP } from "node:net";
import { fingerprint, type HostKey, hostKeyOf } from "../config/ssh-host-key.ts";
import type { Problem } from "../problem.ts";

/** Milliseconds for each step. */
const PATIENCE = 3000;

/** The server and its expected host key. */
export interface SshTarget {
  host: string;
  port: number;
  hostKey: string;
}

/** The result of the check. */
export type SshLook =
  /** The host cannot be resolved. */
  | { kind: "no address"; alias?: SshAlias | undefined }
  /** Nothing answered, or no SSH server. */
  | { kind: "no answer"; reason: string }
  /** The kinds of signature that the server offers, and its key of the configured kind if it could be fetched. */
  | { kind: "answer"; algorithms: readonly string[]; key: HostKey | undefined };

/** What an alias in ~/.ssh/config stands for. */
export interface SshAlias {
  host: string;
  port: number;
  user: string;
}

/** Something that prevents the connection. */
export interface SshFinding extends Problem {
  /** Whether it is the same from every machine, at any time. */
  certain: boolean;
}

/**
 * The kinds of signature in a server's first packet: the second list of SSH_MSG_KEXINIT (RFC 4253, 7.1).
 *
 * @param received everything that the server has sent: its version line, and packets
 * @returns undefined while the packet is incomplete
 * @throws Error if it is not an SSH server
 */
export function offeredAlgorithms(received: Buffer): string[] | undefined {
  const text = received.toString("latin1");
  // Other lines may precede the version line (RFC 4253, 4.2).
  const version = /(?:^|\n)SSH-[^\n]*\n/.exec(text);
  if (!version) {
    if (received.length > 4096 || /^HTTP\//.test(text)) throw new Error("what answers is not an SSH server");
    return undefined;
  }
  const packet = received.subarray(version.index + version[0].length);
  if (packet.length < 6) return undefined;
  const length = packet.readUInt32BE(0);
  if (length > 35_000) throw new Error("what answers is not an SSH server");
  if (packet.length < 4 + length) return undefined;
  const [padding, message] = [packet.readUInt8(4), packet.readUInt8(5)];
  if (message !== 20) throw new Error(`the SSH server ended the connection (message ${message})`);
  // After the message number and sixteen random bytes: key exchanges, then host keys.
  const payload = packet.subarray(5, 4 + length - padding);
  const exchanges = payload.readUInt32BE(17);
  const at = 21 + exchanges;
  const names = payload.subarray(at + 4, at + 4 + payload.readUInt32BE(at)).toString();
  return names.split(",").filter((name) => name !== "");
}

/** Asks the server. Rejects with a reason in words. */
function askAlgorithms(host: string, port: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    let received = Buffer.alloc(0);
    const end = (outcome: () => void) => {
      socket.destroy();
      outcome();
    };
    const fail = (reason: string) => end(() => reject(new Error(reason)));
    socket.setTimeout(PATIENCE, () => fail(`no answer within ${PATIENCE / 1000} s`));
    socket.on("connect", () => socket.write("SSH-2.0-transcript-pipeline\r\n"));
    socket.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    socket.on("close", () => fail("the connection was closed before an SSH server identified itself"));
    socket.on("data", (data: Buffer) => {
      received = Buffer.concat([received, data]);
      try {
        const found = offeredAlgorithms(received);
        if (found) end(() => resolve(found));
      } catch (error) {
        fail(error instanceof Error ? error.message : String(error));
      }
    });
  });
}

/** The output of one of OpenSSH's programs, or undefined if it is missing or fails. */
function openSsh(program: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { timeout: 2 * PATIENCE, killSignal: "SIGKILL" }, (error, stdout) =>
      resolve(error ? undefined : stdout),
    );
    child.stdin?.on("error", () => undefined);
    child.stdin?.end();
  });
}

/** The server's key of one kind, from ssh-keyscan. */
async function fetchKey({ host, port }: SshTarget, kind: string): Promise<HostKey | undefined> {
  const type = kind.replace(/^ssh-|-.*$/g, "");
  const args = ["-T", String(PATIENCE / 1000), "-p", String(port), "-t", type, host];
  const lines = (await openSsh("ssh-keyscan", args))?.split("\n") ?? [];
  return lines.map((line) => hostKeyOf(line.replace(/^\S+ /, ""))).find((key) => key?.kind === kind);
}

/**
 * What an alias in ~/.ssh/config stands for; undefined if the name is not an alias.
 *
 * @param options for ssh. @default none
 */
export async function aliasOf(host: string, options: readonly string[] = []): Promise<SshAlias | undefined> {
  const text = await openSsh("ssh", [...options, "-G", "--", host]);
  const value = (name: string) => new RegExp(`^${name} (.+)$`, "m").exec(text ?? "")?.[1];
  const real = value("hostname");
  if (real === undefined || real === host) return undefined;
  return { host: real, port: Number(value("port") ?? 22), user: value("user") ?? "root" };
}

/** Checks the server. Returns problems, and never throws. */
export async function lookAtSsh(target: SshTarget, options: readonly string[] = []): Promise<SshLook> {
  if (isIP(target.host) === 0) {
    const address = await lookup(target.host).catch(() => undefined);
    if (address === undefined) return { kind: "no address", alias: await aliasOf(target.host, options) };
  }
  try {
    const algorithms = await askAlgorithms(target.host, target.port);
    const kind = hostKeyOf(target.hostKey)?.kind;
    const offered = kind !== undefined && algorithms.includes(kind);
    return { kind: "answer", algorithms, key: offered ? await fetchKey(target, kind) : undefined };
  } catch (error) {
    return { kind: "no answer", reason: error instanceof Error ? error.message : String(error) };
  }
}

const scan = ({ host, port }: SshTarget) =>
  `pulumi config set --path node.sshHostKey "$(ssh-keyscan${port === 22 ? "" : ` -p ${port}`} -t ed25519 ${host} 2>/dev/null | cut -d' ' -f2-)"`;

/** What prevents a connection. */
export function sshFindings(target: SshTarget, look: SshLook): SshFinding[] {
  const { host, port } = target;
  switch (look.kind) {
    case "no address": {
      const { alias } = look;
      const what = `is "${host}", which cannot be resolved`;
      return [
        {
          key: "node.sshHost",
          certain: alias !== undefined,
          message:
            alias === undefined
              ? `${what}. Set it: pulumi config set --path node.sshHost <name or address>`
              : `${what}: it is an alias in ~/.ssh/config, which the engine's SSH client does not read. Set what it stands ` +
                `for: pulumi config set --path node.sshHost ${alias.host}; pulumi config set --path node.sshPort ${alias.port}; ` +
                `pulumi config set --path node.sshUser ${alias.user}`,
        },
      ];
    }
    case "no answer":
      return [
        {
          key: "node.sshHost",
          certain: false,
          message: `is "${host}", and no SSH server answers there on port ${port}: ${look.reason}. Try it: ssh -p ${port} ${host}`,
        },
      ];
    case "answer": {
      const expected = hostKeyOf(target.hostKey);
      if (expected === undefined) return [];
      if (!look.algorithms.includes(expected.kind)) {
        const rsa = look.algorithms.some((name) => name.startsWith("rsa-sha2-"));
        return [
          {
            key: "node.sshHostKey",
            certain: true,
            message:
              `is of the kind ${expected.kind}, but ${host} offers ${look.algorithms.join(", ")}: ` +
              (expected.kind === "ssh-rsa" && rsa
                ? "for an RSA key, the engine's SSH client requests a SHA-1 signature, which OpenSSH 8.8 and newer do not support. "
                : "they have no kind in common. ") +
              `Use another of its keys, and compare it with 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' on the node: ${scan(target)}`,
          },
        ];
      }
      if (look.key === undefined || look.key.body === expected.body) return [];
      return [
        {
          key: "node.sshHostKey",
          certain: true,
          message:
            `is ${fingerprint(expected)}, but ${host} has ${fingerprint(look.key)}: it is another host, it was reinstalled, ` +
            `or somebody intercepts the connection. Set it only after comparing it with 'ssh-keygen -lf /etc/ssh/ssh_host_${expected.kind.replace(/^ssh-|-.*$/g, "")}_key.pub' ` +
            `on the node: ${scan(target).replace("ed25519", expected.kind.replace(/^ssh-|-.*$/g, ""))}`,
        },
      ];
    }
  }
}
