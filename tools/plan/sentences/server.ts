/** The database server: its StatefulSet, its settings, and the Job that tries them. */
import {
  ACCESS_FILES,
  changedSettings,
  restartCause,
  SETTINGS_FILE,
} from "../../../cluster/change-effects.ts";
import { CONFIG_NAME, SERVER_NAME, SETTINGS_JOB_NAME } from "../../../components/kubernetes/names.ts";
import { at, because, type Change, filesOf, fromTo, isKind, keysOf } from "../changes.ts";
import { list, quoted, type Say } from "../statements.ts";
import { sayObject } from "./objects.ts";
import type { Sentences } from "./sentences.ts";
import { sayEncryption } from "./tls.ts";

/** Logical name of the ConfigMap with the settings that are tried. */
const TRIED = "postgres-settings-files";

type Resource = Pick<Change, "type" | "logicalName">;

const is =
  (kind: string, ...names: string[]) =>
  (resource: Resource) =>
    isKind(kind)(resource) && names.includes(resource.logicalName);

const isServer = is("StatefulSet", SERVER_NAME);
const isTrial = is("Job", SETTINGS_JOB_NAME);
const isConfig = is("ConfigMap", CONFIG_NAME);
const isTried = is("ConfigMap", TRIED);

const TEMPLATE = "spec.template";
const NODE_SELECTOR = `${TEMPLATE}.spec.nodeSelector`;

/** Why the server's pod is recreated. */
function restartReasons(change: Change): string[] {
  return [...change.paths.keys()]
    .filter((path) => path.startsWith(TEMPLATE) && !path.startsWith(NODE_SELECTOR))
    .map((path) => {
      const keys = keysOf(path).slice(2);
      switch (restartCause(keys)) {
        case "settings":
          return "settings that need a restart";
        case "scripts":
          return "its scripts";
        case "image":
          return `image ${fromTo(change, path)}`;
        case "resources":
          return `${keys.slice(-2).join(".")} ${fromTo(change, path)}`;
        case "other":
          return quoted(path.replace(/^spec\.template\.(spec\.)?/, ""));
      }
    });
}

/** Whether the plan restarts the server. */
const restarts = (plan: readonly Change[]) =>
  plan.some((change) => isServer(change) && (change.kind !== "update" || restartReasons(change).length > 0));

function sayServer(change: Change, say: Say): void {
  const { kind, name } = change;
  if (kind === "delete") return say("danger", `Stops the database: ${name} is deleted`);
  if (kind === "replace")
    return say(
      "attention",
      `Stops the database and starts it again: ${name} is deleted and created again${because(change)}`,
    );
  const move = [...change.paths.keys()].find((path) => path.startsWith(NODE_SELECTOR));
  if (move !== undefined)
    say(
      "danger",
      `Restarts the database on another node, ${fromTo(change, move)}; its files stay where they are`,
    );
  const reasons = restartReasons(change);
  if (reasons.length > 0) say("attention", `Restarts the database (once): ${list(reasons)}`);
  else if (change.paths.has("spec.replicas"))
    say("attention", `Changes the number of database servers: ${fromTo(change, "spec.replicas")}`);
  else say("routine", `Updates ${name}${because(change)}`);
}

function sayConfig(change: Change, say: Say, isRestart: boolean): void {
  const files = filesOf(change).map(({ file }) => file);
  if (change.kind !== "update" || files.length === 0) return sayObject(change, say);
  sayEncryption(change, say);
  const access = files.filter((file) => ACCESS_FILES.includes(file));
  if (access.length > 0)
    say("attention", `Changes who may connect, and how they authenticate (${list(access.map(quoted))})`);
  if (!files.includes(SETTINGS_FILE)) return;
  const path = `data["${SETTINGS_FILE}"]`;
  const settings = changedSettings(at(change.old, path), at(change.new, path)).map(
    ({ name, before, after }) =>
      `${quoted(name)} ${quoted(before ?? "default")} → ${quoted(after ?? "default")}`,
  );
  if (settings.length === 0) say("routine", "Reloads settings, without a restart: no value differs");
  else if (isRestart) say("attention", `Changes settings: ${list(settings)}`);
  else say("routine", `Reloads settings, without a restart: ${list(settings)}`);
}

function sayTrial(change: Change, say: Say): void {
  const { kind, name } = change;
  if (kind === "delete")
    say("danger", `Deletes ${name}: settings and images are no longer tried before the server gets them`);
  else if (kind === "update") sayObject(change, say);
  else say("routine", "Tries the image and the settings on a scratch directory, before the server gets them");
}

export const server: Sentences = {
  owns: (resource) => [isServer, isTrial, isConfig, isTried].some((isIt) => isIt(resource)),
  say(change, say, plan) {
    if (isTrial(change)) sayTrial(change, say);
    else if (change.kind === "create") sayObject(change, say);
    else if (isServer(change)) sayServer(change, say);
    else if (isConfig(change)) sayConfig(change, say, restarts(plan));
    // What is tried; the server's own ConfigMap already reports the same change.
    else if (change.kind !== "update" || filesOf(change).length === 0) sayObject(change, say);
  },
};
