/** Reads Pulumi.<stack>.yaml without a Pulumi CLI. */
import { createDecipheriv, pbkdf2Sync } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { ConfigurationError, table } from "../../config.ts";
import { plainSecretProblem } from "../../config/stack-keys.ts";
import {
  configText,
  type ConfigValue,
  PROJECT,
  readStackDocument,
  Secure,
  type StackDocument,
  StackFileError,
} from "./document.ts";

/** A stack's configuration as the CLI would hand it to the program. */
export interface StackFile {
  /** Full key, `transcript-pipeline:node`, to JSON text. */
  config: Record<string, string>;
  /** Keys of secure values that could not be decrypted, and are left out, or {@link NOT_DECRYPTED}. */
  undecrypted: string[];
  /** The secure values that were decrypted, in plain text. */
  secrets: string[];
  /** Full keys under which there are secure values. */
  secretKeys: string[];
  /** Fields under `secrets` that are in the file in plain text, `secrets.databasePassword`. */
  plainSecrets: string[];
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
 * The decryption with the environment's passphrase.
 *
 * @param salt `encryptionsalt` of the stack file, which holds a known word to check the passphrase with
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

/** Reads a stack's file as it is, with its secure values encrypted. */
export function readDocument(path: string): StackDocument {
  if (!existsSync(path))
    throw new Error(`${path} does not exist: to add an environment, copy Pulumi.prod.yaml to that name`);
  try {
    return readStackDocument(readFileSync(path), PROJECT);
  } catch (error) {
    if (!(error instanceof StackFileError)) throw error;
    throw new Error(`${path}: ${error.message}`, { cause: error });
  }
}

/** The plain fields of a section of a stack's file: what `config` has under it, without secure values. */
export function plainSection(document: StackDocument, section: string): Record<string, unknown> {
  const value = document.config.get(`${PROJECT}:${section}`);
  if (!(value instanceof Map)) return {};
  const plain = [...(value as ReadonlyMap<string, ConfigValue>)].filter(([, entry]) => !holdsSecure(entry));
  return JSON.parse(configText(new Map(plain))) as Record<string, unknown>;
}

/** The plain fields of each of the project's own sections. */
export function plainSections(document: StackDocument): Record<string, Record<string, unknown>> {
  const sections = [...document.config.keys()].flatMap((key) => {
    const [namespace, section = ""] = key.split(":");
    return namespace === PROJECT ? [section] : [];
  });
  return Object.fromEntries(sections.map((section) => [section, plainSection(document, section)]));
}

function holdsSecure(value: ConfigValue): boolean {
  if (value instanceof Secure) return true;
  if (Array.isArray(value)) return (value as readonly ConfigValue[]).some(holdsSecure);
  return value instanceof Map && [...(value as ReadonlyMap<string, ConfigValue>).values()].some(holdsSecure);
}

/** Fields under `secrets` that are in plain text, however deep. */
function plainSecrets(value: ConfigValue | undefined, path = "secrets"): string[] {
  if (value instanceof Map) {
    return [...(value as ReadonlyMap<string, ConfigValue>)].flatMap(([name, entry]) =>
      plainSecrets(entry, `${path}.${name}`),
    );
  }
  return path === "secrets" || value === undefined || value === null || value instanceof Secure ? [] : [path];
}

/** Secrets that the configuration requires. One that cannot be decrypted has a placeholder, as it is not missing. */
const REQUIRED_SECRETS = /:secrets\.(repositories|sinks)\./;
export const NOT_DECRYPTED = "not-decrypted";

/** The node that a stack's file names, or undefined if it names none. */
export function hostnameOf(path: string): string | undefined {
  const { hostname } = plainSection(readDocument(path), "node");
  return typeof hostname === "string" || typeof hostname === "number" ? String(hostname) : undefined;
}

/** Refuses a secret in plain text in a stack's file: next to an encrypted one, the program cannot tell them apart. */
export function refusePlainSecrets(stack: string, { plainSecrets: plain }: StackFile): void {
  if (plain.length > 0) throw new ConfigurationError(stack, plain.map(plainSecretProblem));
}

/** Reads a stack's file. */
export function readStackFile(path: string): StackFile {
  const { config: written, encryptionSalt } = readDocument(path);
  if (encryptionSalt !== undefined && !/^v1:[^:]*:v1:[^:]+:[^:]+$/.test(encryptionSalt))
    throw new Error(
      `${path}: encryptionsalt was not written by the engine. Restore it from the committed file`,
    );
  for (const section of Object.keys(table)) {
    // To the program, text that holds a map looks like a map; the engine refuses it.
    const value = written.get(`${PROJECT}:${section}`);
    if (value instanceof Secure || (typeof value === "string" && value.trimStart().startsWith("{")))
      throw new Error(
        `${path}: ${section} is a text, but must be a map of fields. Write them below it, one per line`,
      );
  }
  const undecrypted: string[] = [];
  const secrets: string[] = [];
  let decrypt: Decrypt | undefined | "unasked" = "unasked";

  const plain = (key: string, value: ConfigValue): ConfigValue | undefined => {
    if (value instanceof Secure) {
      if (decrypt === "unasked") decrypt = decryption(encryptionSalt);
      if (decrypt) {
        const secret = decrypt(value.ciphertext);
        secrets.push(secret);
        return secret;
      }
      undecrypted.push(key);
      if (!REQUIRED_SECRETS.test(key)) return undefined;
      return key.endsWith(".url") ? `https://${NOT_DECRYPTED}` : NOT_DECRYPTED;
    }
    if (Array.isArray(value)) {
      return (value as readonly ConfigValue[]).map(
        (entry, index) => plain(`${key}[${index}]`, entry) ?? null,
      );
    }
    if (value instanceof Map) {
      return new Map(
        [...(value as ReadonlyMap<string, ConfigValue>)].flatMap(([name, entry]) => {
          const read = plain(`${key}.${name}`, entry);
          return read === undefined ? [] : [[name, read]];
        }),
      );
    }
    return value;
  };

  const config: Record<string, string> = {};
  for (const [key, value] of written) {
    const read = plain(key, value);
    if (read !== undefined) config[key] = configText(read);
  }
  return {
    config,
    undecrypted,
    secrets,
    secretKeys: [...written].filter(([, value]) => holdsSecure(value)).map(([key]) => key),
    plainSecrets: plainSecrets(written.get(`${PROJECT}:secrets`)),
  };
}
