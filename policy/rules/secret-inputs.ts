import { objectsOf, type Resource, subjectOf } from "../resources.ts";
import { type Finding, resourceRule } from "../rule.ts";
import { mapAt, textsIn } from "../values.ts";

/** Values that stand in for a password until somebody chooses one. */
const PLACEHOLDER =
  /^(change[-_ ]?me.*|password\d*|passw0rd|postgres|secret|admin|test|example|todo|your[-_].*|<.*>|x+|\*+)$/i;

/** Values of a Secret as text. */
function valuesOf(body: Record<string, unknown>): { path: string; text: string }[] {
  const decoded = Object.entries(mapAt(body, "data")).flatMap(([name, text]) =>
    typeof text === "string" ? [[name, Buffer.from(text, "base64").toString("utf8")]] : [],
  );
  return [
    ...textsIn(mapAt(body, "stringData"), "stringData"),
    ...textsIn(Object.fromEntries(decoded), "data"),
  ];
}

function looksSecret(path: string): boolean {
  return /passw|secret|token|key|passphrase/i.test(path.split(".").slice(1).join("."));
}

/** A random value that the state keeps in plain text, named like a secret. */
function plainRandom({ type, name }: Resource): Finding[] {
  if (!/^random:index\/random(String|Pet|Id|Integer|Uuid|Shuffle):/.test(type)) return [];
  if (!/passw|secret|token|key|credential/i.test(name)) return [];
  return [
    {
      subject: `${type.split(":").at(-1)}/${name}`,
      why: "its result is not a secret: the state and every preview show it",
      remedy: "random.RandomPassword",
    },
  ];
}

export const secretInputs = resourceRule({
  name: "secret-inputs",
  asks: "Secrets encrypted in the state, and no placeholder in them",
  description:
    "Making a Secret from plain values leaves its password readable in the stack's state and in every backup of it",
  level: "mandatory",
  check: (resource) => {
    const secrets = objectsOf(resource).filter(({ kind }) => kind === "Secret");
    const findings = plainRandom(resource);
    if (/List$/.test(resource.type) && secrets.length > 0) {
      findings.push({
        subject: subjectOf(resource),
        why: "a List keeps the values of its Secrets in plain text in the state",
        remedy: "new k8s.core.v1.Secret for each",
      });
    }
    for (const { subject, body } of secrets) {
      const open = ["data", "stringData"].filter(
        (name) => Object.keys(mapAt(body, name)).length > 0 && !resource.secretOutputs.includes(name),
      );
      if (open.length > 0 && !/List$/.test(resource.type)) {
        findings.push({
          subject,
          why: `${open.join(" and ")} is not kept encrypted in the state`,
          remedy: `new k8s.core.v1.Secret, or { additionalSecretOutputs: ["data", "stringData"] } in its options`,
        });
      }
      for (const { path, text } of valuesOf(body)) {
        if (!looksSecret(path) || (text.length >= 12 && !PLACEHOLDER.test(text))) continue;
        findings.push({
          subject,
          why: `${path} is ${text === "" ? "empty" : text.length < 12 ? `only ${text.length} characters long` : "a placeholder"}, not a secret that somebody chose`,
          remedy: "the result of a random.RandomPassword, or a value set with `pulumi config set --secret`",
        });
      }
    }
    return findings;
  },
});
