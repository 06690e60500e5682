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
import type { KubernetesObject } from "../resources.ts";
import { type Finding, objectRule } from "../rule.ts";
import { DANGERS, FREE, WATCHED } from "../settings.ts";

const NAME = "declared-settings";

/** A setting, with where it stands. */
type Written = SettingLine & { where: string };

function writtenIn(object: KubernetesObject): Written[] {
  return [
    ...Object.entries(settingsFiles(object)).flatMap(([file, text]) =>
      (/sessions/.test(file) ? sessionLines : settingLines)(text).map((line) => ({
        where: `data["${file}"]`,
        ...line,
      })),
    ),
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

/** Why a setting is refused, or undefined when it may be there. */
function objectionTo({ line, name, value = "" }: Written): string | undefined {
  if (name === undefined) return `has the line "${line}", which cannot be read`;
  if (/^include(_dir|_if_exists)?$/.test(name)) {
    return `has the line "${line}", which takes settings from a file that no rule sees`;
  }
  const watched = WATCHED.get(name);
  if (watched) {
    if (watched.safe.test(value)) return undefined;
    return `sets ${name} to '${value}', which ${DANGERS[watched.danger]}`;
  }
  return FREE.has(name)
    ? undefined
    : `sets ${name}, which the pack does not know as a setting of PostgreSQL 16`;
}

export const declaredSettings = objectRule<Declared>({
  name: NAME,
  description:
    "Who sets what runs a program, names a place, weakens durability or logs secrets has undone what the rest of the stack keeps",
  level: "mandatory",
  schema: declaredSchema("Settings of PostgreSQL, `<name> = <value>`"),
  check: (object, { declared }) =>
    writtenIn(object).flatMap((written): Finding[] => {
      const why = objectionTo(written);
      const line = written.name === undefined ? written.line : `${written.name} = ${written.value}`;
      if (why === undefined || declared.includes(line)) return [];
      return [{ subject: object.subject, why: `${written.where} ${why}`, remedy: declarationOf(NAME, line) }];
    }),
});
