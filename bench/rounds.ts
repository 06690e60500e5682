/** The options of a measurement. */
import { parseArgs } from "node:util";

/**
 * How many rounds count, from `--rounds`; the first of all, which fills caches, never does.
 *
 * @throws RangeError when it is not a number of rounds
 */
export function roundsWanted(usual: number, args: readonly string[] = process.argv.slice(2)): number {
  const { values } = parseArgs({
    args: [...args],
    options: { rounds: { type: "string", default: String(usual) } },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100)
    throw new RangeError(`--rounds: "${values.rounds}" is not a number of rounds. Allowed: 1 to 100`);
  return rounds;
}
