/**
 * The public host key in `node.sshHostKey`. The engine's SSH client asks the host only for a signature of the key's own
 * kind (pulumi-command, provider/pkg/provider/remote/connection.go).
 */
import { createHash } from "node:crypto";

/** Kinds of host key that the client can check. */
export const HOST_KEY_KINDS = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "ssh-rsa",
] as const;

/** A public key. */
export interface HostKey {
  kind: string;
  /** In base64, as in known_hosts. */
  body: string;
}

/** Reads `<kind> <base64> [comment]`. Undefined if the form differs or the kind does not match the base64. */
export function hostKeyOf(text: string): HostKey | undefined {
  const match = /^(\S+) ([A-Za-z0-9+/]+={0,2})(?: [^\n]*)?$/.exec(text.trim());
  if (!match) return undefined;
  const [, kind = "", body = ""] = match;
  if (!(HOST_KEY_KINDS as readonly string[]).includes(kind)) return undefined;
  // The kind again, then numbers, each prefixed with its length (RFC 4253, 6.6). In a truncated key they do not add up.
  const parts = partsOf(Buffer.from(body, "base64"));
  return parts !== undefined && parts.length > 1 && parts[0]?.toString() === kind
    ? { kind, body }
    : undefined;
}

/** The parts of a key. Undefined if their lengths do not add up to the key's. */
function partsOf(bytes: Buffer): Buffer[] | undefined {
  const parts: Buffer[] = [];
  let at = 0;
  while (at + 4 <= bytes.length) {
    const end = at + 4 + bytes.readUInt32BE(at);
    parts.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return at === bytes.length ? parts : undefined;
}

/** The short form for comparing keys, as `ssh-keygen -lf` prints it. */
export function fingerprint({ body }: HostKey): string {
  return `SHA256:${createHash("sha256").update(Buffer.from(body, "base64")).digest("base64").replace(/=+$/, "")}`;
}

/**
 * The host keys in the lines of `ssh-keyscan`, with or without the host's name; comments are left out. Undefined if a line
 * is something else, or if there is none.
 */
export function hostKeysOf(text: string): HostKey[] | undefined {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  const keys = lines.map((line) => hostKeyOf(line) ?? hostKeyOf(line.replace(/^\S+\s+/, "")));
  return keys.length > 0 && keys.every((key) => key !== undefined) ? keys : undefined;
}

/**
 * What is allowed, if a private key cannot be used; undefined if it can. The key is not repeated.
 *
 * @param path of the secret
 * @param instead of a key with a passphrase, the way that does without one
 */
export function objectionToPrivateKey(
  text: string,
  path = "secrets.sshPrivateKey",
  instead = `Use the SSH agent (pulumi config rm --path ${path}), or a separate key: ssh-keygen -t ed25519 -N '' -f deploy-key`,
): string | undefined {
  const allowed =
    "a private key as ssh-keygen writes it, from its BEGIN line to its END line, without a passphrase";
  const set = `pulumi config set --secret --path ${path} <~/.ssh/id_ed25519`;
  const begin = /-----BEGIN ((?:[A-Z0-9]+ )?PRIVATE KEY)-----([^]*?)-----END \1-----/.exec(text);
  if (!begin) {
    const what = /^(?:ssh-|ecdsa-|sk-)\S+ /.test(text.trim())
      ? " (this is the public one)"
      : text.includes("PuTTY-User-Key-File")
        ? " (this is PuTTY's format: convert it with puttygen -O private-openssh)"
        : "";
    return `${allowed}${what}: ${set}`;
  }
  const [, kind = "", body = ""] = begin;
  // OpenSSH's format has the cipher's name after a magic string: "openssh-key-v1\\0", length, name (PROTOCOL.key).
  const bytes = Buffer.from(body.replace(/\s/g, ""), "base64");
  const magic = "openssh-key-v1\0";
  const encrypted =
    kind.startsWith("ENCRYPTED") ||
    body.includes("Proc-Type: 4,ENCRYPTED") ||
    (bytes.subarray(0, magic.length).toString("latin1") === magic &&
      bytes.subarray(magic.length + 4, magic.length + 8).toString() !== "none");
  return encrypted
    ? `${allowed}. This one has a passphrase, which the deployment does not ask for. ${instead}`
    : undefined;
}
