/** The rules with the limits that a stack's file has. */
import { type Rule, rulesFor } from "../../components/monitoring/rules.ts";
import { monitoring } from "../../config/monitoring.ts";
import { configFileOf } from "../stack-cluster.ts";
import { plainSection, readDocument } from "../stack-file/stack-file.ts";

/** With the usual limit where the written one could not be deployed. */
export function rulesOf(stack: string, configFile: string | undefined): Rule[] {
  const { queueAge } = plainSection(readDocument(configFileOf(stack, configFile)), "monitoring");
  const field = monitoring.queueAge;
  const read = queueAge === undefined ? undefined : field.parse(queueAge);
  const minutes = read && "value" in read ? read.value : (field.default ?? NaN);
  return rulesFor({ queueAge: minutes * 60 });
}
