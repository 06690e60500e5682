/** Finds keys in a stack's configuration that are not read: none is ignored silently. */
import { nearest } from "../nearest.ts";
import type { Problem } from "../problem.ts";
import { commandToRemove, commandToSet } from "./reader.ts";
import { shellWord } from "../shell-words.ts";

/** The result of {@link sectionsOf}. */
export interface Sections {
  /** The value of each top-level key. */
  raw: Record<string, unknown>;
  problems: Problem[];
  warnings: string[];
}

/** Namespaces whose keys the engine or a default provider reads. */
const READ_BY_OTHERS = /^(?:pulumi(?:-.*)?|random|command)$/;

/** Our fields for the Kubernetes provider's settings: the program's own provider does not read those. */
const OF_KUBERNETES: Readonly<Record<string, string>> = {
  context: "cluster.context",
  kubeconfig: "cluster.kubeconfig",
  cluster: "cluster.context",
  namespace: "",
};

/** Names that suggest a credential. */
const CREDENTIAL = /pass(?:word|wd|phrase)?|secret|token|credential|private|api-?key|kubeconfig/i;

/** A value for a command, if it may be shown. */
function shownValue(key: string, value: string, secret: boolean): string {
  const isPlain = !secret && !CREDENTIAL.test(key) && value.length <= 200 && !/[\n{[]/.test(value);
  return isPlain && value !== "" ? shellWord(value) : "<value>";
}

/** The field that a path such as `storage.capacity` means. */
function meantField(path: string, fields: readonly string[]): string | undefined {
  const exact = fields.find(
    (field) => field === path || path.startsWith(`${field}.`) || path.startsWith(`${field}[`),
  );
  return exact === undefined ? nearest(path, fields) : path;
}

function ofProject(name: string, value: string, secret: boolean, names: Names): Problem {
  const { sections, fields } = names;
  const remove = `pulumi config rm ${shellWord(name)}`;
  const key = name;
  if (/[.[]/.test(name)) {
    const meant = meantField(name, fields);
    return {
      key,
      message:
        "is not read: it was set without --path, which makes the whole name one key. " +
        (meant === undefined
          ? `To remove it: ${remove}`
          : `Instead: ${remove} && ${commandToSet(meant, secret || names.secrets.includes(meant), { value: shownValue(name, value, secret) })}`),
    };
  }
  const section = nearest(name, sections);
  // A field without its section.
  const field = fields.filter((candidate) => candidate.endsWith(`.${name}`));
  if (field.length === 1 && field[0] !== undefined) {
    return {
      key,
      message:
        `is not read: it is a field of ${field[0].split(".")[0]}. Instead: ${remove} && ` +
        commandToSet(field[0], secret || names.secrets.includes(field[0]), {
          value: shownValue(name, value, secret),
        }),
    };
  }
  return {
    key,
    message:
      `is not read: the configuration has ${sections.join(", ")}. ` +
      (section === undefined ? "" : `Did you mean ${section}? Move its fields there. `) +
      `To remove it: ${remove}`,
  };
}

function ofKubernetes(name: string, value: string, secret: boolean): Problem {
  const key = `kubernetes:${name}`;
  const remove = commandToRemove(key, { path: false });
  const instead = OF_KUBERNETES[name] ?? "";
  // The provider's setting can hold a whole kubeconfig; cluster.kubeconfig is a path.
  const place = name === "kubeconfig" ? "<path>" : shownValue(key, value, secret);
  return {
    key,
    message:
      "is not read: the program creates its own provider from `cluster`. " +
      (instead === ""
        ? `To remove it: ${remove}`
        : `Instead: ${remove} && ${commandToSet(instead, false, { value: place })}`),
  };
}

/** All known names. */
export interface Names {
  /** Top-level keys. */
  sections: readonly string[];
  /** Every field by its path. */
  fields: readonly string[];
  /** Those of them that are secret. */
  secrets: readonly string[];
}

/**
 * Sorts a stack's whole configuration by namespace and section.
 *
 * @param config by full key, as the engine passes it
 * @param project the namespace of the project's own keys
 * @param isSecret whether the value of a full key was set with --secret
 */
export function sectionsOf(
  config: Readonly<Record<string, string>>,
  project: string,
  isSecret: (key: string) => boolean,
  names: Names,
): Sections {
  const found: Sections = { raw: {}, problems: [], warnings: [] };
  for (const [full, value] of Object.entries(config)) {
    const colon = full.indexOf(":");
    const [namespace, name] = [full.slice(0, colon), full.slice(colon + 1)];
    const secret = isSecret(full);
    if (namespace === "kubernetes") found.problems.push(ofKubernetes(name, value, secret));
    else if (namespace === project) {
      if (names.sections.includes(name)) readSectionText(name, value, secret, found);
      else found.problems.push(ofProject(name, value, secret, names));
    } else if (!READ_BY_OTHERS.test(namespace)) {
      const remove = commandToRemove(full, { path: false });
      if (nearest(namespace, [project]) !== undefined || names.sections.includes(name))
        found.problems.push({
          key: full,
          message: `is not read: the project is ${project}. Did you mean ${project}:${name}? To remove it: ${remove}`,
        });
      else found.warnings.push(`${full} is not read. To remove it: ${remove}`);
    }
  }
  return found;
}

function readSectionText(name: string, text: string, secret: boolean, found: Sections): void {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    found.problems.push({
      key: name,
      message:
        `is ${text === "" ? "empty" : Array.isArray(value) ? "a list" : "a single value"}, but must be a map of fields. ` +
        `Set one of them, which replaces it: ${commandToSet(`${name}.<field>`, name === "secrets")}` +
        (text === "" ? `. To remove it: pulumi config rm ${name}` : ""),
    });
    return;
  }
  if (name === "secrets" && Object.keys(value).length > 0 && !secret) {
    found.problems.push(...leavesOf("secrets", value).map(plainSecretProblem));
    return;
  }
  found.raw[name] = value;
}

/** The paths of what a map holds, however deep. */
function leavesOf(path: string, value: unknown): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [path];
  return Object.entries(value).flatMap(([name, entry]) => leavesOf(`${path}.${name}`, entry));
}

/** A secret in plain text. Its value is not shown. */
export function plainSecretProblem(key: string): Problem {
  return {
    key,
    message:
      "is in plain text in the stack's file and in everything made from it. Encrypt it, and change the password if the " +
      `file was committed: ${commandToSet(key, true)}`,
  };
}
