/** A line of an attacker's list: what is tried, how it is refused, and the same by somebody who may. */
import assert from "node:assert/strict";

/** What an act came to. */
export interface Outcome {
  succeeded: boolean;
  /** What was answered: the reason, where it did not succeed. */
  words: string;
}

/** Something that somebody does on the deployed product. */
export type Act<Stage> = (stage: Stage) => Promise<Outcome>;

/** An attack and its positive control. */
export interface Attempt<Stage> {
  /** The test's title: what is tried. */
  tries: string;
  attack: Act<Stage>;
  /** How the defence answers. A typo in an act is answered otherwise, and does not pass for a defence. */
  refused: RegExp;
  /** The same act by somebody who may do it. */
  control: Act<Stage>;
}

/** Somebody with a list of attempts. */
export interface Attacker<Stage> {
  /** Who it is, and what they have. */
  who: string;
  attempts: readonly Attempt<Stage>[];
}

/**
 * Tries the control, then the attack.
 *
 * @throws AssertionError if the control does not succeed, the attack does, or it fails for another reason
 */
export async function prove<Stage>(attempt: Attempt<Stage>, stage: Stage): Promise<void> {
  const allowed = await attempt.control(stage);
  assert.ok(allowed.succeeded, `the control failed, so the attack would prove nothing: ${allowed.words}`);
  const tried = await attempt.attack(stage);
  assert.ok(!tried.succeeded, `the attack SUCCEEDED: ${tried.words}`);
  assert.match(
    tried.words,
    attempt.refused,
    `the attack failed for another reason than the one expected: ${tried.words}`,
  );
}

/** The attackers' suites, each attempt a test. */
export function attacksOf<Stage>(attackers: readonly Attacker<Stage>[], stage: () => Stage): void {
  for (const { who, attempts } of attackers)
    describe(`refused to ${who}:`, () => {
      for (const attempt of attempts) it(attempt.tries, () => prove(attempt, stage()));
    });
}
