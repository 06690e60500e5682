/** SealedSecrets: their values are encrypted, so a plan tells which change, and never what they are. */
import { because, isKind, keysOf } from "../changes.ts";
import { list, quoted } from "../statements.ts";
import type { Sentences } from "./sentences.ts";

const isSealed = isKind("SealedSecret");
const GUIDE = "docs/sealed-secrets.md";

export const sealedSecrets: Sentences = {
  owns: isSealed,
  say({ kind, name, logicalName, paths, ...change }, say) {
    const secret = `Secret ${quoted(logicalName)}`;
    if (kind === "create")
      return say(
        "attention",
        `The controller of Sealed Secrets makes the ${secret}, or takes over the one that is there: with another value that is sealed, clients need it from then on. See ${GUIDE}`,
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
};
