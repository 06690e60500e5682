/** Generated passwords. */
import { hkdfSync } from "node:crypto";

/** Characters of a password: 40 alphanumeric ones have 238 bits, and never need escaping. */
export const PASSWORD_LENGTH = 40;

/**
 * A login's password, derived from a permanent secret and a revision: HKDF with SHA-256 (RFC 5869). A new revision gives
 * a new password without replacing the protected secret, and a leaked password reveals nothing about the secret or the
 * next one.
 *
 * @param secret random characters, as many as in a password
 */
export function passwordFrom(secret: string, login: string, revision: string): string {
  const key = hkdfSync("sha256", secret, "transcript-pipeline", `${login}\n${revision}`, 2 * PASSWORD_LENGTH);
  // Removing two of 64 characters leaves the others equally likely; twice the bytes are always enough.
  return Buffer.from(key)
    .toString("base64")
    .replace(/[^A-Za-z0-9]/g, "")
    .slice(0, PASSWORD_LENGTH);
}
