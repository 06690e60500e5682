/** The controller's side of sealing, for tests. */
import { constants, createDecipheriv, createPrivateKey, privateDecrypt } from "node:crypto";
import type { SealedFor } from "../../../../tools/sealing/sealing.ts";

/** Opens a value as the controller does (pkg/crypto/crypto.go, singleDecrypt). */
export function opened(text: string, { namespace, name }: SealedFor, key: string): string {
  const bytes = Buffer.from(text, "base64");
  const length = bytes.readUInt16BE(0);
  const sessionKey = privateDecrypt(
    {
      key: createPrivateKey(key),
      padding: constants.RSA_PKCS1_OAEP_PADDING,
      oaepHash: "sha256",
      oaepLabel: Buffer.from(`${namespace}/${name}`),
    },
    bytes.subarray(2, 2 + length),
  );
  const decipher = createDecipheriv("aes-256-gcm", sessionKey, Buffer.alloc(12));
  decipher.setAuthTag(bytes.subarray(-16));
  return Buffer.concat([decipher.update(bytes.subarray(2 + length, -16)), decipher.final()]).toString();
}
