/**
 * Encrypts a value for Sealed Secrets, as kubeseal does (pkg/crypto/crypto.go, HybridEncrypt): a key of its own for each
 * value, encrypted for the controller with RSA, and the value encrypted with that key.
 */
import { constants, createCipheriv, type KeyObject, publicEncrypt, randomBytes } from "node:crypto";

/** The object that a value is sealed for: under another name or in another namespace nobody can open it. */
export interface SealedFor {
  namespace: string;
  name: string;
}

/** Bytes of an AES-256 key. */
const SESSION_KEY = 32;
/** Bytes of a GCM nonce. All zero: a key encrypts one value. */
const NONCE = 12;

/**
 * Seals a value, strictly: for one name in one namespace.
 *
 * @param value bytes, or text in UTF-8
 * @param publicKey the controller's, RSA: see {@link sealingCertificate}
 * @returns what belongs under `encryptedData`: base64 of the length of the encrypted key (2 bytes, big-endian), the
 *   encrypted key, the encrypted value, and its tag. Different each time
 */
export function sealed(
  value: string | Uint8Array,
  { namespace, name }: SealedFor,
  publicKey: KeyObject,
): string {
  const sessionKey = randomBytes(SESSION_KEY);
  const encryptedKey = publicEncrypt(
    {
      key: publicKey,
      padding: constants.RSA_PKCS1_OAEP_PADDING,
      oaepHash: "sha256",
      oaepLabel: Buffer.from(`${namespace}/${name}`),
    },
    sessionKey,
  );
  const length = Buffer.alloc(2);
  length.writeUInt16BE(encryptedKey.length);
  const cipher = createCipheriv("aes-256-gcm", sessionKey, Buffer.alloc(NONCE));
  const encrypted = [cipher.update(value), cipher.final(), cipher.getAuthTag()];
  return Buffer.concat([length, encryptedKey, ...encrypted]).toString("base64");
}
