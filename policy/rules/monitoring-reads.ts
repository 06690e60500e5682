import { type Declared, declarationOf, declaredSchema } from "../declared.ts";
import { objectRule } from "../rule.ts";
import { field, isMap } from "../values.ts";

const NAME = "monitoring-reads";
const GROUP = "transcripts_monitoring";

/** Privileges on objects with which nothing is changed (https://www.postgresql.org/docs/16/ddl-priv.html). */
const READING = ["select", "usage", "connect", "execute"];
/** Roles that read statistics and settings (https://www.postgresql.org/docs/16/predefined-roles.html). */
const READERS = ["pg_monitor", "pg_read_all_stats", "pg_read_all_settings", "pg_stat_scan_tables"];
/** Attributes with which a role does more than its privileges say. */
const ATTRIBUTE = /\b(superuser|createdb|createrole|replication|bypassrls)\b/;

const words = (list: string) =>
  list
    // A list of columns.
    .replaceAll(/\([^)]*\)/g, "")
    .split(",")
    .map((word) => word.trim());

/** What a statement gives the group that does more than read, or undefined. */
function objectionTo(statement: string): string | undefined {
  const granted = /\bgrant\s+(.+?)\s+to\s+(.+)/.exec(statement);
  if (granted) {
    const [, what = "", to = ""] = granted;
    // Behind the roles: `with`, `granted by`.
    if (!words(to).some((role) => role.replace(/^group\s+/, "").split(" ")[0] === GROUP)) return undefined;
    const [given = "", object] = what.split(/\s+on\s+/);
    const allowed = object === undefined ? READERS : READING;
    const beyond = words(given).filter((word) => !allowed.includes(word));
    return beyond.length === 0 ? undefined : `gives it ${beyond.join(", ")}`;
  }
  if (new RegExp(`\\bowner\\s+to\\s+${GROUP}\\b`).test(statement)) return "makes it an owner";
  const altered = new RegExp(`\\b(?:alter|create)\\s+(?:role|user|group)\\s+${GROUP}\\b(.*)`).exec(statement);
  const attribute = ATTRIBUTE.exec(altered?.[1] ?? "");
  return attribute ? `makes it ${attribute[0]}` : undefined;
}

/** Statements of a text in any language, in lower case with single spaces: also those in strings and in functions. */
function statementsIn(text: string): string[] {
  const plain = text.replaceAll(/--.*/g, " ").replaceAll(/\/\*[^]*?\*\//g, " ");
  // Both, because what looks like a comment may be in a string.
  return [...new Set([text, plain])].flatMap((one) =>
    one
      .replaceAll('"', "")
      .toLowerCase()
      .split(/[;']|\$\w*\$|\\g\w*/)
      .map((statement) => statement.replaceAll(/\s+/g, " ").trim()),
  );
}

export const monitoringReads = objectRule<Declared>({
  name: NAME,
  asks: "no SQL gives the group of monitoring more than to read",
  description:
    "The logins that monitor are in pods that others may ask for metrics: with more than to read, whoever takes one over changes data",
  level: "mandatory",
  schema: declaredSchema("Statements, in lower case with single spaces"),
  check: ({ kind, body, subject }, { declared }) => {
    const data = kind === "ConfigMap" ? field(body, "data") : undefined;
    return Object.entries(isMap(data) ? data : {}).flatMap(([file, text]) => {
      if (typeof text !== "string" || !text.toLowerCase().includes(GROUP)) return [];
      return [...new Set(statementsIn(text))].flatMap((statement) => {
        const why = objectionTo(statement);
        if (why === undefined || declared.includes(statement)) return [];
        return [
          {
            subject,
            why: `data["${file}"] ${why}: "${statement.slice(0, 300)}"`,
            remedy: `grant only ${READING.join(", ")} on objects, and ${READERS.join(", ")}; or ${declarationOf(NAME, statement)}`,
          },
        ];
      });
    });
  },
});
