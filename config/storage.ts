/** The section `storage`: the directory on the node that holds the data. */
import type { Problem } from "../problem.ts";
import { absolutePath, defaulted, flag, required, size } from "./fields.ts";
import { commandToSet, type Section, type ValuesOf } from "./reader.ts";
import { objectionToDirectory } from "./system-directories.ts";

export const storage = {
  path: required(
    absolutePath({
      description:
        "Directory on the node for the data: used only by the database, not a system directory, not reached through a link",
    }),
  ),
  mount: absolutePath({
    description: "Mount point above `path`, which must be mounted",
  }),
  capacity: defaulted(
    "100Gi",
    size({ description: "Size of the volume, and the disk space that must be available" }),
  ),
  protect: flag({
    description:
      "Whether volume, claim and passwords are protected from deletion. Default: true, except in `dev`; false is allowed only in `dev`",
  }),
} as const satisfies Section;

/** Checks that the directory suits a database and is below its mount point. */
export function storageProblems({
  stack,
  storage: { path, mount },
}: {
  stack: string;
  storage: ValuesOf<typeof storage>;
}): Problem[] {
  const problems: Problem[] = [];
  const unfit = objectionToDirectory(path, stack === "dev");
  if (unfit !== undefined) {
    problems.push({
      key: "storage.path",
      message:
        `is "${path}", ${unfit}. Allowed: a directory used only by the database, such as /mnt/raid10/pgdata. ` +
        `Set it: ${commandToSet("storage.path", false)}`,
    });
  }
  if (mount !== undefined && !`${path}/`.startsWith(`${mount}/`)) {
    problems.push({
      key: "storage.mount",
      message:
        `is "${mount}", which is not above storage.path, "${path}". ` +
        `Set it: ${commandToSet("storage.mount", false)}`,
    });
  }
  return problems;
}
