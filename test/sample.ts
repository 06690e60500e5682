/**
 * What takes too long for every run. `npm test` takes a sample of a long list, `npm run test:long` everything. The seed
 * is the day (UTC), so that the answer is the same however often a commit is tested on a day, and every entry has its
 * day: a fixed sample would always leave out the same ones, a random one would fail once and pass at the next attempt.
 * `SAMPLE_SEED=20261129 npm test …` repeats a day's sample. `npm run test:long` runs a file that leaves something out
 * again, with everything.
 */
import { Random } from "./random.ts";
import { leave } from "./skip.ts";

const everything = process.env.TEST_EVERYTHING !== undefined;

/** The seed of this run's samples: the day as a number, 20261129. */
export const SAMPLE_SEED = Number(
  process.env.SAMPLE_SEED ?? new Date().toISOString().slice(0, 10).replaceAll("-", ""),
);

/**
 * This many entries of a list, in its order.
 *
 * @param name what is sampled: two lists of one length need not have the same places taken
 */
export function chosen<Entry>(
  name: string,
  list: readonly Entry[],
  count: number,
  seed = SAMPLE_SEED,
): Entry[] {
  const random = new Random(`sample of ${name}`, seed);
  const places = list.map((_, place) => ({ place, drawn: random.next() }));
  const taken = new Set(
    places
      .sort((a, b) => a.drawn - b.drawn)
      .slice(0, count)
      .map(({ place }) => place),
  );
  return list.filter((_, place) => taken.has(place));
}

/** What this run takes of a list: this many, or everything in `npm run test:long`. */
export function sampled<Entry>(name: string, list: readonly Entry[], count: number): Entry[] {
  if (everything) return [...list];
  return chosen(name, list, count);
}

/** The number of entries, for the line that a test prints. */
export function shareOf(taken: readonly unknown[], list: readonly unknown[]): string {
  return taken.length === list.length
    ? `all ${list.length}`
    : `${taken.length} of ${list.length} (SAMPLE_SEED=${SAMPLE_SEED}; all of them: npm run test:long)`;
}

/** A test that takes long and protects less than those next to it: `npm run test:long` runs it. */
export function itLong(title: string, test: Mocha.Func | Mocha.AsyncFunc): void {
  if (everything) it(title, test as Mocha.AsyncFunc);
  else leave(it(title));
}

/** A suite of such tests; its hooks do not run either. */
export function describeLong(title: string, suite: (this: Mocha.Suite) => void): void {
  if (everything) {
    describe(title, suite);
    return;
  }
  // The type says void if the suite is not run.
  leave(describe.skip(title, suite) as unknown as Mocha.Suite);
}
