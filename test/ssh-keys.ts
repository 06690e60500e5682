/** Keys for tests, of a host and of a user; new in each run. */
import { generateKeyPairSync } from "node:crypto";

/** Text preceded by its length, as in SSH. */
function counted(part: Buffer | string): Buffer {
  const bytes = Buffer.from(part);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** A host's public key of the kind that every server has, as ssh-keyscan prints it behind the name. */
export function ed25519HostKey(): string {
  const { x = "" } = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
  const body = Buffer.concat([counted("ssh-ed25519"), counted(Buffer.from(x, "base64url"))]);
  return `ssh-ed25519 ${body.toString("base64")}`;
}

/** A private key without a passphrase. */
export function userKey(): string {
  return generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString();
}
