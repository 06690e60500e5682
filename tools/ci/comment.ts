/** `comment`: writes the plans of a pull request into one comment, which later runs update. */
import { parseArgs } from "node:util";
import { runTool, UsageError } from "../cli.ts";
import { plansMarkdown, type StackPlan } from "../plan/markdown.ts";
import { environments } from "./environments.ts";
import { isOurs, type Post, type Repository, repositoryFromEnvironment } from "./github.ts";
import { masked } from "./masking.ts";
import { readPlans } from "./preview.ts";

const usage =
  "usage: GITHUB_TOKEN=… GITHUB_REPOSITORY=owner/name PR_NUMBER=… node tools/ci/comment.ts --from <dir>";

/** Identifies the comment. */
const MARK = "<!-- transcript-pipeline: preview -->";

/** The comment's text. */
export function commentText(plans: readonly StackPlan[], expected: readonly string[]): string {
  const run =
    process.env.GITHUB_RUN_ID === undefined
      ? ""
      : `[This run](${process.env.GITHUB_SERVER_URL ?? "https://github.com"}/${process.env.GITHUB_REPOSITORY}/actions/runs/${process.env.GITHUB_RUN_ID})`;
  const commit = plans.find((plan) => /^[0-9a-f]{12,64}$/.test(plan.commit))?.commit.slice(0, 12);
  const foot = [commit === undefined ? "" : `Commit ${commit}.`, run].filter((part) => part !== "").join(" ");
  return [
    MARK,
    "## What a deployment would do",
    "",
    plansMarkdown(plans, expected),
    ...(foot === "" ? [] : ["", `<sub>${foot}</sub>`]),
  ].join("\n");
}

/** Writes the comment, or updates the existing one. */
export async function publishComment(
  repository: Repository,
  pullRequest: number,
  text: string,
): Promise<string> {
  const comments = await repository.list<Post>(`/issues/${pullRequest}/comments`);
  const own = comments.find((comment) => isOurs(comment, MARK));
  if (own) {
    await repository.send("PATCH", `/issues/comments/${own.id}`, { body: text });
    return `updated comment ${own.id}`;
  }
  const { id } = await repository.send<Post>("POST", `/issues/${pullRequest}/comments`, { body: text });
  return `wrote comment ${id}`;
}

if (import.meta.main) {
  await runTool(usage, async () => {
    const { values } = parseArgs({ options: { from: { type: "string" } } });
    const pullRequest = Number(process.env.PR_NUMBER);
    if (values.from === undefined || !Number.isInteger(pullRequest)) throw new UsageError(usage);
    const stacks = environments();
    const text = masked(commentText(readPlans(values.from, stacks), stacks));
    console.log(await publishComment(repositoryFromEnvironment(), pullRequest, text));
  });
}
