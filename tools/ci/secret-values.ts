/** Which values of an environment are secrets. */
import { isUtf8 } from "node:buffer";
import { readFileSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { parseAllDocuments } from "yaml";

/** Variables whose value is a secret as a whole, by name or by the end of their name. */
const SECRET_NAME =
  /^AWS_ACCESS_KEY_ID$|(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSPHRASE|CREDENTIALS|(?:ACCESS|SECRET|PRIVATE|API|STORAGE|ACCOUNT|SSH|SAS)_KEY|CONNECTION_STRING|SAS)$/i;

/** Keys of a kubeconfig, a URL or a command line whose value is a secret. A path is not. */
const SECRET_KEY =
  /(?:token|password|passwd|passphrase|secret|credentials?|(?:access|secret|private|api|account|storage|shared)[-_]?key(?:[-_]?id)?|key-data|certificate-data|certificate-authority-data|^sig$|^sas$|^auth$)$/i;
const NO_SECRET_KEY = /(?:file|path|url|name|-id)$/i;

const isSecretKey = (key: string) => SECRET_KEY.test(key) && !NO_SECRET_KEY.test(key);

/** Settings that login plugins take in addition to their secrets: masking them would blank a region or a profile. */
const HARMLESS_OF_PLUGINS =
  /^(?:AWS_(?:PROFILE|REGION|DEFAULT_REGION|STS_REGIONAL_ENDPOINTS)|USE_GKE_GCLOUD_AUTH_PLUGIN|KUBERNETES_EXEC_INFO|CLOUDSDK_.*(?:PROJECT|REGION|ZONE)|AZURE_(?:ENVIRONMENT|CONFIG_DIR)|AAD_LOGIN_METHOD|HOME|PATH|LANG|LC_ALL|HTTPS?_PROXY|NO_PROXY)$/i;
const HARMLESS_OF_PROVIDERS =
  /^(?:apiserver-id|client-id|cmd-args|cmd-path|config-mode|environment|expires-(?:in|on)|expiry|expiry-key|extra-scopes|idp-certificate-authority|idp-issuer-url|scopes|tenant-id|token-key)$/;
const HARMLESS_VALUE = /^(?:true|false|yes|no|on|off|none|default|v?\d{1,3}(?:\.\d+)*)$/i;

/** Long, with letters and digits, and not a word: how a token looks on a command line. */
const LOOKS_RANDOM = /^(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9+/=_.~-]{24,}$/;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The secrets in a URL, as written and decoded: userinfo, and parameters by their name. */
export function secretsOfUrl(url: string): string[] {
  const [, rest] = /^[a-z][a-z0-9+.-]*:\/\/(.*)$/is.exec(url.trim()) ?? [];
  if (rest === undefined) return [];
  const found: string[] = [];
  const add = (value: string) => found.push(value, decoded(value), decoded(value.replaceAll("+", " ")));
  const [beforeQuery = "", ...query] = rest.split(/[?#]/);
  // A password with a '/' makes the URL invalid, but some tools accept it.
  for (const authority of [/^[^/]*/.exec(beforeQuery)?.[0] ?? "", beforeQuery, rest]) {
    const end = authority.lastIndexOf("@");
    if (end < 0) continue;
    const userinfo = authority.slice(0, end);
    const colon = userinfo.indexOf(":");
    if (colon >= 0) add(userinfo.slice(colon + 1));
    // A user without a password can be a token. One with a slash in it is a path with an '@'.
    else if (!/[/?]/.test(userinfo)) add(userinfo);
  }
  for (const parameter of query.join("&").split("&")) {
    const [name = "", ...value] = parameter.split("=");
    const text = value.join("=");
    if (isSecretKey(decoded(name))) add(text);
    found.push(...secretsOfUrl(decoded(text)));
  }
  return found.filter((value) => value !== "");
}

function secretsOfArguments(list: readonly unknown[]): string[] {
  const texts = list.map(String);
  return texts.flatMap((text, index) => {
    const [, name, value] = /^-{0,2}([\w-]+)=(.*)$/s.exec(text) ?? [];
    if (name !== undefined && value !== undefined && isSecretKey(name)) return [value];
    const before = /^--?([\w-]+)$/.exec(texts[index - 1] ?? "")?.[1];
    if (before !== undefined && isSecretKey(before) && !/^--[a-z][a-z-]*$/.test(text)) return [text];
    return LOOKS_RANDOM.test(text) ? [text] : secretsOfUrl(text);
  });
}

/** Everything under a key that holds only secrets. */
function scalars(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(scalars);
  if (typeof value === "object" && value !== null) return Object.values(value).flatMap(scalars);
  // Every scalar is a text: see the schema below.
  return typeof value === "string" ? [value] : [];
}

function walk(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(walk);
  if (typeof value === "string") return secretsOfUrl(value);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value as Record<string, unknown>).flatMap(([key, entry]) => {
    if (isSecretKey(key)) {
      const found = scalars(entry);
      // A base64 value may be shown decoded.
      const shown = found.map((text) => textInBase64(text) ?? "");
      // A registry's login is `user:password`.
      const passwords = key === "auth" ? shown.map((text) => text.slice(text.indexOf(":") + 1)) : [];
      return [...found, ...shown, ...passwords].filter((text) => text !== "");
    }
    if (key === "exec" && typeof entry === "object" && entry !== null) {
      const { env, args, ...rest } = entry as { env?: unknown; args?: unknown };
      const variables = (Array.isArray(env) ? env : []) as { name?: unknown; value?: unknown }[];
      return [
        ...variables
          .filter(({ name }) => !HARMLESS_OF_PLUGINS.test(String(name)))
          .flatMap((variable) => scalars(variable.value))
          .filter((text) => !HARMLESS_VALUE.test(text)),
        ...variables.flatMap((variable) => walk(variable.value)),
        ...secretsOfArguments(Array.isArray(args) ? args : []),
        ...walk(rest),
      ];
    }
    if (key === "auth-provider" && typeof entry === "object" && entry !== null) {
      const config = ((entry as { config?: unknown }).config ?? {}) as Record<string, unknown>;
      return Object.entries(config)
        .filter(([name]) => !HARMLESS_OF_PROVIDERS.test(name))
        .flatMap(([, setting]) => scalars(setting))
        .filter((text) => !HARMLESS_VALUE.test(text));
    }
    return walk(entry);
  });
}

/** The secrets of a kubeconfig, in whichever of YAML's or JSON's styles it is written. */
export function secretsOfKubeconfig(text: string): string[] {
  // As text, whatever it looks like: 0123 is a password, not a number.
  const documents = parseAllDocuments(text, {
    schema: "failsafe",
    merge: true,
    uniqueKeys: false,
    logLevel: "silent",
  });
  const list = Array.isArray(documents) ? documents : [];
  const found = list.flatMap((document) => {
    try {
      return walk(document.toJS({ maxAliasCount: -1 }));
    } catch {
      return [];
    }
  });
  if (list.some(({ errors }) => errors.length > 0)) {
    // Nobody can log in with it, but parts of it may be shown: every word that is long enough.
    found.push(...(text.match(/[^\s"'{}[\],:]{12,}/g) ?? []));
  }
  return found;
}

function readSmall(path: string | undefined): string {
  if (path === undefined || path === "") return "";
  try {
    return statSync(path).size <= 1 << 20 ? readFileSync(path, "utf8") : "";
  } catch {
    // Whatever needs it will report that it is missing.
    return "";
  }
}

/** A secret of several lines, and each of its lines, except those that all such secrets have. */
function withLines(secret: string): string[] {
  const lines = secret
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line.length >= 4 && !/^-----(?:BEGIN|END) [A-Z0-9 ]+-----$/.test(line));
  return [secret, secret.trim(), ...(lines.length > 1 || secret !== secret.trim() ? lines : [])];
}

/** A base64 text decoded, from one line or several; undefined if it is not base64, or not of text. */
export function textInBase64(text: string): string | undefined {
  const digits = text.replace(/\s/g, "");
  if (digits.length < 8 || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(digits)) return undefined;
  const bytes = Buffer.from(digits, "base64");
  return isUtf8(bytes) && !bytes.includes(0) ? bytes.toString() : undefined;
}

/** Marks of a file with logins: a kubeconfig's users, a registry's, a service account's key. */
const LOOKS_LIKE_LOGINS = /(?:^|[\s{,"'-])(?:users|auths|private_key|client_secret)["']?\s*:/;

/** The texts with logins in variables, under any name, plain or in base64. */
function loginsIn(env: NodeJS.ProcessEnv): string[] {
  return Object.values(env)
    .flatMap((value = "") => [value, textInBase64(value) ?? ""])
    .filter((text) => LOOKS_LIKE_LOGINS.test(text));
}

/** The secrets of an environment and of the files that it names, each once, the longest first. */
export function secretsOf(env: NodeJS.ProcessEnv): string[] {
  const named = Object.entries(env).flatMap(([name, value]) => {
    if (value === undefined) return [];
    return SECRET_NAME.test(name) ? [value] : secretsOfUrl(value);
  });
  const { KUBECONFIG_CONTENT: content = "", ...others } = env;
  const kubeconfigs = [
    textInBase64(content) ?? content,
    ...loginsIn(others),
    ...(env.KUBECONFIG ?? (env.HOME === undefined ? "" : join(env.HOME, ".kube/config")))
      .split(delimiter)
      .map(readSmall),
  ];
  const all = [
    ...named,
    readSmall(env.PULUMI_CONFIG_PASSPHRASE_FILE),
    ...kubeconfigs.filter((text) => text.trim() !== "").flatMap(secretsOfKubeconfig),
  ];
  return distinct(all);
}

/** Every secret once, with the lines of those that have several, the longest first. */
export function distinct(secrets: readonly string[]): string[] {
  const all = new Set(secrets.flatMap(withLines).filter((secret) => secret.trim() !== ""));
  return [...all].sort((a, b) => b.length - a.length);
}
