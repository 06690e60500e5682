/** Which sessions network policies would cut: those of an existing server, before the policies are switched on. */
import { APPLICATION } from "../components/kubernetes/labels.ts";
import { ACCESS_LABEL, SERVER_CONTAINER, SERVER_POD } from "../components/kubernetes/names.ts";
import type { Client, NetworkValues } from "../config/network.ts";
import { isIn } from "./address-ranges.ts";
import { type ClusterContext, kubectl, KubectlError, parsedAnswer, read } from "./kubectl.ts";

/** Sessions of one login and one program from one address. */
export interface Sessions {
  address: string;
  login: string;
  application: string;
  sessions: number;
}

/** A pod that has an address. */
export interface AddressedPod {
  metadata: { name: string; namespace: string; labels?: Record<string, string> };
  spec?: { hostNetwork?: boolean; nodeName?: string };
}

/** Sessions, with the pods that have their address: several in the network of a node, none outside the cluster. */
export interface KnownSessions extends Sessions {
  pods: readonly AddressedPod[];
}

/** Sessions over the network, as the owner sees them, who may read statistics. */
const QUERY = `select coalesce(json_agg(s), '[]') from (
  select host(client_addr) as address, usename as login, application_name as application, count(*)::int as sessions
  from pg_stat_activity
  where client_addr is not null and not client_addr <<= inet '127.0.0.0/8' and client_addr <> inet '::1'
  group by 1, 2, 3 order by 1, 2, 3) s`;

/** More are not asked about one by one. */
const MOST_ADDRESSES = 20;

/** The names of the deployed database and its owner. */
interface Names {
  database: string;
  owner: string;
}

/**
 * Looks at the sessions of the running server, and at the pods behind their addresses.
 *
 * @returns undefined if there is no server to ask
 * @throws KubectlError if it cannot be asked
 */
export async function lookAtSessions(
  cluster: ClusterContext,
  namespace: string,
  { database, owner }: Names,
): Promise<KnownSessions[] | undefined> {
  const psql = ["psql", "-X", "-q", "-w", "-At", "-U", owner, "-d", database, "-c", QUERY];
  const options = "PGOPTIONS=-c search_path=pg_catalog -c statement_timeout=5s";
  const environment = ["env", "PGAPPNAME=transcript-pipeline/sessions", options];
  const exec = ["exec", "-n", namespace, SERVER_POD, "-c", SERVER_CONTAINER, "--", ...environment, ...psql];
  let answer: string;
  try {
    answer = await kubectl(cluster, exec);
  } catch (error) {
    if (error instanceof KubectlError && error.notFound) return undefined;
    throw error;
  }
  const found = parsedAnswer<Sessions[]>(answer);
  const pods = new Map<string, AddressedPod[]>();
  const addresses = [...new Set(found.map(({ address }) => address))].slice(0, MOST_ADDRESSES);
  await Promise.all(
    addresses.map(async (address) => {
      const path = `/api/v1/pods?fieldSelector=${encodeURIComponent(`status.podIP=${address}`)}`;
      // Whoever deploys need not be allowed to read the pods of other namespaces.
      const list = await read<{ items: AddressedPod[] }>(cluster, path).catch(() => undefined);
      pods.set(address, list?.items ?? []);
    }),
  );
  return found.map((sessions) => ({ ...sessions, pods: pods.get(sessions.address) ?? [] }));
}

/** Whether a session is a declared client's, or comes from a pod that has the access label where none are declared. */
export function isClient({ address, pods }: KnownSessions, clients: NetworkValues["clients"]): boolean {
  const declared = Object.values(clients);
  const wanted: Partial<Client>[] = declared.length > 0 ? declared : [{ podLabels: ACCESS_LABEL }];
  return wanted.some(({ ranges, namespace = APPLICATION, podLabels = {} }) =>
    ranges
      ? isIn(address, ranges)
      : pods.some(
          ({ metadata, spec }) =>
            spec?.hostNetwork !== true &&
            metadata.namespace === namespace &&
            Object.entries(podLabels).every(([key, value]) => metadata.labels?.[key] === value),
        ),
  );
}

/** One group of sessions in words. */
function inWords({ address, login, application, sessions, pods }: KnownSessions): string {
  const [pod] = pods;
  const from = pod?.spec?.hostNetwork
    ? `${address}, a node`
    : pod
      ? `pod ${pod.metadata.namespace}/${pod.metadata.name}`
      : `${address}, which is not known to be a pod's`;
  const program = application === "" ? "" : ` (${application})`;
  return `${login}${program} from ${from}${sessions === 1 ? "" : `, ${sessions} sessions`}`;
}

/** Sessions that are listed in a message. */
const MOST_LISTED = 10;

/**
 * A sentence about the sessions that policies would cut.
 *
 * @param sessions undefined: there is no server to ask
 */
export function sayCut(
  sessions: readonly KnownSessions[] | undefined,
  clients: NetworkValues["clients"],
): string {
  if (sessions === undefined) return "Its sessions cannot be looked at: its pod does not run";
  const cut = sessions.filter((session) => !isClient(session, clients));
  if (cut.length === 0)
    return sessions.length === 0
      ? "It has no session over the network now; clients that are not connected now are not seen"
      : "Each session that it has now is a declared client's; clients that are not connected now are not seen";
  const listed = cut.slice(0, MOST_LISTED).map(inWords).join("; ");
  const more = cut.length > MOST_LISTED ? `; and ${cut.length - MOST_LISTED} more` : "";
  return `Policies would cut the next connection of each of these: ${listed}${more}. Declare them as clients: docs/network-policies.md`;
}
