/** The namespace; deleting it deletes everything in it. */
import { isKind } from "../changes.ts";
import { sayObject } from "./objects.ts";
import type { Sentences } from "./sentences.ts";

export const namespace: Sentences = {
  owns: isKind("Namespace"),
  say(change, say) {
    const { kind, name } = change;
    if (kind !== "delete" && kind !== "replace") return sayObject(change, say);
    const again = kind === "replace" ? " and created again" : "";
    say(
      "danger",
      `Touches data: ${name} is deleted${again}, with every object in it, the claim on the data included`,
    );
  },
};
