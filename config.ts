/**
 * The configuration of a stack, read in this one place: Pulumi.<stack>.yaml in, typed and checked settings out.
 * Every field, its unit, its default and its range stand in config/<section>.ts and nowhere else.
 */
import * as pulumi from "@pulumi/pulumi";
import { checkSettings } from "./config/checks.ts";
import { fieldsOf, readSection, type Section } from "./config/reader.ts";
import { type Names, sectionsOf } from "./config/stack-keys.ts";
import { table, type Written } from "./config/table.ts";
import type { ServerPlan } from "./postgres/server-plan.ts";
import { type Problem, problemLine } from "./problem.ts";

export { table };

/**
 * A stack's configuration, typed, with its defaults, and the server that follows from it. Values under `secrets` are
 * secret outputs.
 */
export type Settings = Written & { server: ServerPlan };

/** Configuration that cannot be deployed: one line for each problem, each with the key, the value and the way out. */
export class ConfigurationError extends pulumi.RunError {
  readonly problems: readonly Problem[];
  constructor(stack: string, problems: readonly Problem[]) {
    super(
      [
        `the configuration of stack ${stack} cannot be deployed:`,
        ...problems.map((problem) => `  ${problemLine(problem)}`),
      ].join("\n"),
    );
    this.problems = problems;
  }
}

/** What {@link readSettings} found: the settings, and what to know about them. */
export interface Reading {
  settings: Settings;
  /** Sentences with their numbers, for a person to weigh. Nothing here stops a deployment. */
  warnings: string[];
}

/**
 * Reads and checks raw configuration.
 *
 * @param stack the stack's name; `dev` alone may leave out the cluster's context and the protection of its data
 * @param raw what stands under each top-level key
 * @throws ConfigurationError with every problem at once
 */
export function readSettings(stack: string, raw: Record<string, unknown>): Reading {
  const problems: Problem[] = [];
  const values = Object.fromEntries(
    Object.entries(table).map(([name, section]) => [
      name,
      readSection(name, section, raw[name] ?? {}, problems),
    ]),
  );
  // Sums and comparisons mean nothing while a part of them could not be read.
  if (problems.length > 0) throw new ConfigurationError(stack, problems);
  const written = { ...values, stack } as Written;
  const { problems: found, warnings, server } = checkSettings(written);
  if (found.length > 0 || !server) throw new ConfigurationError(stack, found);
  return { settings: { ...written, server }, warnings };
}

/** The names that a configuration can have. */
export function namesOf(sections: Record<string, Section> = table): Names {
  const fields = Object.entries(sections).flatMap(([name, section]) => fieldsOf(name, section));
  return {
    sections: Object.keys(sections),
    fields: fields.map(({ path }) => path),
    secrets: fields.filter(({ field }) => field.secret === true).map(({ path }) => path),
  };
}

/**
 * Reads and checks a stack's whole configuration as the engine hands it over.
 *
 * @param config by full key, `transcript-pipeline:node`
 * @param isSecret whether a full key holds something that was set with --secret
 * @throws ConfigurationError with every problem at once
 */
export function readConfig(
  stack: string,
  project: string,
  config: Readonly<Record<string, string>>,
  isSecret: (key: string) => boolean,
): Reading {
  const { raw, problems, warnings } = sectionsOf(config, project, isSecret, namesOf());
  try {
    const reading = readSettings(stack, raw);
    if (problems.length > 0) throw new ConfigurationError(stack, problems);
    return { ...reading, warnings: [...warnings, ...reading.warnings] };
  } catch (error) {
    if (!(error instanceof ConfigurationError) || error.problems === problems) throw error;
    // What is missing under a key that could not be read is not missing.
    const unread = new Set(problems.map(({ key }) => key.split(/[.[]/, 1)[0]));
    const others = error.problems.filter(({ key }) => !unread.has(key.split(".", 1)[0]));
    throw new ConfigurationError(stack, [...problems, ...others]);
  }
}

/** What the SDK has, and its types do not show. */
const runtime = pulumi.runtime as unknown as { isConfigSecret(key: string): boolean };

/** Reads the configuration of the stack that is being deployed. */
export function readStackSettings(): Reading {
  return readConfig(pulumi.getStack(), pulumi.getProject(), pulumi.runtime.allConfig(), (key) =>
    runtime.isConfigSecret(key),
  );
}
