import { type Declared, declarationOf, declaredSchema } from "../declared.ts";
import { podsOf } from "../pods.ts";
import {
  isServer,
  sessionLines,
  type SettingLine,
  settingLines,
  settingsFiles,
  settingsOnCommandLine,
} from "../postgres.ts";
import { rangeText } from "../amounts.ts";
import type { KubernetesObject } from "../resources.ts";
import { type Finding, objectRule } from "../rule.ts";
import { DANGERS, FREE, isSafe, WATCHED } from "../settings.ts";

const NAME = "declared-settings";

/** Limits of a role's sessions, with the values that need no declaration. */
const SESSION_LIMITS: Readonly<Record<string, RegExp>> = {
  statement_timeout: /^\d+s$/,
  lock_timeout: /^\d+s$/,
  idle_in_transaction_session_timeout: /^\d+s$/,
  connections: /^[1-9]\d*$/,
};

/** A setting, with its place, and whether it is one of a role's sessions. */
type Written = SettingLine & { where: string; ofSessions?: boolean };

function writtenIn(object: KubernetesObject): Written[] {
  return [
    ...Object.entries(settingsFiles(object)).flatMap(([file, text]) => {
      const ofSessions = /sessions/.test(file);
      const lines = ofSessions ? sessionLines(text) : settingLines(text);
      return lines.map((line) => ({ where: `data["${file}"]`, ofSessions, ...line }));
    }),
    ...podsOf(object).flatMap((pod) =>
      pod.containers.filter(isServer).flatMap((container) =>
        Object.entries(settingsOnCommandLine(container)).map(([name, value]) => ({
          where: `the command line of container ${container.name}`,
          line: `${name}=${value}`,
          name,
          value,
        })),
      ),
    ),
  ];
}

/** Why a setting is refused, or undefined when it is allowed. */
function objectionTo({ line, name, value = "", ofSessions = false }: Written): string | undefined {
  if (name === undefined) return `has the line "${line}", which cannot be read`;
  if (ofSessions) {
    if (SESSION_LIMITS[name]?.test(value)) return undefined;
    return `has the line "${line}", which is not a limit of a role's sessions: ${Object.keys(SESSION_LIMITS).join(", ")}`;
  }
  if (/^include(_dir|_if_exists)?$/.test(name)) {
    return `has the line "${line}", which takes settings from a file that no rule sees`;
  }
  const watched = WATCHED.get(name);
  if (watched) {
    const { safe, danger } = watched;
    if (isSafe(value, safe)) return undefined;
    const free = safe instanceof RegExp ? "" : `; ${rangeText(safe)} needs no declaration`;
    return `sets ${name} to '${value}', which ${DANGERS[danger]}${free}`;
  }
  return FREE.has(name)
    ? undefined
    : `sets ${name}, which the pack does not know as a setting of PostgreSQL 16`;
}

export const declaredSettings = objectRule<Declared>({
  name: NAME,
  asks: "PostgreSQL settings that run a program, name a place, weaken durability, log secrets, open access or have a harmful amount, unknown settings and `include`: only as declared",
  description:
    "A setting that runs a program, names a place, weakens durability or logs secrets undoes what the rest of the stack protects",
  level: "mandatory",
  schema: declaredSchema(
    "Settings of PostgreSQL, `<name> = <value>`; those of sessions, `<whose> <name> <value>`",
  ),
  check: (object, { declared }) =>
    writtenIn(object).flatMap((written): Finding[] => {
      const why = objectionTo(written);
      const { name, value, ofSessions } = written;
      const line = name === undefined || ofSessions ? written.line : `${name} = ${value}`;
      if (why === undefined || declared.includes(line)) return [];
      return [{ subject: object.subject, why: `${written.where} ${why}`, remedy: declarationOf(NAME, line) }];
    }),
});
