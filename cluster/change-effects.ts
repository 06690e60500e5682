/**
 * What a change does to the running server: PostgreSQL reloads it, or is restarted once by it. Compared are an
 * object as it is in the cluster and as the program wants it.
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

/** What is looked at of the ConfigMap `postgres-config`. */
export interface ConfigObject {
  data?: Record<string, string>;
}

/** What is looked at of the StatefulSet. */
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

/** What changed settings do: a sentence for those that take a restart, and one for those that are reloaded. */
export function effectsOfConfig(before: ConfigObject, after: ConfigObject): string[] {
  const changed = changedSettings(before.data?.["postgresql.conf"], after.data?.["postgresql.conf"]);
  const restarting = changed.filter(({ name }) => takesRestart(name));
  const reloaded = changed.filter(({ name }) => !takesRestart(name));
  const access = ["pg_hba.conf", "pg_ident.conf"].filter(
    (file) => before.data?.[file] !== after.data?.[file],
  );
  return [
    ...(restarting.length > 0
      ? [`Takes a restart of the server: ${restarting.map(sentence).join(", ")}`]
      : []),
    ...(reloaded.length > 0 ? [`Reloads without a restart: ${reloaded.map(sentence).join(", ")}`] : []),
    ...(access.length > 0 ? [`Reloads without a restart: who may connect (${access.join(", ")})`] : []),
  ];
}

/** Paths and values of an object's leaves. */
function leaves(value: unknown, path = ""): Map<string, string> {
  if (typeof value !== "object" || value === null) return new Map([[path, String(value)]]);
  const named = Array.isArray(value)
    ? value.map((item: unknown, index) => {
        const name = (item as { name?: unknown } | null)?.name;
        return [typeof name === "string" ? name : String(index), item] as const;
      })
    : Object.entries(value);
  return new Map(named.flatMap(([key, item]) => [...leaves(item, path === "" ? key : `${path}.${key}`)]));
}

const SETTINGS_ANNOTATION = `metadata.annotations.${ANNOTATIONS.restartSettings}`;
const SCRIPTS_ANNOTATION = `metadata.annotations.${ANNOTATIONS.scripts}`;

/** The field of a container or the part of the pod that a leaf belongs to: `containers.postgres.readinessProbe`. */
const fieldOf = (path: string) =>
  path
    .replace(/^spec\./, "")
    .split(".")
    .slice(0, 3)
    .join(".");

/** Why the server's pod is made again: one sentence, or none when it is not. */
export function effectsOfServer(before: ServerObject, after: ServerObject): string[] {
  const [old, wanted] = [leaves(before.spec?.template), leaves(after.spec?.template)];
  const reasons: string[] = [];
  const fields = new Map<string, string[]>();
  for (const path of new Set([...old.keys(), ...wanted.keys()])) {
    const [from, to] = [old.get(path), wanted.get(path)];
    if (from === to) continue;
    if (path === SETTINGS_ANNOTATION) reasons.push("settings that take one");
    else if (path === SCRIPTS_ANNOTATION) reasons.push("its scripts");
    else {
      const change = `${path.replace(/^spec\./, "")} ${from ?? "nothing"} → ${to ?? "nothing"}`;
      fields.set(fieldOf(path), [...(fields.get(fieldOf(path)) ?? []), change]);
    }
  }
  // One change is shown with its values; a field that changes in several places is only named.
  for (const [field, changes] of fields) reasons.push(changes.length === 1 ? (changes[0] ?? "") : field);
  return reasons.length === 0 ? [] : [`Restarts the server, once: ${reasons.join(", ")}`];
}
