/** The configuration of a stack whose committed file leaves the node open, as `dev` does. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectFile } from "../cli.ts";
import { withFields } from "../stack-file/editing.ts";
import { hostnameOf } from "../stack-file/stack-file.ts";

/**
 * Fills in the node's name in a copy; the committed file is not touched.
 *
 * @param hostname the name to fill in. @default none
 * @returns the copy, or undefined when the committed file is used as it is
 */
export function withNode(stack: string, hostname: string | undefined, directory: string): string | undefined {
  const path = projectFile(`Pulumi.${stack}.yaml`);
  if (hostname === undefined || hostname === "" || hostnameOf(path) !== undefined) return undefined;
  const copy = join(directory, `Pulumi.${stack}.yaml`);
  writeFileSync(copy, withFields(readFileSync(path, "utf8"), { node: { hostname } }), { mode: 0o600 });
  return copy;
}
