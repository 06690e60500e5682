/** Whether the running server accepts logins over the network without encryption, and who uses that. */
import type { Read } from "./api-proxy.ts";
import { type ClusterContext, kubectl } from "./kubectl.ts";
import {
  CONFIG_NAME,
  type DatabaseNames,
  SERVER_CONTAINER,
  SERVER_POD,
} from "../components/kubernetes/names.ts";

/** Addresses inside the pod. */
const LOOPBACK = /^(127\.|::1|localhost)/;

/** Whether a pg_hba.conf accepts anybody from outside the pod without encryption. */
export function acceptsPlain(hba: string): boolean {
  return hba
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .some(
      ([type = "", , , address = "", method = ""]) =>
        /^(host|hostnossl)$/.test(type) && !LOOPBACK.test(address) && method !== "reject",
    );
}

/** Asks the cluster for the configuration of its server. Undefined if there is none. */
export async function lookForPlain(read: Read, namespace: string): Promise<boolean | undefined> {
  const config = await read<{ data?: Record<string, string> }>(
    `/api/v1/namespaces/${namespace}/configmaps/${CONFIG_NAME}`,
  );
  const hba = config?.data?.["pg_hba.conf"];
  return hba === undefined ? undefined : acceptsPlain(hba);
}

/** The sessions from outside the pod without encryption, by whom and from where. The owner may see all of them. */
const SESSIONS = `
select format('%s from %s%s', usename, client_addr, coalesce(' (' || nullif(application_name, '') || ')', ''))
       || case when count(*) > 1 then format(', %s sessions', count(*)) else '' end
  from pg_catalog.pg_stat_activity join pg_catalog.pg_stat_ssl using (pid)
 where not ssl and client_addr is not null and client_addr not in ('127.0.0.1', '::1')
 group by usename, client_addr, application_name order by count(*) desc, 1 limit 10`;

/**
 * Asks the server who would be cut off, by the names of the database that it has.
 *
 * @throws KubectlError if it cannot be asked
 */
export async function plainSessions(
  cluster: ClusterContext,
  namespace: string,
  { database, owner }: DatabaseNames,
): Promise<string[]> {
  const psql = ["psql", "-X", "-At", "-w", "-U", owner, "-d", database, "-c", SESSIONS];
  const pod = ["exec", "-n", namespace, SERVER_POD, "-c", SERVER_CONTAINER, "--"];
  const said = await kubectl(cluster, [...pod, "env", "PGCONNECT_TIMEOUT=5", ...psql]);
  // A client chooses the name of its application.
  return said
    .split("\n")
    .map((line) => line.replace(/\p{Cc}/gu, "?"))
    .filter((line) => line !== "");
}

/**
 * The warning about a server that accepts them.
 *
 * @param sessions those seen; undefined if the server could not be asked
 */
export function sayPlain(sessions: readonly string[] | undefined): string {
  const seen =
    sessions === undefined
      ? "Whether somebody does so now could not be checked"
      : sessions.length === 0
        ? "Nobody does so now"
        : `Now: ${sessions.join("; ")}`;
  return (
    `tls.plainConnections: logins over the network are still accepted without encryption. ${seen}. Once every client ` +
    "encrypts (sslmode=verify-full, docs/tls.md), refuse the others: pulumi config set --path tls.plainConnections refused"
  );
}
