/**
 * The kinds of field a configuration can have. A kind turns what was written into a typed value or says, in
 * words, what is allowed. Which fields there are stands in ../config.ts.
 */
import { isIP } from "node:net";
import { LOGIN_KINDS, type LoginKind } from "../components/logins.ts";
import { bytesOfQuantity, cpusOfQuantity } from "../components/quantities.ts";

/** What a kind makes of a written value: the value, or what would have been allowed. */
export type Parsed<T> = { value: T } | { allowed: string };

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
}

type About = { description: string };

function field<T>(type: string, parse: Field<T>["parse"], about: About): Field<T> {
  return { type, parse, presence: "optional", ...about };
}

/** The same field, which must be written. */
export function required<T>(optional: Field<T>): Field<T, "required"> {
  return { ...optional, presence: "required" };
}

/** The same field, with the value it has when nothing is written. */
export function defaulted<T>(value: T, optional: Field<T>): Field<T, "defaulted"> {
  return { ...optional, presence: "defaulted", default: value };
}

/** Text of a form, given as an expression and in words. */
export function text(form: RegExp, allowed: string, about: About): Field<string> {
  return field(
    "text",
    (written) => (typeof written === "string" && form.test(written) ? { value: written } : { allowed }),
    about,
  );
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
  return field(
    "host",
    (written) =>
      typeof written === "string" &&
      (isIP(written) !== 0 || /^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$/.test(written))
        ? { value: written }
        : { allowed: "a host name or an IP address" },
    about,
  );
}

/** Names in the database, kept to what needs no quoting anywhere. */
export const DATABASE_NAME = /^(?!pg_)[a-z_][a-z0-9_]{0,62}$/;

/** A name in the database. */
export function databaseName(about: About): Field<string> {
  return {
    ...text(
      DATABASE_NAME,
      "lower-case letters, digits and '_', not beginning with a digit or 'pg_', 63 at most",
      about,
    ),
    type: "name",
  };
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

/** A password that survives every place a password passes through: a URL, a file of one line, psql's prompt. */
export function password(about: About): Field<string> {
  return {
    ...text(/^[\x21-\x7e]{16,128}$/, "16 to 128 printable ASCII characters without spaces", about),
    type: "secret",
  };
}

/** Any text, kept secret; its form is whatever its reader takes. */
export function secretText(about: About): Field<string> {
  return { ...text(/\S/, "text", about), type: "secret" };
}

/** A toleration of the database's pod. */
export interface Toleration {
  key?: string;
  operator?: "Exists" | "Equal";
  value?: string;
  effect?: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
}

/** Tolerations as in a pod's spec. */
export function tolerations(about: About): Field<Toleration[]> {
  const allowed =
    "a list of {key, operator: Exists or Equal, value, effect: NoSchedule, PreferNoSchedule or NoExecute}";
  const parts: Record<string, (value: unknown) => boolean> = {
    key: (value) => typeof value === "string",
    operator: (value) => value === "Exists" || value === "Equal",
    value: (value) => typeof value === "string",
    effect: (value) => ["NoSchedule", "PreferNoSchedule", "NoExecute"].includes(value as string),
  };
  const isToleration = (entry: unknown): entry is Toleration =>
    typeof entry === "object" &&
    entry !== null &&
    Object.entries(entry).every(([name, value]) => parts[name]?.(value) ?? false);
  return field(
    "list",
    (written) => (Array.isArray(written) && written.every(isToleration) ? { value: written } : { allowed }),
    about,
  );
}

/** PostgreSQL settings: a map from names to plain values. Names are checked in ./checks.ts. */
export function settings(about: About): Field<Record<string, string>> {
  return field(
    "map",
    (written) => {
      const allowed = "a map of PostgreSQL settings to text, numbers or booleans";
      if (typeof written !== "object" || written === null || Array.isArray(written)) return { allowed };
      const value: Record<string, string> = {};
      for (const [name, setting] of Object.entries(written)) {
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
