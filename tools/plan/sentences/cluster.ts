/** How the cluster is reached: the providers. */
import { because, type Change, isKind } from "../changes.ts";
import type { Sentences } from "./sentences.ts";

const isProvider = ({ type }: Pick<Change, "type">) => type.startsWith("pulumi:providers:");

/** Whether a change replaces every object in the cluster. */
const replacesAll = (change: Change) =>
  isProvider(change) && change.kind === "replace" && change.type.endsWith(":kubernetes");

/** Objects whose replacement loses nothing and stops nothing. */
const isHarmless = isKind("Service", "ConfigMap");

export const cluster: Sentences = {
  owns: isProvider,
  say(change, say) {
    const { kind, name, paths } = change;
    if (replacesAll(change))
      say("danger", `Replaces everything in the cluster, because ${name} is replaced${because(change)}`);
    else if (kind === "update") {
      const elsewhere = ["kubeconfig", "context", "cluster"].some((path) => paths.has(path));
      const what = elsewhere ? "Changes how the cluster is reached" : "Changes how objects are applied";
      say("attention", `${what}: ${name}${because(change)}`);
    } else if (kind === "replace") say("attention", `Replaces ${name}${because(change)}`);
    // A provider that appears or goes says nothing that its resources do not say.
  },
  silences: (plan) => (plan.some(replacesAll) ? isHarmless : () => false),
};
