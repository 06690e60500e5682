import { appendFileSync } from "node:fs";

/** What was skipped, a test or a whole suite, by its full title, and why. */
export interface Skip {
  title: string;
  reason: string;
}

/** The reason for what a run leaves to `npm run test:long`. */
export const LEFT = "left to npm run test:long";

function note(skip: Skip): void {
  // A file, because a test in a mocha worker process has no other way to the reporter.
  if (process.env.TEST_SKIPS) appendFileSync(process.env.TEST_SKIPS, `${JSON.stringify(skip)}\n`);
}

/** Counts a test or a suite that is not run now as left to `npm run test:long`. */
export function leave(left: Mocha.Test | Mocha.Suite): void {
  note({ title: left.fullTitle(), reason: LEFT });
}

/**
 * Skips a test, or from a `before` the suite, and says why: `npm test` lists it with the reason.
 *
 * @param context `this` of the test or of the hook
 * @param reason what this machine lacks
 */
export function skip(context: Mocha.Context, reason: string): never {
  const running = context.runnable();
  // A hook before each test is about that test, a hook before all tests about its suite.
  const skipped = running.title.startsWith('"before all" hook')
    ? running.parent
    : (context.currentTest ?? running);
  note({ title: skipped?.fullTitle() ?? "", reason });
  return context.skip();
}
