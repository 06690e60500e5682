/**
 * The configuration of a stack, read in this one place: Pulumi.<stack>.yaml in, typed and checked settings out.
 * Every field, its unit, its default and its range stand in the table below and nowhere else.
 */
import * as pulumi from "@pulumi/pulumi";
import { checkSettings, tuned } from "./config/checks.ts";
import {
  absolutePath,
  cpu,
  databaseName,
  defaulted,
  dnsName,
  flag,
  host,
  hostKey,
  image,
  integer,
  kubeconfigPath,
  logins,
  oneOf,
  password,
  privateKey,
  required,
  settings,
  size,
  text,
  tolerations,
} from "./config/fields.ts";
import { isField, type Problem, readSection, type Section, type ValuesOf } from "./config/reader.ts";
import { type Names, sectionsOf } from "./config/stack-keys.ts";

const resources = (what: string) => ({
  memory: required(size({ description: `Memory ${what}` })),
  cpu: required(cpu({ description: `CPUs ${what}` })),
});

const sessions = (whose: string, times: { statement: number; lock: number; idle: number }, share: string) => {
  const seconds = (usual: number, what: string) =>
    defaulted(
      usual,
      integer(0, 604800, "seconds", { description: `${what} ${whose} may take. 0: no limit` }),
    );
  return {
    statementTimeout: seconds(times.statement, "Time that a statement of"),
    lockTimeout: seconds(times.lock, "Time that waiting for a lock in a session of"),
    idleInTransactionTimeout: seconds(times.idle, "Time that doing nothing in a transaction of"),
    connections: integer(1, 262143, "connections", {
      description: `Connections at once of ${whose}. Default: ${share} of max_connections`,
    }),
  };
};

/** Every field there is. */
export const table = {
  cluster: {
    context: text(/^[^\p{Cc}]*[^\p{Cc}\s][^\p{Cc}]*$/u, "the name of a context, on one line", {
      description:
        "Context of the kubeconfig. Without one `dev` takes the current context; other stacks refuse",
    }),
    kubeconfig: kubeconfigPath({
      description: "Path of the kubeconfig, where it is not the one kubectl would take",
    }),
    domain: defaulted(
      "cluster.local",
      dnsName({ description: "The cluster's DNS domain: what follows `svc.` in /etc/resolv.conf of a pod" }),
    ),
  },
  node: {
    hostname: required(
      dnsName({
        description:
          "The node with the GPU and the RAID, by its label: `kubectl get nodes -L kubernetes.io/hostname`",
      }),
    ),
    gpuResource: defaulted(
      "nvidia.com/gpu",
      text(/^[a-z0-9.-]+\/[a-z0-9.-]+$/, "a resource name with its domain, as nvidia.com/gpu", {
        description: "The resource that a node with a GPU offers",
      }),
    ),
    requireGpu: defaulted(false, flag({ description: "Whether the node must offer the GPU resource" })),
    tolerations: defaulted([], tolerations({ description: "Tolerations of the pods, for a tainted node" })),
    connection: defaulted(
      "none",
      oneOf(["none", "local", "ssh"], {
        description:
          "How the node's storage is prepared and checked: over SSH, on this machine, or by hand as `up` prints it",
      }),
    ),
    sshHost: host({ description: "Where `connection: ssh` connects to" }),
    sshPort: defaulted(22, integer(1, 65535, "port", { description: "Its port" })),
    sshUser: defaulted(
      "root",
      text(/^[a-z_][a-z0-9_-]*$/, "a user name", { description: "Its user: root, or one who may `sudo -n`" }),
    ),
    sshHostKey: hostKey({ description: "Its public host key. SSH is refused without one" }),
  },
  storage: {
    path: required(
      absolutePath({
        description:
          "Directory on the node that holds the data: the database's alone, not the system's, reached by no link",
      }),
    ),
    mount: absolutePath({
      description: "Mount point that must be mounted for `path` to be the real one. Above `path`",
    }),
    capacity: defaulted(
      "100Gi",
      size({ description: "Size of the volume, and the space that must be there" }),
    ),
    protect: flag({
      description:
        "Whether volume, claim and passwords are protected from deletion. Default: yes, but for `dev`; else no is refused",
    }),
  },
  database: {
    image: defaulted(
      "pgvector/pgvector:0.8.6-pg16-bookworm",
      image({ description: "PostgreSQL 16 with pgvector, Debian-based" }),
    ),
    upgradeTo: image({
      description:
        "The same image as `image`, when it brings another pgvector or distribution: the existing database is brought along",
    }),
    upgradeTimeout: defaulted(
      21600,
      integer(60, 604800, "seconds", { description: "Time that Job has: it may build indexes again" }),
    ),
    name: defaulted("transcripts_db", databaseName("database", { description: "The database" })),
    owner: defaulted(
      "transcript_user",
      databaseName("owner", { description: "Its owner, who is not a superuser" }),
    ),
    // A date without quotes is a time to the engine, and comes with one: 2026-01-01 00:00:00 +0000 UTC.
    rotation: text(
      /^[A-Za-z0-9._:+-][A-Za-z0-9._:+ -]{0,63}$/,
      "up to 64 letters, digits, spaces and . _ : + -",
      {
        description: "Change it, for example to a date, to generate all passwords again",
      },
    ),
    logins: defaulted(
      {},
      logins({
        description:
          "Logins beside the owner, by name: `readwrite`, `readonly` or `monitoring`. Each has a Secret of its own",
      }),
    ),
    sessions: sessions("each login", { statement: 300, lock: 30, idle: 300 }, "half"),
    ownerSessions: sessions("the owner", { statement: 3600, lock: 60, idle: 600 }, "three quarters"),
    requests: resources("set aside for the server"),
    limits: resources("the server cannot exceed"),
    sharedMemory: size({
      description:
        "/dev/shm. Counts against the memory limit. Default: maintenance_work_mem and a quarter, 64Mi or more",
    }),
    terminationGracePeriod: defaulted(
      300,
      integer(30, 3600, "seconds", { description: "Time a shutdown has for its last checkpoint" }),
    ),
    recoveryTime: defaulted(
      3600,
      integer(60, 86400, "seconds", {
        description: "Time a start has, crash recovery included, before it is started over",
      }),
    ),
    settings: defaulted(
      {},
      settings({
        description: "PostgreSQL's settings by name: shared_buffers, work_mem, max_connections, …",
      }),
    ),
    tuning: defaulted(
      "none",
      oneOf(["none", "auto"], {
        description:
          "`auto`: settings that fit the limits are chosen, and those named in `settings` win. `none`: these alone",
      }),
    ),
    storageKind: defaulted(
      "ssd",
      oneOf(["ssd", "hdd", "san"], {
        description: "What the data lies on, for `tuning`. `san`: an array of many disks",
      }),
    ),
  },
  migration: {
    image: defaulted("ghcr.io/amacneil/dbmate:2.36.0", image({ description: "dbmate, with psql" })),
    timeout: defaulted(
      600,
      integer(30, 86400, "seconds", {
        description: "Time the init Job has, waiting for the server included",
      }),
    ),
  },
  secrets: {
    databasePassword: password({ description: "Password of the owner. Default: generated, 40 characters" }),
    superuserPassword: password({ description: "Password of `postgres`. Default: generated, 40 characters" }),
    sshPrivateKey: privateKey({ description: "Private key of `node.sshUser`. Default: the SSH agent" }),
  },
} as const satisfies Record<string, Section>;

/** A stack's configuration, typed, with its defaults. Values under `secrets` are plain text: wrap them at once. */
export type Settings = { [Name in keyof typeof table]: ValuesOf<(typeof table)[Name]> } & { stack: string };

/** Configuration that cannot be deployed: one line for each problem, each with the key, the value and the way out. */
export class ConfigurationError extends pulumi.RunError {
  readonly problems: readonly Problem[];
  constructor(stack: string, problems: readonly Problem[]) {
    super(
      [
        `the configuration of stack ${stack} cannot be deployed:`,
        ...problems.map(({ key, message }) => `  ${key}: ${message}`),
      ].join("\n"),
    );
    this.problems = problems;
  }
}

/** What {@link readSettings} found: the settings, and what is doubtful about them. */
export interface Reading {
  settings: Settings;
  /** Sentences with their numbers, for a person to weigh. Nothing here stops a deployment. */
  doubts: string[];
}

/**
 * Reads and checks raw configuration.
 *
 * @param stack the stack's name; `dev` alone may leave out the cluster's context and the protection of its data
 * @param raw what stands under each top-level key
 * @throws ConfigurationError with every problem at once
 */
export function readSettings(stack: string, raw: Record<string, unknown>): Reading {
  const problems: Problem[] = [];
  const values = Object.fromEntries(
    Object.entries(table).map(([name, section]) => [
      name,
      readSection(name, section, raw[name] ?? {}, problems),
    ]),
  );
  // Sums and comparisons mean nothing while a part of them could not be read.
  if (problems.length > 0) throw new ConfigurationError(stack, problems);
  const read = { ...values, stack } as Settings;
  const checked = checkSettings(read);
  if (checked.problems.length > 0) throw new ConfigurationError(stack, checked.problems);
  return { settings: tuned(read), doubts: checked.doubts };
}

/** Every field by its path. */
function fieldsOf(path: string, section: Section): { path: string; secret: boolean }[] {
  return Object.entries(section).flatMap(([name, entry]) => {
    const field = `${path}.${name}`;
    return isField(entry) ? [{ path: field, secret: entry.type === "secret" }] : fieldsOf(field, entry);
  });
}

/** The names that a configuration can have. */
export function namesOf(sections: Record<string, Section> = table): Names {
  const fields = Object.entries(sections).flatMap(([name, section]) => fieldsOf(name, section));
  return {
    sections: Object.keys(sections),
    fields: fields.map(({ path }) => path),
    secrets: fields.filter(({ secret }) => secret).map(({ path }) => path),
  };
}

/**
 * Reads and checks a stack's whole configuration as the engine hands it over.
 *
 * @param config by full key, `transcript-pipeline:node`
 * @param isSecret whether a full key holds something that was set with --secret
 * @throws ConfigurationError with every problem at once
 */
export function readConfig(
  stack: string,
  project: string,
  config: Readonly<Record<string, string>>,
  isSecret: (key: string) => boolean,
): Reading {
  const { raw, problems, doubts } = sectionsOf(config, project, isSecret, namesOf());
  try {
    const reading = readSettings(stack, raw);
    if (problems.length > 0) throw new ConfigurationError(stack, problems);
    return { ...reading, doubts: [...doubts, ...reading.doubts] };
  } catch (error) {
    if (!(error instanceof ConfigurationError) || error.problems === problems) throw error;
    // What is missing under a key that could not be read is not missing.
    const unread = new Set(problems.map(({ key }) => key.split(/[.[]/, 1)[0]));
    const others = error.problems.filter(({ key }) => !unread.has(key.split(".", 1)[0]));
    throw new ConfigurationError(stack, [...problems, ...others]);
  }
}

/** What the SDK has, and its types do not show. */
const runtime = pulumi.runtime as unknown as { isConfigSecret(key: string): boolean };

/** Reads the configuration of the stack that is being deployed. */
export function readStackSettings(): Reading {
  return readConfig(pulumi.getStack(), pulumi.getProject(), pulumi.runtime.allConfig(), (key) =>
    runtime.isConfigSecret(key),
  );
}
