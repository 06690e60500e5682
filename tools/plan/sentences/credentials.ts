/** Secrets, and what passwords are generated from. Their values are never read. */
import { because, type Change, isKind, keysOf } from "../changes.ts";
import { list, quoted, type Say } from "../statements.ts";
import { sayObject } from "./objects.ts";
import type { Sentences } from "./sentences.ts";

const isSecret = isKind("Secret");
const isGenerated = ({ type }: Pick<Change, "type">) => type.startsWith("random:");

function saySecret(change: Change, say: Say): void {
  const { kind, name } = change;
  if (kind === "delete") return say("attention", `Changes a secret: ${name} is deleted`);
  const paths = [...change.paths.keys()].filter((path) => /^(data|stringData)\b/.test(path));
  if (kind === "update" && paths.length === 0) return say("routine", `Updates ${name}${because(change)}`);
  const keys = list(paths.flatMap((path) => keysOf(path).slice(1)).map(quoted));
  const again = kind === "replace" ? " (deleted and created again)" : "";
  say("attention", `Changes a secret: ${name}${keys && `, ${keys}`}${again}`);
}

function sayGenerated(change: Change, say: Say): void {
  const { kind, logicalName } = change;
  if (kind === "delete")
    say("attention", `Changes a secret: the generated password ${quoted(logicalName)} is forgotten`);
  else if (kind === "update") sayObject(change, say);
  else say("attention", `Changes a secret: a new password is generated for ${quoted(logicalName)}`);
}

export const credentials: Sentences = {
  owns: (resource) => isSecret(resource) || isGenerated(resource),
  say(change, say) {
    if (isGenerated(change)) sayGenerated(change, say);
    else if (change.kind === "create") sayObject(change, say);
    else saySecret(change, say);
  },
};
