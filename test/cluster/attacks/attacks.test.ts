/**
 * Attacks on the deployed product, each by a named attacker, and each next to the same act by somebody who may. The
 * slower ones are in attacks.long.ts. Whoever may create pods in the database's namespace is not stopped: such a pod can
 * have a client's label and mount any Secret (docs/network-policies.md).
 */
import { needsEngine } from "../support.ts";
import { ATTACKERS } from "./attackers/index.ts";
import { attacksOf } from "./attempt.ts";
import { staged } from "./stage.ts";

describe("attacks on the deployed product", function () {
  this.timeout(120_000);
  needsEngine();
  attacksOf(ATTACKERS, staged());
});
