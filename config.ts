/**
 * The only place that reads a stack's configuration: Pulumi.<stack>.yaml in, typed and checked settings out.
 * Every field, its unit, its default and its range are in config/<section>.ts.
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
 * A stack's typed configuration with defaults, and the server derived from it. Values under `secrets` are secret
 * outputs.
 */
export type Settings = Written & { server: ServerPlan };

/** Configuration that cannot be deployed. One line for each problem: the key, the value and how to fix it. */
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

/** The result of {@link readSettings}. */
export interface Reading {
  settings: Settings;
  /** Sentences with numbers. They do not stop the deployment. */
  warnings: string[];
}

/**
 * Reads and checks raw configuration.
 *
 * @param stack the stack's name; only `dev` may omit the cluster's context and the protection of its data
 * @param raw the value of each top-level key
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
  // Sums and comparisons need every value.
  if (problems.length > 0) throw new ConfigurationError(stack, problems);
  const written = { ...values, stack } as Written;
  const { problems: found, warnings, server } = checkSettings(written);
  if (found.length > 0 || !server) throw new ConfigurationError(stack, found);
  return { settings: { ...written, server }, warnings };
}

/** The names that a configuration can use. */
export function namesOf(sections: Record<string, Section> = table): Names {
  const fields = Object.entries(sections).flatMap(([name, section]) => fieldsOf(name, section));
  return {
    sections: Object.keys(sections),
    fields: fields.map(({ path }) => path),
    secrets: fields.filter(({ field }) => field.secret === true).map(({ path }) => path),
  };
}

/**
 * Reads and checks a stack's whole configuration as the engine passes it.
 *
 * @param config by full key, `transcript-pipeline:node`
 * @param isSecret whether the value of a full key was set with --secret
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
    // A field below a key that could not be read is not missing.
    const unread = new Set(problems.map(({ key }) => key.split(/[.[]/, 1)[0]));
    const others = error.problems.filter(({ key }) => !unread.has(key.split(".", 1)[0]));
    throw new ConfigurationError(stack, [...problems, ...others]);
  }
}

/** The SDK's types do not include it. */
const runtime = pulumi.runtime as unknown as { isConfigSecret(key: string): boolean };

/** Reads the configuration of the stack that is being deployed. */
export function readStackSettings(): Reading {
  return readConfig(pulumi.getStack(), pulumi.getProject(), pulumi.runtime.allConfig(), (key) =>
    runtime.isConfigSecret(key),
  );
}
