/** The program's resources as the policy pack sees them. */
import type { Resource } from "../../policy/resources.ts";
import { isMap } from "../../policy/values.ts";
import type { Evaluation } from "./evaluate.ts";
import { unwrapped } from "./recorder.ts";

/** The resources of an evaluation. */
export function resourcesOf({ registrations }: Evaluation): Resource[] {
  return registrations.map(({ urn, type, name, inputs, protect, secretOutputs, dependencies }) => {
    const plain = unwrapped(inputs);
    return { urn, type, name, inputs: isMap(plain) ? plain : {}, protect, secretOutputs, dependencies };
  });
}
