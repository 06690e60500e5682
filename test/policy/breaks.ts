/** Each way to break each rule, with the violation's message. */
import { accessBreaks } from "./breaks/access.ts";
import type { Break } from "./breaks/break.ts";
import { dataBreaks } from "./breaks/data.ts";
import { declaredBreaks } from "./breaks/declared.ts";
import { monitoringBreaks } from "./breaks/monitoring.ts";
import { networkBreaks } from "./breaks/network.ts";
import { podsBreaks } from "./breaks/pods.ts";
import { resourcesBreaks } from "./breaks/resources.ts";
import { secretsBreaks } from "./breaks/secrets.ts";
import { stackBreaks } from "./breaks/stack.ts";
import { changed, type Judged } from "./stacks.ts";

export const breaks: Readonly<Record<string, readonly Break[]>> = {
  ...dataBreaks,
  ...resourcesBreaks,
  ...podsBreaks,
  ...accessBreaks,
  ...networkBreaks,
  ...monitoringBreaks,
  ...secretsBreaks,
  ...stackBreaks,
  ...declaredBreaks,
};

/** A stack that is broken in one way only. */
export function brokenBy({ change, config = {}, alsoFirst = [] }: Break, stack: Judged): Judged {
  return { ...changed(stack, ...alsoFirst, change), config: { ...stack.config, ...config } };
}
