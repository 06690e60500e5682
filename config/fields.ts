/**
 * The kinds of field a configuration can have. A kind turns what was written into a typed value or says, in
 * words, what is allowed. Which fields there are stands in ../config.ts.
 */
import { delimiter } from "node:path";
import { isIP } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import { isKubeconfigText } from "../cluster/kubeconfig.ts";
import { DATABASE_NAME, type NameKind, nearestName } from "./names.ts";
import { bytesOfQuantity, cpusOfQuantity } from "../quantities.ts";
import { HOST_KEY_KINDS, hostKeyOf, objectionToPrivateKey } from "./ssh-host-key.ts";
import { LOGIN_KINDS, type LoginKind } from "../postgres/login-kinds.ts";

/**
 * What a kind makes of a written value: the value, or what would have been allowed. `instead` stands in the message for
 * a value that may hold a secret.
 */
export type Parsed<T> = { value: T } | { allowed: string; instead?: string };

/** Whether a field must be written, may be left out, or has something that stands in for it. */
export type Presence = "optional" | "required" | "defaulted";

/** One field: how it is read, what it means, and what stands in for it. */
export interface Field<T = unknown, P extends Presence = "optional"> {
  parse: (written: unknown) => Parsed<T>;
  /** For the table in README.md: the kind of value, with its unit. */
  type: string;
  /** For the table in README.md, and for the message when it is missing. */
  description: string;
  presence: P;
  default?: T;
  /** Whether its value is a secret: no message repeats it. */
  secret?: boolean;
  /** Whether it is a text, whatever that looks like: `1234` is a name too. */
  isText?: boolean;
}

type About = { description: string };

function field<T>(type: string, parse: Field<T>["parse"], about: About): Field<T> {
  return { type, parse, presence: "optional", ...about };
}

/** A field whose value is kept secret from here on. */
function secretField(parse: Field<string>["parse"], about: About): Field<pulumi.Output<string>> {
  const parsed = (written: unknown): Parsed<pulumi.Output<string>> => {
    const read = parse(written);
    return "value" in read ? { value: pulumi.secret(read.value) } : read;
  };
  return { ...field("secret", parsed, about), secret: true };
}

/** The same field, which must be written. */
export function required<T>(optional: Field<T>): Field<T, "required"> {
  return { ...optional, presence: "required" };
}

/** The same field, with the value it has when nothing is written. */
export function defaulted<T>(value: T, optional: Field<T>): Field<T, "defaulted"> {
  return { ...optional, presence: "defaulted", default: value };
}

/**
 * What was written as a text. `pulumi config set --path` makes a number of 1234 and a word of true; both are the same
 * text again. 1.10 is not, nor is what has more digits than a number here keeps: they are no text any more.
 */
function asText(written: unknown): string | undefined {
  if (typeof written === "string") return written;
  return typeof written === "boolean" || Number.isSafeInteger(written) ? String(written) : undefined;
}

/** Text of a form, given as an expression and in words. */
export function text(form: RegExp, allowed: string, about: About): Field<string> {
  const parse = (written: unknown): Parsed<string> => {
    const value = asText(written);
    return value !== undefined && form.test(value) ? { value } : { allowed };
  };
  return { ...field("text", parse, about), isText: true };
}

/** A lower-case name as Kubernetes has them for objects and nodes (RFC 1123 subdomain). */
export function dnsName(about: About): Field<string> {
  return {
    ...text(
      /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
      "a name of lower-case letters, digits, '-' and '.', as `kubectl get nodes` prints it",
      about,
    ),
    type: "name",
  };
}

/** A host to connect to: a name or an address. */
export function host(about: About): Field<string> {
  const parse = (written: unknown): Parsed<string> => {
    const value = asText(written);
    return value !== undefined &&
      (isIP(value) !== 0 || /^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$/.test(value))
      ? { value }
      : {
          allowed:
            "a host name or an IP address alone, IPv6 without brackets; a user belongs in node.sshUser, a port in node.sshPort",
        };
  };
  return { ...field("host", parse, about), isText: true };
}

/** A host's public key. */
export function hostKey(about: About): Field<string> {
  const allowed =
    `one public key of a host, ${HOST_KEY_KINDS.join(", ")}, as \`ssh-keyscan -t ed25519 <host>\` prints it behind the ` +
    "host's name, and whole";
  return field(
    "text",
    (written) =>
      typeof written === "string" && hostKeyOf(written) !== undefined ? { value: written } : { allowed },
    about,
  );
}

/** A private key that nobody is asked a passphrase for. */
export function privateKey(about: About): Field<pulumi.Output<string>> {
  const parse = (written: unknown): Parsed<string> => {
    const text = typeof written === "string" ? written : "";
    const allowed = objectionToPrivateKey(text);
    return allowed === undefined ? { value: text } : { allowed };
  };
  return secretField(parse, about);
}

/** A name in the database. */
export function databaseName(kind: NameKind, about: About): Field<string> {
  const form = "lower-case letters, digits and '_', not beginning with a digit or 'pg_', 63 at most";
  return field(
    "name",
    (written) => {
      if (typeof written === "string" && DATABASE_NAME.test(written)) return { value: written };
      // Text alone: of a number, a date or a map nobody knows how it was written.
      const near = typeof written === "string" ? `, such as ${nearestName(written, kind)}` : "";
      return { allowed: `${form}${near}` };
    },
    about,
  );
}

/** An absolute path on the node, without `..` and without what a shell or a mount table would need quoted. */
export function absolutePath(about: About): Field<string> {
  return {
    ...text(
      /^(?!.*\/\.\.?(?:\/|$))(?:\/[A-Za-z0-9._@%+-]+)+$/,
      "an absolute path of letters, digits and . _ @ % + -, without '..' and without a '/' at its end",
      about,
    ),
    type: "path",
  };
}

/** Path of one kubeconfig on the machine that deploys. Whatever else is written there is not repeated: it may hold a token. */
export function kubeconfigPath(about: About): Field<string> {
  const allowed = "the path of one kubeconfig, as in ~/.kube/config";
  const parse = (written: unknown): Parsed<string> => {
    if (typeof written !== "string") return { allowed, instead: "not text (it is not shown here)" };
    if (isKubeconfigText(written)) {
      const instead =
        "a kubeconfig itself, not the path of one (it is not shown here, and is better taken out of this file)";
      return { allowed: `${allowed}. Write it to a file that only you can read`, instead };
    }
    if (written.split(delimiter).length > 1) {
      return { allowed: `${allowed}; a list of them belongs in the variable KUBECONFIG` };
    }
    return /^\S(?:.*\S)?$/.test(written) ? { value: written } : { allowed };
  };
  return field("path", parse, about);
}

/** An image with a tag other than latest, and perhaps a digest. */
export function image(about: About): Field<string> {
  return {
    ...text(
      /^[a-z0-9][a-z0-9._/:-]*:(?!latest(?:@|$))[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[a-f0-9]{64})?$/,
      "an image with a tag that is not 'latest', with a digest behind it where wanted",
      about,
    ),
    type: "image",
  };
}

/** A size with a Kubernetes unit. */
export function size(about: About): Field<string> {
  return field(
    "size",
    (written) =>
      typeof written === "string" && (bytesOfQuantity(written) ?? 0) > 0
        ? { value: written }
        : { allowed: "a size above zero with its unit, as in 512Mi, 40Gi or 2Ti" },
    about,
  );
}

/** A number of CPUs. */
export function cpu(about: About): Field<string> {
  return field(
    "CPUs",
    (written) => {
      const quantity = typeof written === "number" ? String(written) : written;
      return typeof quantity === "string" && (cpusOfQuantity(quantity) ?? 0) > 0
        ? { value: quantity }
        : { allowed: 'CPUs above zero, as in "4", "0.5" or 500m' };
    },
    about,
  );
}

/** A whole number in a range, both ends included. */
export function integer(from: number, to: number, unit: string, about: About): Field<number> {
  return field(
    unit,
    (written) => {
      const number = typeof written === "string" && /^\d+$/.test(written) ? Number(written) : written;
      return typeof number === "number" && Number.isInteger(number) && number >= from && number <= to
        ? { value: number }
        : { allowed: `a whole number from ${from} to ${to}` };
    },
    about,
  );
}

/** Yes or no. */
export function flag(about: About): Field<boolean> {
  return field(
    "true or false",
    (written) =>
      written === true || written === "true"
        ? { value: true }
        : written === false || written === "false"
          ? { value: false }
          : { allowed: "true or false" },
    about,
  );
}

/** One of a few words. */
export function oneOf<const T extends string>(words: readonly T[], about: About): Field<T> {
  return field(
    words.join(" | "),
    (written) => {
      const word = words.find((candidate) => candidate === written);
      return word === undefined ? { allowed: `one of ${words.join(", ")}` } : { value: word };
    },
    about,
  );
}

/** Certificates in PEM: as in a CA's file. */
export function certificates(about: About): Field<string> {
  return {
    ...text(
      /^\s*(-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)+$/,
      "certificates in PEM, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----",
      about,
    ),
    type: "PEM",
  };
}

/** A password that survives every place a password passes through: a URL, a file of one line, psql's prompt. */
export function password(about: About): Field<pulumi.Output<string>> {
  const { parse } = text(
    /^[\x21-\x7e]{16,128}$/,
    "16 to 128 printable ASCII characters without spaces",
    about,
  );
  return { ...secretField(parse, about), isText: true };
}

/** A key of an object store, or its identifier. */
export function storeKey(about: About): Field<pulumi.Output<string>> {
  const { parse } = text(/^[\x21-\x7e]{3,256}$/, "3 to 256 printable ASCII characters without spaces", about);
  return { ...secretField(parse, about), isText: true };
}

/** A toleration of the database's pod. */
export interface Toleration {
  key?: string;
  operator?: "Exists" | "Equal";
  value?: string;
  effect?: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
  /** Seconds that a pod stays after a taint of NoExecute has come. */
  tolerationSeconds?: number;
}

const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"] as const;
const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** A label's key: a name of 63 characters at most, behind the name of a domain where wanted. */
function isLabelKey(key: string): boolean {
  const slash = key.indexOf("/");
  const name = key.slice(slash + 1);
  const prefix = slash < 0 ? "domain" : key.slice(0, slash);
  return NAME.test(name) && name.length <= 63 && PREFIX.test(prefix) && prefix.length <= 253;
}

/**
 * A toleration as Kubernetes' API server takes it (pkg/apis/core/validation, ValidateTolerations), or what is wrong
 * with it.
 */
function tolerationOf(entry: unknown): Toleration | string {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return "is not a map";
  const { key, operator, value, effect, tolerationSeconds, ...others } = entry as Record<string, unknown>;
  const [other] = Object.keys(others);
  if (other !== undefined) return `has ${other}, which no toleration has`;
  const [keyText, valueText] = [key ?? "", value ?? ""].map(asText);
  if (keyText === undefined || (keyText !== "" && !isLabelKey(keyText))) return "has a key that no label has";
  if (
    operator !== undefined &&
    operator !== null &&
    operator !== "" &&
    operator !== "Exists" &&
    operator !== "Equal"
  )
    return "has another operator than Exists or Equal";
  if (keyText === "" && operator !== "Exists") return "has no key: that takes operator Exists";
  if (valueText === undefined) return "has a value that is not a text: put it in quotes";
  if (operator === "Exists" && valueText !== "") return "has a value: with operator Exists there is none";
  if (valueText !== "" && (!NAME.test(valueText) || valueText.length > 63))
    return "has a value that no label has: 63 letters, digits and . _ - at most";
  const word = EFFECTS.find((known) => known === effect);
  if (word === undefined && effect !== undefined && effect !== null && effect !== "")
    return `has another effect than ${EFFECTS.join(", ")}`;
  const seconds =
    typeof tolerationSeconds === "string" && /^-?\d+$/.test(tolerationSeconds)
      ? Number(tolerationSeconds)
      : tolerationSeconds;
  if (seconds !== undefined && seconds !== null) {
    if (!Number.isSafeInteger(seconds)) return "has tolerationSeconds that are not a whole number";
    if (word !== "NoExecute") return "has tolerationSeconds: they take effect NoExecute";
  }
  return {
    ...(keyText !== "" && { key: keyText }),
    ...((operator === "Exists" || operator === "Equal") && { operator }),
    ...(valueText !== "" && { value: valueText }),
    ...(word !== undefined && { effect: word }),
    ...(typeof seconds === "number" && { tolerationSeconds: seconds }),
  };
}

/** Tolerations as in a pod's spec. */
export function tolerations(about: About): Field<Toleration[]> {
  const allowed =
    "a list of {key, operator: Exists or Equal, value, effect: NoSchedule, PreferNoSchedule or NoExecute, " +
    "tolerationSeconds}, as in a pod's spec";
  return field(
    "list",
    (written) => {
      if (!Array.isArray(written)) return { allowed };
      const value: Toleration[] = [];
      for (const [index, entry] of written.entries()) {
        const toleration = tolerationOf(entry);
        if (typeof toleration === "string") return { allowed: `${allowed}; [${index}] ${toleration}` };
        value.push(toleration);
      }
      return { value };
    },
    about,
  );
}

/** A map's entries, with those of maps in it under both names: `pulumi config set --path` takes a dot for a map. */
function* flattened(map: object, prefix = ""): Generator<[name: string, value: unknown]> {
  for (const [name, value] of Object.entries(map)) {
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      yield* flattened(value as object, `${prefix}${name}.`);
    else yield [`${prefix}${name}`, value];
  }
}

/** PostgreSQL settings: a map from names to plain values. Names are checked in ./checks.ts. */
export function settings(about: About): Field<Record<string, string>> {
  return field(
    "map",
    (written) => {
      const allowed = "a map of PostgreSQL settings to text, numbers or booleans";
      if (typeof written !== "object" || written === null || Array.isArray(written)) return { allowed };
      const value: Record<string, string> = {};
      for (const [name, setting] of flattened(written)) {
        if (Object.hasOwn(value, name)) return { allowed: `${allowed}; ${name} is there twice` };
        if (typeof setting === "boolean") value[name] = setting ? "on" : "off";
        else if (typeof setting === "string" || typeof setting === "number") value[name] = String(setting);
        else return { allowed: `${allowed}; ${name} is none of these` };
      }
      return { value };
    },
    about,
  );
}

/** Logins of the database: a map from their names to what each may do. Names are checked in ./checks.ts. */
export function logins(about: About): Field<Record<string, LoginKind>> {
  const isKind = (written: unknown): written is LoginKind =>
    LOGIN_KINDS.some((candidate) => candidate === written);
  return field(
    "map",
    (written) => {
      const allowed = `a map of login names to ${LOGIN_KINDS.slice(0, -1).join(", ")} or ${LOGIN_KINDS.at(-1)}`;
      if (typeof written !== "object" || written === null || Array.isArray(written)) return { allowed };
      const value: Record<string, LoginKind> = {};
      for (const [name, kind] of Object.entries(written)) {
        if (!isKind(kind)) return { allowed: `${allowed}; ${name} is none of these` };
        value[name] = kind;
      }
      return { value };
    },
    about,
  );
}
