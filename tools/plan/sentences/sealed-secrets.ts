/** SealedSecrets: their values are encrypted, so a plan tells which change, and never what they are. */
import { because, type Change, isKind, keysOf } from "../changes.ts";
import { list, quoted } from "../statements.ts";
import type { Sentences } from "./sentences.ts";

const isSealed = isKind("SealedSecret");
const isSecret = isKind("Secret");
const GUIDE = "docs/sealed-secrets.md";

/** Whether a change makes the stack's own Secret of this name. */
const isTakenBack = (change: Change, logicalName: string) =>
  isSecret(change) && change.kind === "create" && change.logicalName === logicalName;

export const sealedSecrets: Sentences = {
  owns: isSealed,
  say({ kind, name, logicalName, paths, ...change }, say, plan) {
    const secret = `Secret ${quoted(logicalName)}`;
    if (kind === "create")
      return say(
        "attention",
        `The controller of Sealed Secrets makes the ${secret}, or takes over the one that is there: with another value that is sealed, clients need it from then on. See ${GUIDE}`,
      );
    if (kind === "delete" && plan.some((other) => isTakenBack(other, logicalName)))
      return say(
        "attention",
        `Takes the ${secret} back from the controller of Sealed Secrets: it is not deleted, and gets its values from before it was sealed. See ${GUIDE}`,
      );
    if (kind === "delete")
      return say(
        "attention",
        `The controller no longer makes the ${secret}, which stays as it is until something else changes it. See ${GUIDE}`,
      );
    const changed = [...paths.keys()].map(keysOf);
    const sealed = changed.filter(([, field]) => field === "encryptedData").flatMap(([, , key]) => key ?? []);
    if (sealed.length > 0)
      return say("attention", `Changes a secret: ${name}, ${list(sealed.map(quoted))} sealed again`);
    if (changed.some((keys) => keys.includes("annotations") && keys.some((key) => key.endsWith("-wide"))))
      return say("danger", `Lets others open what is sealed: ${name} gets a wider scope. See ${GUIDE}`);
    say("routine", `Updates ${name}${because({ kind, name, logicalName, paths, ...change })}`);
  },
  // A Secret that is taken back is not a new one.
  silences(plan) {
    const back = plan.filter((change) => isSealed(change) && change.kind === "delete");
    return (change) => back.some(({ logicalName }) => isTakenBack(change, logicalName));
  },
};
