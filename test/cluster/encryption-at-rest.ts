/** The API server's encryption of Secrets, and the files of its datastore. */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What writes and reads Secrets: plain text, or encrypted. */
export type Provider = "identity" | "secretbox";

/** A new key. */
export const encryptionKey = () => randomBytes(32).toString("base64");

/**
 * The API server's flags for a configuration.
 *
 * @param folder where its file is written
 * @param names the providers, of which the first writes
 */
export function encryptionFlags(folder: string, key: string, names: readonly Provider[]): string[] {
  const file = join(folder, `encryption-${names.join("-")}.json`);
  const known = {
    identity: { identity: {} },
    secretbox: { secretbox: { keys: [{ name: "key1", secret: key }] } },
  };
  const configuration = {
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "EncryptionConfiguration",
    resources: [{ resources: ["secrets"], providers: names.map((name) => known[name]) }],
  };
  writeFileSync(file, JSON.stringify(configuration), { mode: 0o600 });
  return [`--encryption-provider-config=${file}`];
}

/** The datastore's file, and those that SQLite keeps next to it. */
export function datastoreFiles(file: string): { suffix: string; bytes: Buffer }[] {
  return ["", "-wal", "-shm"].flatMap((suffix) =>
    existsSync(`${file}${suffix}`) ? [{ suffix, bytes: readFileSync(`${file}${suffix}`) }] : [],
  );
}
