/** Reading Pulumi.<stack>.yaml where no Pulumi CLI does it. */
import { createDecipheriv, pbkdf2Sync } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { parse } from "yaml";

/** A stack's configuration as the CLI would hand it to the program. */
export interface StackFile {
  /** Full key, `transcript-pipeline:node`, to JSON text. */
  config: Record<string, string>;
  /** Keys of secure values that could not be decrypted, and are left out. */
  undecrypted: string[];
  /** The secure values that were decrypted, in plain text. */
  secrets: string[];
}

type Decrypt = (ciphertext: string) => string;

/** PBKDF2 iterations and key size of Pulumi's passphrase secrets manager (sdk/go/common/resource/config/crypt.go). */
const ITERATIONS = 1_000_000;
const KEY_BYTES = 32;
const TAG_BYTES = 16;

/** Decrypts one `v1:<nonce>:<ciphertext>`, AES-256-GCM with the tag at the end. */
function decryptWith(key: Buffer, ciphertext: string): string {
  const [version, nonce, data] = ciphertext.split(":");
  if (version !== "v1" || nonce === undefined || data === undefined) throw new Error("not a v1 ciphertext");
  const bytes = Buffer.from(data, "base64");
  const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(nonce, "base64"));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()]).toString("utf8");
}

function passphraseFromEnvironment(): string | undefined {
  const file = process.env.PULUMI_CONFIG_PASSPHRASE_FILE;
  if (file !== undefined && file !== "") return readFileSync(file, "utf8").trim();
  return process.env.PULUMI_CONFIG_PASSPHRASE;
}

/**
 * The decryption that the environment's passphrase allows.
 *
 * @param salt `encryptionsalt` of the stack file, which holds a known word to check the passphrase by
 * @throws when the passphrase is not the stack's
 */
function decryption(salt: string | undefined): Decrypt | undefined {
  const passphrase = passphraseFromEnvironment();
  if (salt === undefined || passphrase === undefined) return undefined;
  const [, saltBytes = "", ...check] = salt.split(":");
  const key = pbkdf2Sync(passphrase, Buffer.from(saltBytes, "base64"), ITERATIONS, KEY_BYTES, "sha256");
  try {
    decryptWith(key, check.join(":"));
  } catch {
    throw new Error(
      "the passphrase is not this stack's: set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to the one it was made with, or unset both to leave its secrets out",
    );
  }
  return (ciphertext) => decryptWith(key, ciphertext);
}

function isSecure(value: unknown): value is { secure: string } {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.keys(value).length === 1 &&
    "secure" in value &&
    typeof value.secure === "string"
  );
}

/** Reads a stack's file. */
export function readStackFile(path: string): StackFile {
  if (!existsSync(path))
    throw new Error(`there is no ${path}: a new environment is a copy of Pulumi.prod.yaml under its name`);
  const file = (parse(readFileSync(path, "utf8")) ?? {}) as {
    config?: Record<string, unknown>;
    encryptionsalt?: string;
  };
  const undecrypted: string[] = [];
  const secrets: string[] = [];
  let decrypt: Decrypt | undefined | "unasked" = "unasked";

  const plain = (key: string, value: unknown): unknown => {
    if (isSecure(value)) {
      if (decrypt === "unasked") decrypt = decryption(file.encryptionsalt);
      if (decrypt) {
        const secret = decrypt(value.secure);
        secrets.push(secret);
        return secret;
      }
      undecrypted.push(key);
      return undefined;
    }
    if (Array.isArray(value)) return value.map((entry, index) => plain(`${key}[${index}]`, entry));
    if (typeof value === "object" && value !== null) {
      return Object.fromEntries(
        Object.entries(value).flatMap(([name, entry]) => {
          const read = plain(`${key}.${name}`, entry);
          return read === undefined ? [] : [[name, read]];
        }),
      );
    }
    return value;
  };

  const config: Record<string, string> = {};
  for (const [key, value] of Object.entries(file.config ?? {})) {
    const read = plain(key, value);
    if (read !== undefined) config[key] = typeof read === "string" ? read : JSON.stringify(read);
  }
  return { config, undecrypted, secrets };
}
