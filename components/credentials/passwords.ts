/** Generated passwords. */
import { hkdfSync } from "node:crypto";

/** Characters of a password: 40 alphanumeric ones hold 238 bits, and need no escaping anywhere. */
export const PASSWORD_LENGTH = 40;

/**
 * A login's password, from a secret that stays and a revision that may change: HKDF with SHA-256 (RFC 5869). A new
 * revision is a new password, without replacing the secret, which is protected; and a password that became known
 * says nothing about the secret or the next one.
 *
 * @param secret as many random characters
 */
export function passwordFrom(secret: string, login: string, revision: string): string {
  const key = hkdfSync("sha256", secret, "transcript-pipeline", `${login}\n${revision}`, 2 * PASSWORD_LENGTH);
  // Leaving two of 64 characters out leaves the others equally likely; twice the bytes are always enough.
  return Buffer.from(key)
    .toString("base64")
    .replace(/[^A-Za-z0-9]/g, "")
    .slice(0, PASSWORD_LENGTH);
}
