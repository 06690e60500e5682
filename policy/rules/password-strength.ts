import { resourceRule } from "../rule.ts";
import { field, shown, textAt } from "../values.ts";

interface Config {
  length: number;
}

/** 2^128 guesses are out of anybody's reach. */
const BITS = 128;

export const passwordStrength = resourceRule<Config>({
  name: "password-strength",
  asks: "generated passwords long enough",
  description: "A short generated password can be guessed from a stolen backup of the roles",
  level: "mandatory",
  schema: {
    properties: {
      length: {
        type: "integer",
        minimum: 16,
        default: 32,
        description: "Minimum length of a generated password",
      },
    },
  },
  check: ({ type, name, inputs }, { length }) => {
    if (type !== "random:index/randomPassword:RandomPassword") return [];
    const subject = `RandomPassword/${name}`;
    const own = inputs.length;
    const alphabet =
      (field(inputs, "lower") === false ? 0 : 26) +
      (field(inputs, "upper") === false ? 0 : 26) +
      ((field(inputs, "numeric") ?? field(inputs, "number")) === false ? 0 : 10) +
      (field(inputs, "special") === false
        ? 0
        : (textAt(inputs, "overrideSpecial") ?? "!@#$%&*()-_=+[]{}<>:?").length);
    if (typeof own !== "number" || own < length) {
      return [{ subject, why: `length is ${shown(own)}`, remedy: `length: ${length} or more` }];
    }
    const bits = Math.floor(own * Math.log2(Math.max(1, alphabet)));
    if (bits >= BITS) return [];
    return [
      {
        subject,
        why: `${own} characters out of ${alphabet} hold ${bits} bits`,
        remedy: `leave lower, upper and numeric on, so that it holds ${BITS} bits`,
      },
    ];
  },
});
