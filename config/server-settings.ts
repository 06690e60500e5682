/** Checks of `database.settings`: names, values, and combinations that the server refuses. */
import { descriptionOf } from "../postgres/catalogue.ts";
import { conflictsIn } from "../postgres/combinations.ts";
import { isMemoryUnit } from "../postgres/numbers.ts";
import { objectionTo, plainSettings, settingName, settingNames } from "../postgres/settings.ts";
import type { Problem } from "../problem.ts";
import { nearest } from "../nearest.ts";
import { commandToRemove, commandToSet } from "./reader.ts";

/** Images with exactly the libraries in the catalogue; others may have more. */
const HAS_KNOWN_LIBRARIES = /(^|\/)(pgvector\/pgvector|postgres-standin)[:@]/;

/** Checks each name and value. */
export function settingProblems({
  image,
  settings,
}: {
  image: string;
  settings: Readonly<Record<string, string>>;
}): Problem[] {
  const names = Object.keys(settings);
  return Object.entries(settings).flatMap(([name, value]) => {
    const other = names.find(
      (candidate) => candidate !== name && settingName(candidate) === settingName(name),
    );
    if (other !== undefined) {
      const key = `database.settings.${name}`;
      const message = `is ${settingName(name)}, and so is ${other}. Allowed: one of them. To remove it: pulumi config rm --path '${key}'`;
      return [{ key, message }];
    }
    const objection = objectionTo(name, value, !HAS_KNOWN_LIBRARIES.test(image));
    if (objection === undefined) return [];
    const { message, remedy } = objection;
    const key = `database.settings.${name.includes(".") ? JSON.stringify(name) : name}`;
    const meant = remedy === "rename" ? nearest(name, settingNames()) : undefined;
    const wayOut =
      remedy === "set"
        ? `Set it: ${commandToSet(key, false)}`
        : `${meant === undefined ? "" : `Did you mean ${meant}? `}To remove it: ${commandToRemove(key)}`;
    return [{ key, message: `${message}${message.endsWith("?") ? "" : "."} ${wayOut}` }];
  });
}

/**
 * Combinations that the server refuses when it starts, although each value is valid.
 *
 * @param written the configured settings
 * @param inForce all settings that the server gets
 */
export function conflictProblems(
  written: Readonly<Record<string, string>>,
  inForce: Readonly<Record<string, string>>,
): Problem[] {
  const configured = Object.keys(written);
  return conflictsIn(inForce).map(({ names, message }) => {
    // Only a configured setting can be changed.
    const named = names.flatMap(
      (name) => configured.find((candidate) => settingName(candidate) === name) ?? [],
    );
    const blamed = named[0] ?? names[0] ?? "";
    const key = `database.settings.${blamed}`;
    const said = settingName(blamed) === names[0] ? message : `conflicts with ${names[0]}, which ${message}`;
    return { key, message: `${said}. Set it: ${commandToSet(key, false)}` };
  });
}

/** Warns about sizes without a unit: few people know PostgreSQL's default unit. */
export function bareSizes(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => {
    if (!isMemoryUnit(descriptionOf(name)?.unit) || !/^\d+$/.test(value) || Number(value) === 0) return [];
    const read = plainSettings({ [name]: value })[settingName(name)];
    return [`database.settings.${name} is ${value}, without a unit: PostgreSQL reads it as ${read}.`];
  });
}
