/** What a test run prints at its end: of long outputs only the end is kept, so the end must say everything. */
import { LEFT, type Skip } from "./skip.ts";

/** A test, or a hook of a suite, as test/reporter.cjs writes it. */
export interface Reported {
  /** Its own title after those of its suites. */
  title: string;
  /** Its file, in the checkout; absent if it does not belong to a file. */
  file?: string;
}

/** What test/reporter.cjs writes at the end of a mocha run. */
export interface MochaResult {
  passed: number;
  failed: (Reported & { message: string })[];
  pending: Reported[];
}

/** What was counted, and the lines that name what did not pass. */
export interface Result {
  passed: number;
  failed: string[];
  skipped: string[];
  /** How many tests this run leaves to `npm run test:long`. */
  left?: number;
}

const inFile = ({ file }: Reported) => (file === undefined ? "" : ` (${file})`);

/** Why a test was skipped: its own reason, else that of the nearest suite above it. */
function reasonOf(title: string, skips: readonly Skip[]): string {
  const [nearest] = skips
    .filter((skip) => skip.title === "" || title === skip.title || title.startsWith(`${skip.title} `))
    .sort((a, b) => b.title.length - a.title.length);
  return nearest?.reason ?? "no reason given";
}

/**
 * The result of one part of the tests.
 *
 * @param status mocha's exit status; a run that failed on its own is a failure even if all of its tests passed
 */
export function resultOf(
  part: string,
  status: number,
  mocha: MochaResult | undefined,
  skips: readonly Skip[],
): Result {
  // No results: mocha itself could not run, and its tests must not count as passed.
  if (mocha === undefined)
    return { passed: 0, failed: [`${part}: mocha ended with ${status}, without results`], skipped: [] };
  const failed = mocha.failed.map(
    (test) => `${part}: ${test.title}${inFile(test)}: ${test.message.trim().split("\n")[0] ?? ""}`,
  );
  if (status !== 0 && failed.length === 0) failed.push(`${part}: mocha ended with ${status}`);
  const pending = mocha.pending.map(({ title }) => ({ title, reason: reasonOf(title, skips) }));
  const skipped = pending.filter(({ reason }) => reason !== LEFT);
  return {
    passed: mocha.passed,
    failed,
    skipped: skipped.map(({ title, reason }) => `${part}: ${title}: ${reason}`),
    left: pending.length - skipped.length,
  };
}

/** Several results as one. */
export function sum(results: readonly Result[]): Result {
  return {
    passed: results.reduce((total, { passed }) => total + passed, 0),
    failed: results.flatMap(({ failed }) => failed),
    skipped: results.flatMap(({ skipped }) => skipped),
    left: results.reduce((total, { left = 0 }) => total + left, 0),
  };
}

/** The last lines of a run: what was skipped, what failed, and the counts. */
export function endOf({ passed, failed, skipped, left = 0 }: Result): string[] {
  return [
    ...(left > 0 ? [`left to npm run test:long: ${left} tests, and what is not in the samples`] : []),
    ...skipped.map((line) => `skipped: ${line}`),
    ...failed.map((line) => `failed: ${line}`),
    `${passed} passed, ${failed.length} failed, ${skipped.length} skipped`,
  ];
}
