/**
 * Attacks on the deployed product, each by a named attacker, and each next to the same act by somebody who may. The
 * slower ones are in attacks.long.ts. Whoever may create pods in the database's namespace is not stopped: such a pod can
 * have a client's label and mount any Secret (docs/network-policies.md).
 */
import { sampled } from "../../sample.ts";
import { needsEngine } from "../support.ts";
import { ATTACKERS } from "./attackers/index.ts";
import { attacksOf } from "./attempt.ts";
import { staged } from "./stage.ts";

describe("attacks on the deployed product", function () {
  this.timeout(120_000);
  needsEngine();
  // A quarter of each attacker's, another one each day.
  const taken = ATTACKERS.map(({ who, attempts }) => ({
    who,
    attempts: sampled(`attacks by ${who}`, attempts, Math.ceil(attempts.length / 4)),
  }));
  attacksOf(taken, staged());
});
