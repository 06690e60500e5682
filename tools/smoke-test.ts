import { readFileSync } from "node:fs";
import { type ClusterContext, contextFlags, read } from "../components/kubectl.ts";
import { APPLICATION } from "../components/labels.ts";
import { projectFile } from "./cli.ts";
import { run } from "./processes.ts";

/** A command in the server's container. */
function inServer(cluster: ClusterContext, flags: readonly string[], ...command: string[]): string[] {
  return [
    ...["kubectl", ...contextFlags(cluster), "exec", ...flags],
    ...["-n", APPLICATION, "postgres-0", "-c", "postgres", "--", ...command],
  ];
}

/** psql in the server's pod, as the owner. */
export function psqlCommand(cluster: ClusterContext, flags: readonly string[] = []): string[] {
  return inServer(cluster, flags, "psql", "-U", "transcript_user", "-d", "transcripts_db");
}

/**
 * As a client comes: to the pod's address, with what the Secret says. The password is the first line of the input, and so
 * in no list of processes.
 */
const AS_A_CLIENT = [
  "IFS= read -r PGPASSWORD; export PGPASSWORD PGCONNECT_TIMEOUT=10",
  'exec psql -X -q -w -At -v ON_ERROR_STOP=1 -h "$(hostname -i)" -U "$0" -d "$1"',
].join("; ");

/**
 * Proves the deployment by use: logs in as a client does, writes a transcript with an embedding, and finds it again by
 * vector distance.
 *
 * @returns what was found, in a sentence
 * @throws when the Secret does not open the database, or the transcript is not found
 */
export async function smokeTest(cluster: ClusterContext): Promise<string> {
  const path = `/api/v1/namespaces/${APPLICATION}/secrets/postgres-secret`;
  const { data = {} } = (await read<{ data?: Record<string, string> }>(cluster, path)) ?? {};
  const value = (key: string) => Buffer.from(data[key] ?? "", "base64").toString();
  const [command = "", ...args] = inServer(
    cluster,
    ["-i"],
    ...["bash", "-c", AS_A_CLIENT, value("POSTGRES_USER"), value("POSTGRES_DB")],
  );
  const sql = readFileSync(projectFile("tools/smoke-test.sql"), "utf8");
  const found = (await run(command, args, { input: `${value("POSTGRES_PASSWORD")}\n${sql}` })).trim();
  if (!found) throw new Error("the transcript that was written was not found by vector distance");
  return found;
}
