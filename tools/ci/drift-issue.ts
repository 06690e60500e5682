/**
 * `drift-issue`: one issue that lists the stacks that differ from their cluster: opened, updated, and closed when none
 * does.
 */
import { parseArgs } from "node:util";
import { runTool, UsageError } from "../cli.ts";
import { cut } from "../plan/markdown-text.ts";
import type { StackPlan } from "../plan/markdown.ts";
import { plansMarkdown } from "../plan/markdown.ts";
import { environments } from "./environments.ts";
import { isOurs, type Post, type Repository, repositoryFromEnvironment } from "./github.ts";
import { masked } from "./masking.ts";
import { hasFailed, readPlans } from "./preview.ts";

const usage = "usage: GITHUB_TOKEN=… GITHUB_REPOSITORY=owner/name node tools/ci/drift-issue.ts --from <dir>";

const MARK = "<!-- transcript-pipeline: drift -->";
const LABEL = "drift";

interface Issue extends Post {
  number: number;
  pull_request?: unknown;
}

/** Whether a stack is known to be unchanged since its deployment. */
function isClean({ summary }: StackPlan): boolean {
  return !hasFailed(summary) && summary.changes === 0;
}

/** The issue's text, or undefined when every stack is known to be unchanged since its deployment. */
export function driftText(plans: readonly StackPlan[], expected: readonly string[]): string | undefined {
  const clean = plans.filter(isClean).map(({ stack }) => stack);
  const concerned = expected.filter((stack) => !clean.includes(stack));
  if (concerned.length === 0) return undefined;
  return [
    MARK,
    "The cluster and the deployed program differ, or could not be compared. Below is what the next deployment would do.",
    "",
    "- To keep a difference, add it to the program or its configuration, and merge.",
    "- To undo it, run the workflow `deploy`: it restores what the program says.",
    "",
    plansMarkdown(plans, concerned),
    ...(clean.length === 0 ? [] : ["", `As deployed: ${cut(clean.join(", "), 2000)}.`]),
  ].join("\n");
}

/** Opens, updates or closes the issue. */
export async function publishDrift(repository: Repository, text: string | undefined): Promise<string> {
  const issues = await repository.list<Issue>(`/issues?state=open&labels=${LABEL}`);
  const own = issues.find((issue) => issue.pull_request === undefined && isOurs(issue, MARK));
  if (text === undefined) {
    if (!own) return "no drift";
    await repository.send("POST", `/issues/${own.number}/comments`, {
      body: "The cluster matches the program again.",
    });
    await repository.send("PATCH", `/issues/${own.number}`, { state: "closed", state_reason: "completed" });
    return `no more drift: closed issue ${own.number}`;
  }
  if (own) {
    await repository.send("PATCH", `/issues/${own.number}`, { body: text });
    return `updated issue ${own.number}`;
  }
  const { number } = await repository.send<Issue>("POST", "/issues", {
    title: "The cluster differs from the deployed program",
    body: text,
    labels: [LABEL],
  });
  return `opened issue ${number}`;
}

if (import.meta.main) {
  await runTool(usage, async () => {
    const { values } = parseArgs({ options: { from: { type: "string" } } });
    if (values.from === undefined) throw new UsageError(usage);
    const stacks = environments();
    const text = driftText(readPlans(values.from, stacks), stacks);
    console.log(
      await publishDrift(repositoryFromEnvironment(), text === undefined ? undefined : masked(text)),
    );
  });
}
