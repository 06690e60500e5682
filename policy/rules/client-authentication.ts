import { accessLines, type AccessLine, accessRuleOf, isPattern, takesFromFile } from "../access-files.ts";
import { type Declared, declarationOf, declaredSchema } from "../declared.ts";
import { configurationFiles, parseSettings } from "../postgres.ts";
import { type Finding, objectRule } from "../rule.ts";

const NAME = "client-authentication";

/** Methods that authenticate a client without sending its password. */
const PROVEN = ["scram-sha-256", "cert", "gss", "reject"];

/** Options that make a method stricter, or no weaker. */
const OPTIONS = /^clientcert=verify-(full|ca)$|^clientname=(CN|DN)$/;

/** What is wrong with a line, and what to write instead if not a declaration. */
interface Objection {
  why: string;
  remedy?: string;
}

function objectionsTo(entry: AccessLine): Objection[] {
  if (takesFromFile(entry)) return [{ why: "which takes clients from a file that no rule sees" }];
  const rule = accessRuleOf(entry);
  if (!rule) return [{ why: "which cannot be read" }];
  const { type, databases, users, method, options } = rule;
  const objections: Objection[] = [];
  const allowed = type === "local" ? [...PROVEN, "peer"] : PROVEN;
  if (!allowed.includes(method)) {
    objections.push({
      why: `whose method is ${method || "missing"}`,
      remedy: `the method ${type === "local" ? "peer" : "scram-sha-256"}`,
    });
  }
  for (const option of options) {
    if (OPTIONS.test(option) || (method === "peer" && option === "map=server_pod")) continue;
    objections.push({ why: `whose option ${option} is not declared` });
  }
  if (method !== "reject" && [...databases, ...users].some(isPattern)) {
    objections.push({ why: "whose database or user matches any number of names" });
  }
  return objections;
}

export const clientAuthentication = objectRule<Declared>({
  name: NAME,
  asks: "scram-sha-256 or a certificate; peer on the socket; no other files, expressions or options",
  description: "Accepting clients without authentication opens the database to every pod in the cluster",
  level: "mandatory",
  schema: declaredSchema("Lines of pg_hba.conf, with single spaces"),
  check: ({ kind, body, subject }, { declared }) => {
    if (kind !== "ConfigMap") return [];
    return Object.entries(configurationFiles(body)).flatMap(([file, text]): Finding[] => {
      const where = `data["${file}"]`;
      const findings: Finding[] = [];
      for (const entry of /hba/.test(file) ? accessLines(text) : []) {
        if (declared.includes(entry.line)) continue;
        for (const { why, remedy } of objectionsTo(entry)) {
          findings.push({
            subject,
            why: `${where} has the line "${entry.line}", ${why}`,
            remedy: remedy ?? declarationOf(NAME, entry.line),
          });
        }
      }
      const { password_encryption: encryption } = parseSettings(text);
      if (encryption !== undefined && encryption !== "scram-sha-256") {
        findings.push({
          subject,
          why: `${where} sets password_encryption to ${encryption}`,
          remedy: "password_encryption = scram-sha-256, or leave it out",
        });
      }
      return findings;
    });
  },
});
