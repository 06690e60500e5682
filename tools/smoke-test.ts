import { readFileSync } from "node:fs";
import { type ClusterContext, contextFlags } from "../components/kubectl.ts";
import { APPLICATION } from "../components/labels.ts";
import { projectFile } from "./cli.ts";
import { run } from "./processes.ts";

/** psql in the server's pod, as the owner. */
export function psqlCommand(cluster: ClusterContext, flags: readonly string[] = []): string[] {
  return [
    "kubectl",
    ...contextFlags(cluster),
    ...[
      "exec",
      ...flags,
      "-n",
      APPLICATION,
      "postgres-0",
      "--",
      "psql",
      "-U",
      "transcript_user",
      "-d",
      "transcripts_db",
    ],
  ];
}

/**
 * Proves the deployment by use: writes a transcript with an embedding, and finds it again by vector distance.
 *
 * @returns what was found, in a sentence
 */
export async function smokeTest(cluster: ClusterContext): Promise<string> {
  const [command = "", ...args] = psqlCommand(cluster, ["-i"]);
  const sql = readFileSync(projectFile("tools/smoke-test.sql"), "utf8");
  const found = (
    await run(command, [...args, "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1"], { input: sql })
  ).trim();
  if (!found) throw new Error("the transcript that was written was not found by vector distance");
  return found;
}
