/** The workflows as data, and their steps as commands. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { projectFile } from "../../tools/cli.ts";

export interface Step {
  name?: string;
  id?: string;
  uses?: string;
  run?: string;
  with?: Record<string, unknown>;
  env?: Record<string, string>;
}

export interface Job {
  steps: Step[];
  permissions?: Record<string, string>;
  needs?: string | string[];
  if?: string;
  environment?: string | { name: string };
  concurrency?: { group: string; "cancel-in-progress": boolean };
  "timeout-minutes"?: number;
  "runs-on": string;
}

export interface Workflow {
  name: string;
  on: Record<string, unknown>;
  permissions?: unknown;
  jobs: Record<string, Job>;
}

/** The files, by name. */
export function workflowTexts(): Map<string, string> {
  const directory = projectFile(".github/workflows");
  return new Map(
    readdirSync(directory)
      .filter((file) => file.endsWith(".yml"))
      .map((file) => [file, readFileSync(join(directory, file), "utf8")]),
  );
}

/** One workflow. */
export function workflow(file: string): Workflow {
  return parse(readFileSync(projectFile(`.github/workflows/${file}`), "utf8")) as Workflow;
}

/** The only step of a job that runs a script of ./tools/ci. */
export function toolStep(file: string, job: string, script: string): Step & { run: string } {
  const steps = workflow(file).jobs[job]?.steps ?? [];
  const found = steps.filter(({ run }) => run?.includes(`tools/ci/${script}.ts`));
  const [step] = found;
  if (found.length !== 1 || step?.run === undefined) {
    throw new Error(`${file} has ${found.length} steps with ${script} in job ${job}`);
  }
  return { ...step, run: step.run };
}
