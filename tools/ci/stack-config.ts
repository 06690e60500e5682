/** The configuration of a stack whose committed file leaves the node open, as that of `dev` does. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { projectFile } from "../cli.ts";

const NODE = ["config", "transcript-pipeline:node", "hostname"];

/**
 * Fills in the node's name in a copy; the committed file is not touched.
 *
 * @param hostname the name to fill in. @default none
 * @returns the copy, or undefined when the committed file is used as it is
 */
export function withNode(stack: string, hostname: string | undefined, directory: string): string | undefined {
  const file = parseDocument(readFileSync(projectFile(`Pulumi.${stack}.yaml`), "utf8"));
  if (hostname === undefined || hostname === "" || file.hasIn(NODE)) return undefined;
  file.setIn(NODE, hostname);
  const copy = join(directory, `Pulumi.${stack}.yaml`);
  writeFileSync(copy, String(file), { mode: 0o600 });
  return copy;
}
