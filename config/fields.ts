/**
 * The kinds of configuration field. A kind turns the written value into a typed one, or describes what is allowed.
 * ./table.ts lists the fields.
 */
import { delimiter } from "node:path";
import { isIP } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import { isKubeconfigText } from "../cluster/kubeconfig.ts";
import { DATABASE_NAME, type NameKind, nearestName } from "./names.ts";
import { bytesOfQuantity, cpusOfQuantity } from "../quantities.ts";
import { HOST_KEY_KINDS, hostKeyOf, hostKeysOf, objectionToPrivateKey } from "./ssh-host-key.ts";
import { LOGIN_KINDS, type LoginKind } from "../postgres/login-kinds.ts";

/**
 * The value, or what is allowed. In the message, `instead` replaces a value that may hold a secret.
 */
export type Parsed<T> = { value: T } | { allowed: string; instead?: string };

/** Whether a field is optional, required, or has a default. */
export type Presence = "optional" | "required" | "defaulted";

/** One field: its parser, its meaning, and its default. */
export interface Field<T = unknown, P extends Presence = "optional"> {
  parse: (written: unknown) => Parsed<T>;
  /** For the table in README.md: the kind of value, with its unit. */
  type: string;
  /** For the table in README.md, and for the message if it is missing. */
  description: string;
  presence: P;
  default?: T;
  /** Whether its value is a secret, which no message repeats. */
  secret?: boolean;
  /** Whether it is text, even if it looks like a number: `1234` is a name too. */
  isText?: boolean;
}

type About = { description: string };

function field<T>(type: string, parse: Field<T>["parse"], about: About): Field<T> {
  return { type, parse, presence: "optional", ...about };
}

/** A field whose value becomes a secret output. */
function secretField(parse: Field<string>["parse"], about: About): Field<pulumi.Output<string>> {
  const parsed = (written: unknown): Parsed<pulumi.Output<string>> => {
    const read = parse(written);
    return "value" in read ? { value: pulumi.secret(read.value) } : read;
  };
  return { ...field("secret", parsed, about), secret: true };
}

/** The same field, required. */
export function required<T>(optional: Field<T>): Field<T, "required"> {
  return { ...optional, presence: "required" };
}

/** The same field with a default. */
export function defaulted<T>(value: T, optional: Field<T>): Field<T, "defaulted"> {
  return { ...optional, presence: "defaulted", default: value };
}

/**
 * The written value as text. `pulumi config set --path` turns 1234 into a number and true into a boolean; both convert
 * back. 1.10 and numbers with too many digits do not.
 */
function asText(written: unknown): string | undefined {
  if (typeof written === "string") return written;
  return typeof written === "boolean" || Number.isSafeInteger(written) ? String(written) : undefined;
}

/** Text that matches an expression; `allowed` describes it. */
export function text(form: RegExp, allowed: string, about: About): Field<string> {
  const parse = (written: unknown): Parsed<string> => {
    const value = asText(written);
    return value !== undefined && form.test(value) ? { value } : { allowed };
  };
  return { ...field("text", parse, about), isText: true };
}

/** A lower-case name of a Kubernetes object or node (RFC 1123 subdomain). */
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
export function host(
  about: About,
  // A zone, as in fe80::1%eth0, is one of whoever connects: of this machine.
  { elsewhere = "set a user in node.sshUser, a port in node.sshPort", zones = true } = {},
): Field<string> {
  const parse = (written: unknown): Parsed<string> => {
    const value = asText(written);
    return value !== undefined &&
      ((isIP(value) !== 0 && (zones || !value.includes("%"))) ||
        /^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$/.test(value))
      ? { value }
      : {
          allowed: `only a host name or an IP address, IPv6 without brackets; ${elsewhere}`,
        };
  };
  return { ...field("host", parse, about), isText: true };
}

/** A host's public SSH key. */
export function hostKey(about: About): Field<string> {
  const allowed =
    `one complete public host key, ${HOST_KEY_KINDS.join(", ")}, as \`ssh-keyscan -t ed25519 <host>\` prints it after ` +
    "the host's name";
  return field(
    "text",
    (written) =>
      typeof written === "string" && hostKeyOf(written) !== undefined ? { value: written } : { allowed },
    about,
  );
}

/** All public SSH keys of a host, for a client that does not let one kind be chosen. Its value: one `<kind> <base64>` a line. */
export function hostKeys(about: About): Field<string> {
  const allowed = `complete public host keys, ${HOST_KEY_KINDS.join(", ")}, one a line, as \`ssh-keyscan <host>\` prints them`;
  return field(
    "text",
    (written) => {
      const keys = typeof written === "string" ? hostKeysOf(written) : undefined;
      return keys ? { value: keys.map(({ kind, body }) => `${kind} ${body}`).join("\n") } : { allowed };
    },
    about,
  );
}

/**
 * A private key without a passphrase.
 *
 * @param use where it is set, and what to do instead of one with a passphrase. @default that of `node.sshUser`
 */
export function privateKey(
  about: About,
  use?: { path: string; instead: string },
): Field<pulumi.Output<string>> {
  const parse = (written: unknown): Parsed<string> => {
    const text = typeof written === "string" ? written : "";
    const allowed = objectionToPrivateKey(text, use?.path, use?.instead);
    return allowed === undefined ? { value: text } : { allowed };
  };
  return secretField(parse, about);
}

/** A name in the database. */
export function databaseName(kind: NameKind, about: About): Field<string> {
  const form = "at most 63 lower-case letters, digits and '_', not beginning with a digit or 'pg_'";
  return field(
    "name",
    (written) => {
      if (typeof written === "string" && DATABASE_NAME.test(written)) return { value: written };
      // Only for text: how a number, a date or a map was written is unknown.
      const near = typeof written === "string" ? `, such as ${nearestName(written, kind)}` : "";
      return { allowed: `${form}${near}` };
    },
    about,
  );
}

/** An absolute path on the node, without `..` or characters that a shell or a mount table needs quoted. */
export function absolutePath(about: About): Field<string> {
  return {
    ...text(
      /^(?!.*\/\.\.?(?:\/|$))(?:\/[A-Za-z0-9._@%+-]+)+$/,
      "an absolute path of letters, digits and . _ @ % + -, without '..' and without a trailing '/'",
      about,
    ),
    type: "path",
  };
}

/** Path of one kubeconfig on the machine that deploys. Other values are not repeated: they may hold a token. */
export function kubeconfigPath(about: About): Field<string> {
  const allowed = "the path of one kubeconfig, such as ~/.kube/config";
  const parse = (written: unknown): Parsed<string> => {
    if (typeof written !== "string") return { allowed, instead: "not text (it is not shown here)" };
    if (isKubeconfigText(written)) {
      const instead =
        "a kubeconfig itself, not the path of one (it is not shown here; remove it from this file)";
      return { allowed: `${allowed}. Write it to a file that only you can read`, instead };
    }
    if (written.split(delimiter).length > 1) {
      return { allowed: `${allowed}; put a list of them in the variable KUBECONFIG` };
    }
    return /^\S(?:.*\S)?$/.test(written) ? { value: written } : { allowed };
  };
  return field("path", parse, about);
}

/** An image with a tag other than latest, and optionally a digest. */
export function image(about: About): Field<string> {
  return {
    ...text(
      /^[a-z0-9][a-z0-9._/:-]*:(?!latest(?:@|$))[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[a-f0-9]{64})?$/,
      "an image with a tag other than 'latest', optionally followed by a digest",
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
        : { allowed: "a size above zero with its unit, such as 512Mi, 40Gi or 2Ti" },
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
        : { allowed: 'CPUs above zero, such as "4", "0.5" or 500m' };
    },
    about,
  );
}

/** A whole number in an inclusive range. */
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

/**
 * A moment with its zone. Its value has the form that pgBackRest and PostgreSQL take: a space instead of the `T` of ISO
 * 8601, and `+00` instead of `Z`.
 */
export function moment(about: About): Field<string> {
  const { parse, ...field } = text(
    /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d(:?\d\d)?)$/,
    "a time with its zone, as in 2026-11-28 14:30:00+01",
    about,
  );
  return {
    ...field,
    parse: (written) => {
      const read = parse(written);
      return "value" in read ? { value: read.value.replace("T", " ").replace("Z", "+00") } : read;
    },
  };
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

/** A list of text, each entry once, from one to `most`. */
export function namesOnce(form: RegExp, allowed: string, most: number, about: About): Field<string[]> {
  return field(
    "list",
    (written) => {
      const entries = Array.isArray(written) ? written.map(asText) : [];
      const value = entries.flatMap((entry) => (entry !== undefined && form.test(entry) ? [entry] : []));
      const isValid = value.length === entries.length && new Set(value).size === value.length;
      return isValid && value.length > 0 && value.length <= most
        ? { value }
        : { allowed: `a list of ${allowed}` };
    },
    about,
  );
}

/** Host names and addresses. A name may begin with `*.`, for every name below it. */
export function hostNames(about: About): Field<string[]> {
  const allowed = "a list of DNS names and IP addresses, IPv6 without brackets";
  return field(
    "list",
    (written) => {
      const entries = Array.isArray(written) ? written.map(asText) : [undefined];
      const value = entries.flatMap((entry) =>
        entry !== undefined && (isIP(entry) !== 0 || HOST_NAME.test(entry)) ? [entry] : [],
      );
      return value.length === entries.length ? { value } : { allowed };
    },
    about,
  );
}

/** A name of at most 253 characters, in lower case, whose labels have 63 at most (RFC 1123); a wildcard replaces the first. */
const HOST_NAME =
  /^(?=.{1,253}$)(\*\.)?([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;

/** A password that works everywhere one is used: in a URL, a file of one line, psql's prompt. */
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

/** What ends or changes a quoted text in curl's configuration is left out of these (https://curl.se/docs/manpage.html#-K). */
const QUOTABLE = String.raw`[\x21\x23-\x5b\x5d-\x7e]`;

/** An address that is requested: over HTTPS, or over HTTP from a Service in the cluster. */
export function secretUrl(about: About): Field<pulumi.Output<string>> {
  const { parse } = text(
    new RegExp(
      `^(?=${QUOTABLE}{8,2000}$)(https://[^/:@]+|http://[a-z0-9-]+(\\.[a-z0-9-]+)*\\.svc(\\.cluster\\.local)?)(:\\d{1,5})?([/?].*)?$`,
    ),
    "an address that begins with https://, without a user, spaces, quotes and backslashes; http:// for a Service, as in http://ntfy.monitoring.svc/topic",
    about,
  );
  return { ...secretField(parse, about), isText: true };
}

/** What somebody else has given as a password or token. */
export function token(about: About): Field<pulumi.Output<string>> {
  const { parse } = text(
    new RegExp(`^${QUOTABLE}{3,512}$`),
    "3 to 512 printable ASCII characters without spaces, quotes and backslashes",
    about,
  );
  return { ...secretField(parse, about), isText: true };
}

const MAIL_ADDRESS = /^[A-Za-z0-9._%+=-]{1,64}@[A-Za-z0-9]([-A-Za-z0-9.]{0,250}[A-Za-z0-9])?$/;

/** A mail address. */
export function mailAddress(about: About): Field<string> {
  return text(MAIL_ADDRESS, "a mail address, as in postgres@example.com", about);
}

/** Up to ten mail addresses. */
export function mailAddresses(about: About): Field<string[]> {
  return { ...namesOnce(MAIL_ADDRESS, "up to 10 mail addresses, each once", 10, about), type: "addresses" };
}

/** A toleration of the database's pod. */
export interface Toleration {
  key?: string;
  operator?: "Exists" | "Equal";
  value?: string;
  effect?: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
  /** Seconds that a pod stays after a NoExecute taint appears. */
  tolerationSeconds?: number;
}

const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"] as const;
const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** A label's key: a name of at most 63 characters, optionally with a domain as its prefix. */
function isLabelKey(key: string): boolean {
  const slash = key.indexOf("/");
  const name = key.slice(slash + 1);
  const prefix = slash < 0 ? "domain" : key.slice(0, slash);
  return NAME.test(name) && name.length <= 63 && PREFIX.test(prefix) && prefix.length <= 253;
}

/**
 * A toleration as the API server accepts it (pkg/apis/core/validation, ValidateTolerations), or what is wrong with it.
 */
function tolerationOf(entry: unknown): Toleration | string {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return "is not a map";
  const { key, operator, value, effect, tolerationSeconds, ...others } = entry as Record<string, unknown>;
  const [other] = Object.keys(others);
  if (other !== undefined) return `has ${other}, which is not a field of a toleration`;
  const [keyText, valueText] = [key ?? "", value ?? ""].map(asText);
  if (keyText === undefined || (keyText !== "" && !isLabelKey(keyText))) return "has an invalid key";
  if (
    operator !== undefined &&
    operator !== null &&
    operator !== "" &&
    operator !== "Exists" &&
    operator !== "Equal"
  )
    return "has an operator other than Exists or Equal";
  if (keyText === "" && operator !== "Exists") return "has no key, which requires operator Exists";
  if (valueText === undefined) return "has a value that is not text: put it in quotes";
  if (operator === "Exists" && valueText !== "") return "has a value, which operator Exists does not allow";
  if (valueText !== "" && (!NAME.test(valueText) || valueText.length > 63))
    return "has an invalid value: at most 63 letters, digits and . _ -";
  const word = EFFECTS.find((known) => known === effect);
  if (word === undefined && effect !== undefined && effect !== null && effect !== "")
    return `has an effect other than ${EFFECTS.join(", ")}`;
  const seconds =
    typeof tolerationSeconds === "string" && /^-?\d+$/.test(tolerationSeconds)
      ? Number(tolerationSeconds)
      : tolerationSeconds;
  if (seconds !== undefined && seconds !== null) {
    if (!Number.isSafeInteger(seconds)) return "has tolerationSeconds that is not a whole number";
    if (word !== "NoExecute") return "has tolerationSeconds, which requires effect NoExecute";
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

/** A map's entries; nested maps are joined by dots, because `pulumi config set --path` makes a map of a dot. */
function* flattened(map: object, prefix = ""): Generator<[name: string, value: unknown]> {
  for (const [name, value] of Object.entries(map)) {
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      yield* flattened(value as object, `${prefix}${name}.`);
    else yield [`${prefix}${name}`, value];
  }
}

/** Shortest prefixes of a range that is not next to everything: a larger one is hardly meant. */
const SHORTEST_PREFIX = { 4: 8, 6: 16 } as const;

/** A range as the API server accepts it; a single address becomes a range of one. */
function rangeOf(written: unknown): string | undefined {
  if (typeof written !== "string") return undefined;
  const [address = "", prefix, ...more] = written.split("/");
  const family = isIP(address);
  if ((family !== 4 && family !== 6) || address.includes("%") || more.length > 0) return undefined;
  const longest = family === 4 ? 32 : 128;
  if (prefix === undefined) return `${address}/${longest}`;
  const length = /^(0|[1-9]\d{0,2})$/.test(prefix) ? Number(prefix) : NaN;
  return length >= SHORTEST_PREFIX[family] && length <= longest ? `${address}/${length}` : undefined;
}

/** Ranges of addresses. */
export function ranges(about: About): Field<string[]> {
  const allowed =
    `a list of addresses and ranges, as in 192.168.1.20 or 192.168.1.0/24, no larger than ` +
    `/${SHORTEST_PREFIX[4]}, IPv6 /${SHORTEST_PREFIX[6]}`;
  return field("ranges", listOf(rangeOf, allowed), about);
}

/** TCP ports. */
export function ports(about: About): Field<number[]> {
  const portOf = (written: unknown) => {
    const port = typeof written === "string" && /^\d+$/.test(written) ? Number(written) : written;
    return typeof port === "number" && Number.isInteger(port) && port >= 1 && port <= 65535
      ? port
      : undefined;
  };
  return field("ports", listOf(portOf, "a list of ports from 1 to 65535"), about);
}

/** Reads a list whose entries are all of one form, without repetitions. */
function listOf<T>(entryOf: (written: unknown) => T | undefined, allowed: string): Field<T[]>["parse"] {
  return (written) => {
    if (!Array.isArray(written) || written.length === 0) return { allowed };
    const value = new Set<T>();
    for (const [index, entry] of written.entries()) {
      const read = entryOf(entry);
      if (read === undefined) return { allowed: `${allowed}; [${index}] is none of these` };
      value.add(read);
    }
    return { value: [...value] };
  };
}

/** Labels that pods must have, all of them. */
export function labels(about: About): Field<Record<string, string>> {
  const allowed =
    "a map of labels to values, as `kubectl get pods --show-labels` prints them: at most 63 letters, digits and . _ - each";
  return field(
    "labels",
    (written) => {
      if (typeof written !== "object" || written === null || Array.isArray(written)) return { allowed };
      const value: Record<string, string> = {};
      for (const [key, entry] of flattened(written)) {
        const label = asText(entry);
        const fits = label !== undefined && (label === "" || (NAME.test(label) && label.length <= 63));
        if (!isLabelKey(key) || !fits) return { allowed: `${allowed}; ${key} is none of these` };
        value[key] = label;
      }
      return Object.keys(value).length === 0 ? { allowed } : { value };
    },
    about,
  );
}

/** PostgreSQL settings: a map from names to plain values. ./server-settings.ts checks the names. */
export function settings(about: About): Field<Record<string, string>> {
  return field(
    "map",
    (written) => {
      const allowed = "a map of PostgreSQL settings to text, numbers or booleans";
      if (typeof written !== "object" || written === null || Array.isArray(written)) return { allowed };
      const value: Record<string, string> = {};
      for (const [name, setting] of flattened(written)) {
        if (Object.hasOwn(value, name)) return { allowed: `${allowed}; ${name} is set twice` };
        if (typeof setting === "boolean") value[name] = setting ? "on" : "off";
        else if (typeof setting === "string" || typeof setting === "number") value[name] = String(setting);
        else return { allowed: `${allowed}; ${name} is none of these` };
      }
      return { value };
    },
    about,
  );
}

/** Logins: a map from names to what each may do. ./database.ts checks the names. */
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
