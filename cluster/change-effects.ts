/**
 * What a change does to the running server: PostgreSQL reloads, or is restarted once. Compares the deployed object with
 * the wanted one.
 */
import { settingsIn } from "../postgres/conf-file.ts";
import { takesRestart } from "../postgres/settings.ts";
import { ANNOTATIONS } from "../components/kubernetes/names.ts";

/** A setting before and after. Undefined: PostgreSQL's default. */
export interface ChangedSetting {
  name: string;
  before: string | undefined;
  after: string | undefined;
}

/** The settings that differ between two texts of postgresql.conf. */
export function changedSettings(before: unknown, after: unknown): ChangedSetting[] {
  const read = (text: unknown) => settingsIn(typeof text === "string" ? text : "");
  const [old, wanted] = [read(before), read(after)];
  return [...new Set([...old.keys(), ...wanted.keys()])]
    .filter((name) => old.get(name) !== wanted.get(name))
    .map((name) => ({ name, before: old.get(name), after: wanted.get(name) }));
}

/** The compared part of the ConfigMap `postgres-config`. */
export interface ConfigObject {
  data?: Record<string, string>;
}

/** The compared part of the StatefulSet. */
export interface ServerObject {
  spec?: {
    template?: {
      metadata?: { annotations?: Record<string, string> };
      spec?: {
        nodeSelector?: Record<string, string>;
        terminationGracePeriodSeconds?: number;
        containers?: {
          name: string;
          image?: string;
          resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
        }[];
        volumes?: { name: string; emptyDir?: { sizeLimit?: string } }[];
      };
    };
  };
}

const sentence = ({ name, before, after }: ChangedSetting) =>
  `${name} ${before ?? "default"} → ${after ?? "default"}`;

/** The file with the settings, in the ConfigMap. */
export const SETTINGS_FILE = "postgresql.conf";
/** The files that control who may connect. Like the settings, they are reloaded. */
export const ACCESS_FILES: readonly string[] = ["pg_hba.conf", "pg_ident.conf"];

/** The effect of changed settings: one sentence for those that require a restart, one for those that are reloaded. */
export function effectsOfConfig(before: ConfigObject, after: ConfigObject): string[] {
  const changed = changedSettings(before.data?.[SETTINGS_FILE], after.data?.[SETTINGS_FILE]);
  const restarting = changed.filter(({ name }) => takesRestart(name));
  const reloaded = changed.filter(({ name }) => !takesRestart(name));
  const access = ACCESS_FILES.filter((file) => before.data?.[file] !== after.data?.[file]);
  return [
    ...(restarting.length > 0
      ? [`Requires a restart of the server: ${restarting.map(sentence).join(", ")}`]
      : []),
    ...(reloaded.length > 0 ? [`Reloads without a restart: ${reloaded.map(sentence).join(", ")}`] : []),
    ...(access.length > 0 ? [`Reloads without a restart: who may connect (${access.join(", ")})`] : []),
  ];
}

/** Why the template of the server's pod changed. */
export type RestartCause = "settings" | "scripts" | "image" | "resources" | "other";

/**
 * Why the server's pod is recreated, by the place of the change in the pod's template.
 *
 * @param keys below the template: `spec`, `containers`, the container's name or index, `image`
 */
export function restartCause(keys: readonly string[]): RestartCause {
  const [root, field, , part, ...deeper] = keys;
  if (root === "metadata" && field === "annotations") {
    if (keys.at(-1) === ANNOTATIONS.restartSettings) return "settings";
    if (keys.at(-1) === ANNOTATIONS.scripts) return "scripts";
  }
  if (root !== "spec") return "other";
  if (field === "containers" && part === "image") return "image";
  const isAmount = part === "resources" && /^(requests|limits)\.(memory|cpu)$/.test(deeper.join("."));
  return isAmount && (field === "containers" || field === "initContainers") ? "resources" : "other";
}

/** The leaves of a value, each with its keys. The key of a list's member is its name. */
function leaves(value: unknown, keys: readonly string[] = []): [readonly string[], string][] {
  if (typeof value !== "object" || value === null) return [[keys, String(value)]];
  const named = Array.isArray(value)
    ? value.map((item: unknown, index) => {
        const name = (item as { name?: unknown } | null)?.name;
        return [typeof name === "string" ? name : String(index), item] as const;
      })
    : Object.entries(value);
  return named.flatMap(([key, item]) => leaves(item, [...keys, key]));
}

/** A human-readable place in the pod. */
const placeOf = (keys: readonly string[]) => (keys[0] === "spec" ? keys.slice(1) : keys).join(".");

/** The field of a container or the part of the pod that a leaf belongs to: `containers.postgres.readinessProbe`. */
const fieldOf = (keys: readonly string[]) => placeOf(keys.slice(0, keys[0] === "spec" ? 4 : 3));

/** Why the server's pod is recreated: one sentence, or none if it is not. */
export function effectsOfServer(before: ServerObject, after: ServerObject): string[] {
  const byPath = (template: unknown) =>
    new Map(leaves(template ?? {}).map(([keys, value]) => [JSON.stringify(keys), { keys, value }]));
  const [old, wanted] = [byPath(before.spec?.template), byPath(after.spec?.template)];
  const reasons: string[] = [];
  const fields = new Map<string, string[]>();
  for (const [path, { keys }] of new Map([...old, ...wanted])) {
    const [from, to] = [old.get(path)?.value, wanted.get(path)?.value];
    if (from === to) continue;
    const cause = restartCause(keys);
    if (cause === "settings") reasons.push("settings that require it");
    else if (cause === "scripts") reasons.push("its scripts");
    else {
      const change = `${placeOf(keys)} ${from ?? "nothing"} → ${to ?? "nothing"}`;
      fields.set(fieldOf(keys), [...(fields.get(fieldOf(keys)) ?? []), change]);
    }
  }
  // A single change is shown with its values; a field with several changes is only named.
  for (const [field, changes] of fields) reasons.push(changes.length === 1 ? (changes[0] ?? "") : field);
  return reasons.length === 0 ? [] : [`Restarts the server, once: ${reasons.join(", ")}`];
}
