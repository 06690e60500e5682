/**
 * Which command runs which test file. `npm test` runs `<what>.test.ts`, `npm run test:long` runs `<what>.long.ts` and
 * also every file that leaves something out (test/sample.ts), with everything.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectFile } from "../tools/cli.ts";

/** A folder of test/, and how its files are run. */
export interface Part {
  name: string;
  /** Mocha's worker processes. One if the files share something: a cluster, a directory of programs. */
  jobs: number;
  /** Whether a file is in `npm test -- quick`. */
  quick(file: string): boolean;
  /** Files that must run before or after all others. */
  first?: string;
  last?: string;
}

const engine = /\/(engine|ssh)\.test\.ts$/;

/** Every change of every field: minutes, and seldom another answer than that of the rules' own tests. */
const exhaustive = /\/(mutants|additions)\.test\.ts$/;

/** The parts with test files, in the order in which they run: fast ones first. */
export const PARTS: readonly Part[] = [
  { name: "unit", jobs: 2, quick: () => true },
  { name: "policy", jobs: 2, quick: (file) => !engine.test(file) && !exhaustive.test(file) },
  { name: "workflows", jobs: 2, quick: (file) => !engine.test(file) },
  { name: "postgres", jobs: 1, quick: () => false },
  {
    name: "cluster",
    jobs: 1,
    quick: () => false,
    // One cluster for all of them. Each suite brings it to where it begins; but only the first finds nothing, and what
    // is left behind after a last `down` is looked for once.
    first: "test/cluster/deployment/up.test.ts",
    last: "test/cluster/deployment/down.test.ts",
  },
];

/** What was requested. */
export type Selection = "quick" | "usual" | "long";

/** Files of one ending below a folder of the project, by their paths in it. */
export function filesBelow(folder: string, ending: string): string[] {
  if (!existsSync(projectFile(folder))) return [];
  return readdirSync(projectFile(folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name))
    .sort();
}

/** Whether a path, with or without a slash at its end, is a file or a folder above it. */
export function pathCovers(path: string, file: string): boolean {
  const whole = path.replace(/\/+$/, "");
  return file === whole || file.startsWith(`${whole}/`);
}

/** Whether a file leaves something to `npm run test:long`. */
const leavesSome = (file: string) =>
  /^import \{[^}]*\b(?:itLong|describeLong|sampled)\b[^}]*\} from "[./]+\/sample\.ts"/m.test(
    readFileSync(projectFile(file), "utf8"),
  );

/** In the order of their paths, except for those that must be first or last. */
function inOrder(part: Part, files: readonly string[]): string[] {
  const rank = (file: string) => (file === part.first ? -1 : file === part.last ? 1 : 0);
  return [...files].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** The files of a part that a selection runs. */
export function filesOf(part: Part, selection: Selection): string[] {
  const usual = inOrder(part, filesBelow(`test/${part.name}`, ".test.ts"));
  if (selection === "quick") return usual.filter((file) => part.quick(file));
  if (selection === "usual") return usual;
  return inOrder(part, [...usual.filter(leavesSome), ...filesBelow(`test/${part.name}`, ".long.ts")]);
}
