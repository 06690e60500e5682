import { objectsIn, STACK_TYPE, subjectOf } from "../resources.ts";
import { stackRule } from "../rule.ts";
import { mapAt, textsIn } from "../values.ts";

/** Shorter values, such as a port or a user name, match by chance. */
const LONG_ENOUGH = 12;

export const secretInPlainSight = stackRule({
  name: "secret-in-plain-sight",
  asks: "no Secret's value repeated elsewhere",
  description: "Repeating a Secret's value outside of Secrets shows it to everybody who may read that place",
  level: "mandatory",
  check: (stack) => {
    const values = objectsIn(stack)
      .filter(({ kind }) => kind === "Secret")
      .flatMap(({ subject, body }) => [
        ...[...textsIn(mapAt(body, "stringData"))].map(({ path, text }) => ({
          from: `${subject} ${path}`,
          text,
        })),
        ...[...textsIn(mapAt(body, "data"))].map(({ path, text }) => ({
          from: `${subject} ${path}`,
          text: Buffer.from(text, "base64").toString("utf8"),
        })),
      ])
      .filter(
        ({ from, text }) =>
          text.length >= LONG_ENOUGH &&
          /passw|secret|token|key|passphrase|url|dsn/i.test(from.split(" ")[1] ?? ""),
      );
    const open = stack.filter(
      ({ type }) =>
        type !== STACK_TYPE && !/:Secret(Patch|List)?$/.test(type) && type.startsWith("kubernetes:"),
    );
    return open.flatMap((resource) =>
      [...textsIn(resource.inputs)].flatMap(({ path, text }) =>
        values
          .filter((value) => text.includes(value.text))
          .map(({ from }) => ({
            subject: subjectOf(resource),
            urn: resource.urn,
            why: `${path} holds the value of ${from}`,
            remedy: "a reference to the Secret: secretKeyRef, or a mounted volume",
          })),
      ),
    );
  },
});
