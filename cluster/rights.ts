/**
 * What this wing asks of the API server, in the namespace and in the cluster, for whoever grants it. The objects that
 * the program registers need their own rights, and are not listed.
 */
import {
  BACKUP_CRON_JOBS,
  CLAIM_NAME,
  CONFIG_NAME,
  FIRST_BACKUP_JOB,
  SERVER_NAME,
  SERVER_POD,
  VOLUME_NAME,
} from "../components/kubernetes/names.ts";

/** One right: a verb on a resource. */
export interface Right {
  /** API group; empty for the core. */
  group: string;
  /** Plural, with the subresource: `pods/exec`. */
  resource: string;
  verb: string;
  /** Name of the only object. @default all of them */
  name?: string | undefined;
}

/** Rights by where they apply. */
export interface Rights {
  /** In the whole cluster. */
  cluster: readonly Right[];
  /** In the database's namespace. */
  namespace: readonly Right[];
}

const core = { group: "" };
const apps = { group: "apps" };
const batch = { group: "batch" };
const stores = { group: "external-secrets.io" };

/** What `lookAtCluster` reads, in each preview and each `up`. One refusal fails all of it. */
const LOOKS: Rights = {
  cluster: [
    { ...core, resource: "nodes", verb: "list" },
    { ...core, resource: "persistentvolumes", verb: "get", name: VOLUME_NAME },
  ],
  namespace: [
    { ...apps, resource: "statefulsets", verb: "get", name: SERVER_NAME },
    { ...core, resource: "persistentvolumeclaims", verb: "get", name: CLAIM_NAME },
    // Whether the server accepts plain connections.
    { ...core, resource: "configmaps", verb: "get", name: CONFIG_NAME },
    { ...core, resource: "pods", verb: "list" },
    { ...batch, resource: "jobs", verb: "list" },
    // Asked for whether there are backups or not.
    { ...batch, resource: "cronjobs", verb: "get", name: BACKUP_CRON_JOBS.drill },
    { ...batch, resource: "jobs", verb: "get", name: FIRST_BACKUP_JOB },
  ],
};

/** What an `up` does next to the program's objects: see `changesTo` in live.ts. */
const CHANGES: Rights = {
  cluster: [],
  namespace: [
    // prompt-kubelet
    ...["get", "patch"].map((verb) => ({ ...core, resource: "pods", verb, name: SERVER_POD })),
    // refused-configuration. API servers ask for `get` where kubectl uses a WebSocket, for `create` where it does not,
    // and for both from 1.35 on.
    ...["get", "create"].map((verb) => ({ ...core, resource: "pods/exec", verb, name: SERVER_POD })),
    // refused-start
    { ...apps, resource: "statefulsets", verb: "get", name: SERVER_NAME },
    { ...apps, resource: "statefulsets/scale", verb: "patch", name: SERVER_NAME },
  ],
};

/** What `lookAtStore` reads, and what the engine reads of a Secret that it lets go of. */
const STORE_LOOKS: readonly Right[] = [
  { ...stores, resource: "externalsecrets", verb: "list" },
  ...["get", "list"].map((verb) => ({ ...core, resource: "secrets", verb })),
  { ...core, resource: "events", verb: "list" },
];

/** What an `up` does in addition: deletes the Secrets that the operator leaves behind. */
const STORE_CHANGES: readonly Right[] = [{ ...core, resource: "secrets", verb: "delete" }];

/**
 * What this wing needs for an operation. A preview does without the look into the server's container.
 *
 * @param isStored whether a secret store keeps the values of the credentials
 */
export function rightsForLooks(operation: "preview" | "deploy", isStored = false): Rights {
  const isDeploy = operation === "deploy";
  return {
    cluster: [...LOOKS.cluster, ...(isDeploy ? CHANGES.cluster : [])],
    namespace: [
      ...LOOKS.namespace,
      ...(isStored ? STORE_LOOKS : []),
      ...(isDeploy ? CHANGES.namespace : []),
      ...(isDeploy && isStored ? STORE_CHANGES : []),
    ],
  };
}
