/** The section `database`: the server, its logins, and its settings. */
import { imageVersionOf } from "../postgres/image-version.ts";
import type { Problem } from "../problem.ts";
import { bytesOfQuantity, cpusOfQuantity } from "../quantities.ts";
import {
  cpu,
  databaseName,
  defaulted,
  image,
  integer,
  logins,
  oneOf,
  required,
  settings,
  size,
  text,
} from "./fields.ts";
import { DATABASE_NAME, nearestName, SYSTEM_DATABASES, TAKEN } from "./names.ts";
import { commandToSet, type Section, type ValuesOf } from "./reader.ts";
import { settingProblems } from "./server-settings.ts";

const resources = (what: string) => ({
  memory: required(size({ description: `Memory ${what}` })),
  cpu: required(cpu({ description: `CPUs ${what}` })),
});

const sessions = (whose: string, times: { statement: number; lock: number; idle: number }, share: string) => {
  const seconds = (usual: number, what: string) =>
    defaulted(usual, integer(0, 604800, "seconds", { description: `${what} ${whose}. 0: no limit` }));
  return {
    statementTimeout: seconds(times.statement, "Longest duration of a statement of"),
    lockTimeout: seconds(times.lock, "Longest wait for a lock in a session of"),
    idleInTransactionTimeout: seconds(times.idle, "Longest idle time in a transaction of"),
    connections: integer(1, 262143, "connections", {
      description: `Simultaneous connections of ${whose}. Default: ${share} of max_connections`,
    }),
  };
};

export const database = {
  image: defaulted(
    "pgvector/pgvector:0.8.6-pg16-bookworm",
    image({ description: "PostgreSQL 16 with pgvector, Debian-based" }),
  ),
  upgradeTo: image({
    description:
      "Set it to the value of `image` to confirm an upgrade of the existing database to another pgvector or distribution",
  }),
  upgradeTimeout: defaulted(
    21600,
    integer(60, 604800, "seconds", {
      description: "Time limit for the upgrade Job, which may rebuild indexes",
    }),
  ),
  name: defaulted("transcripts_db", databaseName("database", { description: "Name of the database" })),
  owner: defaulted(
    "transcript_user",
    databaseName("owner", { description: "Name of its owner, which is not a superuser" }),
  ),
  // The engine reads a date without quotes as a time: 2026-01-01 00:00:00 +0000 UTC.
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
        "Logins in addition to the owner, by name: `readwrite`, `readonly` or `monitoring`. Each gets its own Secret",
    }),
  ),
  sessions: sessions("each login", { statement: 300, lock: 30, idle: 300 }, "half"),
  ownerSessions: sessions("the owner", { statement: 3600, lock: 60, idle: 600 }, "three quarters"),
  requests: resources("reserved for the server"),
  limits: resources("the server cannot exceed"),
  sharedMemory: size({
    description:
      "Size of /dev/shm, part of the memory limit. Default: 5/4 of maintenance_work_mem, at least 64Mi",
  }),
  terminationGracePeriod: defaulted(
    300,
    integer(30, 3600, "seconds", { description: "Time limit for a shutdown, including its checkpoint" }),
  ),
  recoveryTime: defaulted(
    3600,
    integer(60, 86400, "seconds", {
      description: "Time limit for a start, including crash recovery, before the server is restarted",
    }),
  ),
  settings: defaulted(
    {},
    settings({
      description: "PostgreSQL settings by name: shared_buffers, work_mem, max_connections, …",
    }),
  ),
  tuning: defaulted(
    "none",
    oneOf(["none", "auto"], {
      description:
        "`auto`: choose settings that fit the limits; `settings` overrides them. `none`: only `settings`",
    }),
  ),
  storageKind: defaulted(
    "ssd",
    oneOf(["ssd", "hdd", "san"], {
      description: "Kind of disk, for `tuning`. `san`: an array of many disks",
    }),
  ),
} as const satisfies Section;

/** The section's values. */
export type DatabaseValues = ValuesOf<typeof database>;

/** All checks within the section. */
export function databaseProblems({ database: written }: { database: DatabaseValues }): Problem[] {
  return [imageProblems, nameProblems, loginProblems, settingProblems, requestProblems].flatMap((check) =>
    check(written),
  );
}

/** The major version that this deployment supports. */
const MAJOR = 16;

function imageProblems({ image: written }: DatabaseValues): Problem[] {
  const { major } = imageVersionOf(written);
  if (major === undefined || major === MAJOR) return [];
  return [
    {
      key: "database.image",
      message:
        `is ${written}, which contains PostgreSQL ${major}. Allowed: PostgreSQL ${MAJOR}. Another major version ` +
        "cannot read this one's files; docs/upgrades.md describes how to move all data. Set it: pulumi config set " +
        "--path database.image <image>",
    },
  ];
}

function nameProblems({ name, owner, logins: others }: DatabaseValues): Problem[] {
  const problems: Problem[] = [];
  if (TAKEN.test(owner)) {
    problems.push({
      key: "database.owner",
      message:
        `is "${owner}", a name that PostgreSQL or the group roles use. Allowed: any name except postgres, public and ` +
        `none, not beginning with 'transcripts_'. Set it: pulumi config set --path database.owner ` +
        nearestName(owner, "owner", Object.keys(others)),
    });
  }
  if (SYSTEM_DATABASES.includes(name)) {
    problems.push({
      key: "database.name",
      message:
        `is "${name}", a database that every server has. Allowed: any name except ${SYSTEM_DATABASES.join(", ")}. ` +
        `Set it: pulumi config set --path database.name ${nearestName(name, "database")}`,
    });
  }
  return problems;
}

function loginProblems({ owner, logins: written }: DatabaseValues): Problem[] {
  return Object.keys(written).flatMap((name) => {
    const key = `database.logins.${name}`;
    const wayOut = `To remove it: pulumi config rm --path '${key}'`;
    if (name === owner) {
      const message = `is the name of database.owner, which already has all rights. ${wayOut}`;
      return [{ key, message }];
    }
    // Its Secret is named after it, and an object's name cannot end in '-'.
    if (DATABASE_NAME.test(name) && !TAKEN.test(name) && !name.endsWith("_")) return [];
    return [
      {
        key,
        message:
          `is not a valid login name. Allowed: at most 63 lower-case letters, digits and '_', not beginning with a ` +
          `digit, 'pg_' or 'transcripts_', not ending in '_', and not postgres, public or none. ${wayOut}`,
      },
    ];
  });
}

function requestProblems({ requests, limits }: DatabaseValues): Problem[] {
  const problems: Problem[] = [];
  const compared = [
    ["memory", bytesOfQuantity],
    ["cpu", cpusOfQuantity],
  ] as const;
  for (const [resource, parse] of compared) {
    if ((parse(requests[resource]) ?? 0) <= (parse(limits[resource]) ?? 0)) continue;
    const key = `database.requests.${resource}`;
    problems.push({
      key,
      message:
        `is ${requests[resource]}, above database.limits.${resource}, ${limits[resource]}. ` +
        `Allowed: the limit or less. Set it: ${commandToSet(key, false)}`,
    });
  }
  return problems;
}
