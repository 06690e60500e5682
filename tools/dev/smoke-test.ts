import { readFileSync } from "node:fs";
import { type ClusterContext, contextFlags, read } from "../../cluster/kubectl.ts";
import { APPLICATION } from "../../components/kubernetes/labels.ts";
import { sayRefused, serverReports } from "../../cluster/server-reports.ts";
import { table } from "../../config.ts";
import { projectFile } from "../cli.ts";
import { attempt } from "../processes.ts";
import { SERVER_NAME, SERVER_POD } from "../../components/kubernetes/names.ts";

/** A command in the server's container. */
function inServer(cluster: ClusterContext, flags: readonly string[], ...command: string[]): string[] {
  return [
    ...["kubectl", ...contextFlags(cluster), "exec", ...flags],
    ...["-n", APPLICATION, SERVER_POD, "-c", SERVER_NAME, "--", ...command],
  ];
}

/** Owner and database. */
export interface Login {
  owner: string;
  database: string;
}

/** The configuration's defaults. */
const USUAL: Login = {
  owner: table.database.owner.default ?? "",
  database: table.database.name.default ?? "",
};

/** The value of a key in the deployment's Secret; empty without a Secret. */
async function deployedSecret(cluster: ClusterContext, timeout?: number): Promise<(key: string) => string> {
  const path = `/api/v1/namespaces/${APPLICATION}/secrets/postgres-secret`;
  const { data = {} } = (await read<{ data?: Record<string, string> }>(cluster, path, timeout)) ?? {};
  return (key) => Buffer.from(data[key] ?? "", "base64").toString();
}

/** The owner and the database as the deployment's Secret has them, if it is read within so many milliseconds. */
export async function deployedLogin(cluster: ClusterContext, timeout?: number): Promise<Login> {
  const value = await deployedSecret(cluster, timeout);
  return { owner: value("POSTGRES_USER") || USUAL.owner, database: value("POSTGRES_DB") || USUAL.database };
}

/** psql in the server's pod, as the owner. */
export function psqlCommand(
  cluster: ClusterContext,
  flags: readonly string[] = [],
  { owner, database }: Login = USUAL,
): string[] {
  return inServer(cluster, flags, "psql", "-U", owner, "-d", database);
}

/**
 * psql as a client connects: to the pod's address, with the Secret's login, and verifying the certificate if there is one. The password is the first line of the
 * input, so no list of processes shows it.
 */
const AS_A_CLIENT = [
  "IFS= read -r PGPASSWORD || exit 2; export PGPASSWORD PGCONNECT_TIMEOUT=10 PGAPPNAME=transcript-pipeline/smoke-test",
  // Settings meant for applications do not affect the test. A commit that waits for a standby would wait forever.
  "export PGOPTIONS='-c statement_timeout=60s -c lock_timeout=30s -c default_transaction_read_only=off -c row_security=on'",
  "[ ! -e /run/tls/current ] || { PGSSLROOTCERT=/etc/postgres-ca/ca.crt PGSSLMODE=verify-full",
  "  [ -e $PGSSLROOTCERT ] || PGSSLROOTCERT=system; export PGSSLROOTCERT PGSSLMODE; }",
  'PGHOSTADDR="$(hostname -i)" exec timeout 90 psql -X -q -w -At -v ON_ERROR_STOP=1 -h postgres -U "$0" -d "$1"',
].join("; ");

/** psql's status when it could not log in. */
const NOT_CONNECTED = 2;
/** Milliseconds until a changed password is in force: the kubelet was told to look, and needs a few seconds. */
const PATIENCE = 60_000;

/**
 * Tests the deployment by using it: logs in as a client does, writes a transcript with an embedding, and finds it again
 * by vector distance.
 *
 * @returns what was found, in a sentence
 * @throws when the Secret does not open the database within a minute, or the transcript is not found
 */
export async function smokeTest(cluster: ClusterContext): Promise<string> {
  const sql = readFileSync(projectFile("tools/dev/smoke-test.sql"), "utf8");
  const deadline = Date.now() + PATIENCE;
  const [{ configuration: refused }, first] = await Promise.all([
    serverReports(cluster, APPLICATION),
    deployedSecret(cluster),
  ]);
  if (refused !== undefined) throw new Error(sayRefused(refused));
  for (let value = first; ; value = await deployedSecret(cluster)) {
    const [command = "", ...args] = inServer(
      cluster,
      ["-i"],
      ...["bash", "-c", AS_A_CLIENT, value("POSTGRES_USER"), value("POSTGRES_DB")],
    );
    const input = `${value("POSTGRES_PASSWORD")}\n${sql}`;
    const { ok, status, output, errors } = await attempt(command, args, { input });
    if (ok && output.trim() !== "") return output.trim();
    if (ok) throw new Error("the transcript that was written was not found by vector distance");
    if (status !== NOT_CONNECTED || Date.now() > deadline)
      throw new Error(`the deployment failed its smoke test: ${errors.trim() || output.trim()}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
