/** Superuser's SQL in the server's pod, protected like every session of the superuser. */
import { readFileSync } from "node:fs";
import { type ClusterContext, contextFlags, kubectlEnvironment } from "../../cluster/kubectl.ts";
import { APPLICATION } from "../../components/kubernetes/labels.ts";
import { SERVER_CONTAINER, SERVER_POD } from "../../components/kubernetes/names.ts";
import { SCRIPTS_PATH } from "../../components/kubernetes/scripts.ts";
import { SOCKET_PATH } from "../../postgres/places.ts";
import { projectFile } from "../cli.ts";
import { attempt } from "../processes.ts";

/** A protected session of the superuser; its arguments are psql's. */
const AS_SUPERUSER = [
  `. ${SCRIPTS_PATH}/superuser.sh`,
  `SUPERUSER_SOCKET=${SOCKET_PATH} superuser_time=40`,
  `superuser backup "-c statement_timeout=30s -c lock_timeout=5s" -d postgres -At "$@" -f -`,
].join("\n");

/** Milliseconds for kubectl and the session together, unless the caller has less. */
const PATIENCE = 60_000;

/**
 * Runs SQL as the superuser, in the database `postgres`.
 *
 * @param variables psql's, by name
 * @param patience milliseconds
 * @returns the rows, as psql prints them unaligned
 * @throws Error with psql's or kubectl's words
 */
export async function asSuperuser(
  cluster: ClusterContext,
  sql: string,
  variables: Readonly<Record<string, string>> = {},
  patience = PATIENCE,
): Promise<string> {
  const { ok, output, errors } = await attempt(
    "kubectl",
    [
      ...[...contextFlags(cluster), "exec", "-i", "-n", APPLICATION, SERVER_POD, "-c", SERVER_CONTAINER],
      ...["--", "bash", "-c", AS_SUPERUSER, "backup"],
      ...Object.entries(variables).flatMap(([name, value]) => ["-v", `${name}=${value}`]),
    ],
    { input: sql, env: kubectlEnvironment(cluster), timeout: patience },
  );
  if (!ok)
    throw new Error(
      `the database cannot be asked: ${errors.trim() || output.trim() || `no answer within ${patience / 1000} s`}`,
    );
  return output.trim();
}

/** A SQL file next to this one. */
export const sqlFile = (name: string) => readFileSync(projectFile(`tools/backup/${name}`), "utf8");
