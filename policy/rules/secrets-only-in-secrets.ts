import { objectsOf, type Resource } from "../resources.ts";
import { type Finding, resourceRule } from "../rule.ts";
import { field, isMap, textsIn } from "../values.ts";

/** Names whose values are secrets, unless they say where one is kept. */
const SECRET_NAME =
  /((^|[-_])pass|passw(or)?d|passphrase|secret|token|(api|access|private|secret|encryption)[-_]?key|credential)s?$/i;
const NOT_A_VALUE = /(file|path|name|ref|mount|dir)s?$|automount|token(expiration)?seconds/i;

/** Texts that are secrets whatever they are called. */
const SECRET_TEXTS: readonly { pattern: RegExp; what: string }[] = [
  { pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----/, what: "a private key" },
  { pattern: /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@'"$]+:[^\s/@'"${%]+@/i, what: "a URL with a password" },
  {
    pattern: /\b(PGPASSWORD|[A-Z_]*PASSWORD|[A-Z_]*_TOKEN|[A-Z_]*SECRET_KEY)=(?!["']?\$)["']?[^\s"'$]{4,}/,
    what: "an assignment of a secret",
  },
  {
    pattern:
      /\bpassword\s*=\s*'?[^\s'$"\\:)]{4,}'?\s+(host|user|dbname|port)\s*=|\b(host|user|dbname|port)\s*=\S+\s+(.*\s)?password\s*=\s*'?[^\s'$"\\]{4,}/i,
    what: "a connection string with a password",
  },
  {
    pattern:
      /^\s*repo\d*-(cipher-pass|s3-key(-secret)?|s3-token|azure-key|gcs-key|sftp-private-key-passphrase)\s*=\s*\S{4,}/m,
    what: "a passphrase or a key of pgBackRest",
  },
  { pattern: /\bPASSWORD\s+'[^'$:]{4,}'/i, what: "a password in SQL" },
  {
    pattern: /\b(ghp_[A-Za-z0-9]{30,}|pul-[0-9a-f]{40}|AKIA[0-9A-Z]{16}|eyJhbGciOi[\w-]+\.[\w-]+\.[\w-]+)\b/,
    what: "a token",
  },
];

const REMEDY = "a Secret, read through secretKeyRef or a mounted volume";

/** Environment variables with literal values, wherever in an object. */
function* literalVariables(
  value: unknown,
  path = "",
): Generator<{ path: string; name: string; text: string }> {
  if (Array.isArray(value)) {
    for (const [index, entry] of value.entries()) yield* literalVariables(entry, `${path}[${index}]`);
    return;
  }
  if (!isMap(value)) return;
  if (typeof value.name === "string" && typeof value.value === "string") {
    yield { path, name: value.name, text: value.value };
  }
  for (const [key, entry] of Object.entries(value))
    yield* literalVariables(entry, path === "" ? key : `${path}.${key}`);
}

/** An option named like a secret, with its value in the same word or the next. */
function* literalOptions(value: unknown, path = ""): Generator<{ path: string; name: string }> {
  if (!isMap(value) && !Array.isArray(value)) return;
  for (const [key, entry] of Object.entries(value)) {
    const here = Array.isArray(value) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;
    yield* literalOptions(entry, here);
    if (!/^(command|args)$/.test(key) || !Array.isArray(entry)) continue;
    for (const [index, word] of entry.entries()) {
      const [, name = "", inWord] = /^(--?[A-Za-z][\w-]*)(?:=(.+))?$/.exec(String(word)) ?? [];
      const given: unknown = inWord ?? entry[index + 1];
      // `$(NAME)` is a variable, `-x` the next option.
      if (secretName(name) && typeof given === "string" && !/^(\$|-)/.test(given)) yield { path: here, name };
    }
  }
}

function secretName(name: string): boolean {
  return SECRET_NAME.test(name) && !NOT_A_VALUE.test(name);
}

function findingsIn(
  resource: Resource,
  subject: string,
  kind: string,
  body: Record<string, unknown>,
): Finding[] {
  const finding = (why: string): Finding => ({ subject, why, remedy: REMEDY, urn: resource.urn });
  const findings: Finding[] = [];
  for (const { path, name, text } of literalVariables(body.spec ?? body.template)) {
    if (text !== "" && secretName(name))
      findings.push(finding(`${path} gives ${name} its value in plain text`));
  }
  for (const { path, name } of literalOptions(body.spec ?? body.template, "spec")) {
    findings.push(finding(`${path} gives ${name} its value in plain text`));
  }
  if (kind === "ConfigMap") {
    for (const name of [
      ...Object.keys(field(body, "data") ?? {}),
      ...Object.keys(field(body, "binaryData") ?? {}),
    ]) {
      if (secretName(name)) findings.push(finding(`data["${name}"] is named like a secret`));
    }
  }
  for (const part of ["metadata", "spec", "data", "template"]) {
    for (const { path, text } of textsIn(body[part], part)) {
      for (const { pattern, what } of SECRET_TEXTS) {
        if (pattern.test(text)) findings.push(finding(`${path} holds ${what}`));
      }
    }
  }
  return findings;
}

export const secretsOnlyInSecrets = resourceRule({
  name: "secrets-only-in-secrets",
  asks: "no value that looks secret outside of Secrets",
  description:
    "Writing a secret anywhere but in a Secret shows it to everybody who may look at pods or read the state",
  level: "mandatory",
  check: (resource) => {
    const objects = objectsOf(resource);
    return objects
      .filter(({ kind }) => kind !== "Secret")
      .flatMap(({ subject, kind, body }) => findingsIn(resource, subject, kind, body));
  },
});
