/** The attacks that take longer than those of attacks.test.ts. */
import { needsEngine } from "../support.ts";
import { SLOW_ATTACKERS } from "./attackers/index.ts";
import { attacksOf } from "./attempt.ts";
import { staged } from "./stage.ts";

describe("slower attacks on the deployed product", function () {
  this.timeout(400_000);
  needsEngine();
  attacksOf(SLOW_ATTACKERS, staged({ encrypted: true }));
});
