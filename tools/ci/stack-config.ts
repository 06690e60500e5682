/** The configuration of a stack whose committed file leaves the node open, as that of `dev` does. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isMap, parseDocument } from "yaml";
import { projectFile } from "../cli.ts";
import { hostnameOf } from "../stack-file/stack-file.ts";

const KEYS = ["transcript-pipeline:node", "node"] as const;

/**
 * Fills in the node's name in a copy; the committed file is not touched.
 *
 * @param hostname the name to fill in. @default none
 * @returns the copy, or undefined when the committed file is used as it is
 */
export function withNode(stack: string, hostname: string | undefined, directory: string): string | undefined {
  const path = projectFile(`Pulumi.${stack}.yaml`);
  if (hostname === undefined || hostname === "" || hostnameOf(path) !== undefined) return undefined;
  const file = parseDocument(readFileSync(path, "utf8"));
  // The key as it is written: without its namespace, it is the same key.
  const key = KEYS.find((name) => file.hasIn(["config", name])) ?? KEYS[0];
  const node: unknown = file.getIn(["config", key]);
  if (isMap(node)) node.set("hostname", hostname);
  else file.setIn(["config", key], file.createNode({ hostname }));
  const copy = join(directory, `Pulumi.${stack}.yaml`);
  writeFileSync(copy, String(file), { mode: 0o600 });
  return copy;
}
