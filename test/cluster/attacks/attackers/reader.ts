/** The canary: every secret of the stack, looked for in every form wherever somebody may read who must learn none. */
import { formsIn } from "../../canary.ts";
import type { Outcome } from "../attempt.ts";
import type { Attacker, Attempt } from "../attempt.ts";
import { type Known, secretsOfStage } from "../canary/secrets.ts";
import { type Place, places, slowPlaces } from "../canary/places.ts";
import type { Stage } from "../stage.ts";

async function search(place: Place, stage: Stage, values: readonly Known[]): Promise<Outcome> {
  const read = (await place.texts(stage)).map((text) => Buffer.from(text as string));
  const bytes = read.reduce((sum, { length }) => sum + length, 0);
  const found = values.flatMap(({ name, value }) =>
    read.flatMap((text) => formsIn(text, value).map((form) => `${name}: ${form}`)),
  );
  return {
    succeeded: found.length > 0,
    words: found.length > 0 ? [...new Set(found)].join("\n") : `nothing in ${bytes} bytes`,
  };
}

/** The stage's secrets, which the first search has read. */
const known = new WeakMap<Stage, Promise<Known[]>>();
function secretsOf(stage: Stage): Promise<Known[]> {
  const secrets = known.get(stage) ?? secretsOfStage(stage);
  known.set(stage, secrets);
  return secrets;
}

const finding = (place: Place): Attempt<Stage> => ({
  tries: `finds a secret in ${place.where}`,
  attack: async (stage) => search(place, stage, await secretsOf(stage)),
  refused: /^nothing in [1-9]\d* bytes$/,
  control: async (stage) => search(place, stage, [{ name: "canary", value: await place.plant(stage) }]),
});

const who = "somebody who reads what is no secret";

export const reader: Attacker<Stage> = { who, attempts: places.map(finding) };
export const patientReader: Attacker<Stage> = { who, attempts: slowPlaces.map(finding) };
