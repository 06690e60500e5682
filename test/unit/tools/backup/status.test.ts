import assert from "node:assert/strict";
import { restorePointName } from "../../../../tools/backup/restore-point.ts";
import { jobName } from "../../../../tools/backup/run.ts";
import {
  type Found,
  type JobObject,
  runReports,
  type ServerReport,
  statusLines,
  statusOf,
} from "../../../../tools/backup/status.ts";

const NOW = "2026-11-29T12:00:00.000Z";
const at = (secondsAgo: number) => Date.parse(NOW) / 1000 - secondsAgo;
const time = (secondsAgo: number) => new Date(at(secondsAgo) * 1000).toISOString();

const base = (label: string, repository: number, secondsAgo: number, more: object = {}) => ({
  label,
  type: label.includes("_") ? "incr" : "full",
  error: false,
  database: { "repo-key": repository },
  info: { size: 100 * 2 ** 20, repository: { delta: 10 * 2 ** 20 } },
  timestamp: { start: at(secondsAgo + 30), stop: at(secondsAgo) },
  ...more,
});

const server: ServerReport = {
  now: NOW,
  archiving: true,
  archiver: {
    last_archived_wal: "000000010000000000000009",
    last_archived_time: time(5),
    last_failed_wal: null,
    last_failed_time: null,
  },
  waiting: 0,
  heartbeat: { newest: time(3), archived: time(21), lost: 21, setBack: null },
  drills: [],
};

const drill = (repository: string, proven: boolean, secondsAgo: number) => ({
  at: time(secondsAgo),
  proven,
  repository,
  label: "A",
  lsn: "0/1",
  rpo: 20,
  seconds: 9,
  words: proven ? "PROVEN: backup A" : "FAILED: no space",
});

function found(change: Partial<Found> = {}): Found {
  return {
    repositories: "1:cloud:s3 2:nas:directory",
    information: {
      backup: [base("A", 1, 7200), base("A_B", 1, 600), base("C", 2, 300)],
      repo: [
        { key: 1, status: { code: 0, message: "ok" } },
        { key: 2, status: { code: 0, message: "ok" } },
      ],
    },
    server,
    jobs: [],
    pods: [],
    ...change,
  };
}

const job = (name: string, owner: string | undefined, secondsAgo: number, condition?: string): JobObject => ({
  metadata: { name, ...(owner !== undefined && { ownerReferences: [{ kind: "CronJob", name: owner }] }) },
  status: {
    startTime: time(secondsAgo + 10),
    ...(condition === "Complete" && { completionTime: time(secondsAgo) }),
    conditions:
      condition === undefined
        ? []
        : [{ type: condition, status: "True", lastTransitionTime: time(secondsAgo) }],
  },
});

describe("the status of the backups", () => {
  it("has the backups of each repository, and the moments that can be restored", () => {
    const [cloud, nas] = statusOf(found()).repositories;
    assert.deepEqual(
      cloud?.backups.map(({ label }) => label),
      ["A", "A_B"],
    );
    assert.deepEqual(cloud?.recoverable, { from: time(7200), to: time(21) });
    assert.deepEqual(nas?.recoverable, { from: time(300), to: time(21) });
  });

  it("counts no backup with errors among those that can be restored", () => {
    const information = { backup: [base("A", 1, 7200, { error: true })], repo: [] };
    const [cloud] = statusOf(found({ information })).repositories;
    assert.deepEqual(cloud?.damaged, ["A"]);
    assert.equal(cloud?.recoverable, undefined);
    assert.ok(statusLines(statusOf(found({ information }))).includes("  WITH ERRORS: A"));
  });

  it("has the last dump in its own words, and one that failed", () => {
    const jobs = [job("dump-1", "postgres-backup-dump", 90, "Complete")];
    const pods = [
      {
        metadata: { name: "dump-1-x", labels: { "job-name": "dump-1" } },
        status: {
          initContainerStatuses: [{ name: "rclone", state: { terminated: { exitCode: 143 } } }],
          containerStatuses: [
            {
              name: "dump",
              state: { terminated: { exitCode: 0, message: "dump: DONE: transcripts_db-1\n" } },
            },
          ],
        },
      },
    ];
    const last = (change: Partial<Found>) => statusLines(statusOf(found(change))).at(-1);
    assert.equal(last({ jobs, pods }), "last dump, 90 s ago: DONE: transcripts_db-1");
    const failed = [job("dump-2", "postgres-backup-dump", 60, "Failed"), ...jobs];
    const words = [
      {
        metadata: { name: "dump-2-x", labels: { "job-name": "dump-2" } },
        status: {
          containerStatuses: [
            { name: "dump", state: { terminated: { exitCode: 1, message: "dump: FAILED: no" } } },
          ],
        },
      },
    ];
    assert.equal(last({ jobs: failed, pods: words }), "dump (dump-2): failed, 60 s ago: FAILED: no");
  });

  it("ends what can be restored with the newest backup while nothing is archived", () => {
    const none = { ...server, heartbeat: { newest: time(3), archived: null, lost: null, setBack: null } };
    const status = statusOf(found({ server: none }));
    assert.equal(status.repositories[0]?.recoverable?.to, time(600));
    assert.equal(status.archiving.lost, undefined);
  });

  it("says in words how old, how large, and when each repository was last restored as a test", () => {
    const drills = [drill("nas", false, 60), drill("cloud", true, 3600)];
    const lines = statusLines(statusOf(found({ server: { ...server, drills } })));
    assert.deepEqual(lines, [
      "repository cloud (s3): ok",
      "  2 backups, 1 of them full, 20 MiB in all",
      "  newest: A_B (incr), 10 minutes ago, of 100 MiB, made in 30 s",
      "  can be restored to any moment from 2026-11-29 10:00:00 UTC to 2026-11-29 11:59:39 UTC",
      "  last proven restore: 60 minutes ago, backup A",
      "repository nas (directory): ok",
      "  1 backup, 1 of them full, 10 MiB in all",
      "  newest: C (full), 5 minutes ago, of 100 MiB, made in 30 s",
      "  can be restored to any moment from 2026-11-29 11:55:00 UTC to 2026-11-29 11:59:39 UTC",
      "  never restored as a test: npm run backup -- drill",
      "archiving: works",
      "  last archived: 000000010000000000000009, 5 s ago",
      "  a loss of the disk now would cost the last 21 s",
      "last drill, 60 s ago: FAILED: no space",
    ]);
  });

  it("says that archiving fails only while the last attempt has failed, and what waits", () => {
    const failing = (secondsAgo: number, wal = "00000001000000000000000A") =>
      statusLines(
        statusOf(
          found({
            server: {
              ...server,
              waiting: 3,
              archiver: {
                ...server.archiver,
                last_failed_wal: wal,
                last_failed_time: time(secondsAgo),
              },
            },
          }),
        ),
      ).join("\n");
    assert.match(failing(2), /archiving: FAILS: 00000001000000000000000A could not be archived, 2 s ago/);
    assert.match(failing(2), /waiting on the disk: 3 segments of WAL/);
    assert.match(failing(60), /archiving: FAILS/);
    assert.match(failing(60, "000000010000000000000009"), /archiving: works/);
  });

  it("names a repository that lacks WAL which another has, as one that is away", () => {
    const archive = (...newest: (string | null)[]) =>
      newest.map((max, index) => ({ database: { id: 1, "repo-key": index + 1 }, max }));
    const lines = (...newest: (string | null)[]) =>
      statusLines(
        statusOf(found({ information: { backup: [], repo: [], archive: archive(...newest) } })),
      ).filter((line) => line.includes("LACKS"));
    const [nine, ten] = ["000000010000000000000009", "00000001000000000000000A"];
    assert.deepEqual(lines(ten, ten), []);
    assert.deepEqual(lines(null, null), []);
    assert.deepEqual(lines(ten, nine), [
      `  LACKS WAL after ${nine} that another repository has. Why: kubectl -n transcript-pipeline logs postgres-backup-0`,
    ]);
    assert.match(lines(ten, null)[0] ?? "", /LACKS WAL that another/);
    assert.equal(lines(ten).length, 1, "one that cannot be read");
  });

  it("is not misled by a clock that was set back: not by times to come, nor about what a loss would cost", () => {
    const setBack = { from: time(-3540), to: time(60) };
    const status = statusOf(
      found({
        information: {
          backup: [base("20261129-110000F", 1, 3600), base("20261129-124000F", 1, -2460)],
          repo: [{ key: 1, status: { code: 0, message: "ok" } }],
        },
        server: {
          ...server,
          archiver: {
            ...server.archiver,
            last_failed_wal: "000000010000000000000007",
            last_failed_time: time(-3000),
          },
          heartbeat: { newest: time(3), archived: time(-3541), lost: 33.5, setBack },
        },
      }),
    );
    assert.equal(status.archiving.state, "works");
    assert.equal(status.archiving.lost, 33.5);
    assert.deepEqual(status.clockSetBack, setBack);
    const lines = statusLines(status);
    assert.ok(
      lines.includes(
        "  newest: 20261129-124000F (full), at 2026-11-29 12:41:00 UTC, which is yet to come, of 100 MiB, made in 30 s",
      ),
      lines.join("\n"),
    );
    assert.ok(
      lines.includes(
        "the server's clock was set back from 2026-11-29 12:59:00 UTC to 2026-11-29 11:59:00 UTC: a restore to a moment between them ends at its first time. docs/restoring.md",
      ),
      lines.join("\n"),
    );
  });

  it("has the backups in the order of their labels, also where a later one was finished at an earlier time", () => {
    const backup = [base("20261129-110000F", 1, 60), base("20261129-110000F_20261129-113000I", 1, 600)];
    const [cloud] = statusOf(found({ information: { backup, repo: [] } })).repositories;
    assert.equal(cloud?.backups.at(-1)?.label, "20261129-110000F_20261129-113000I");
  });

  it("says what a server needs for the newest backup, whatever the names are", () => {
    const annotation = {
      image: "pgvector/pgvector:pg16@sha256:abc",
      version: "16.14",
      extensions: "a%3db%3b%20%c3%a9%0ax:pg_trgm=1.6;postgres:;transcripts_db:uuid-ossp=1.1,vector=0.8.0",
    };
    const status = statusOf(found({ information: { backup: [base("A", 1, 60, { annotation })], repo: [] } }));
    const [newest] = status.repositories[0]?.backups ?? [];
    assert.equal(newest?.image, annotation.image);
    assert.deepEqual(newest.extensions, {
      "a=b; é\nx": { pg_trgm: "1.6" },
      transcripts_db: { "uuid-ossp": "1.1", vector: "0.8.0" },
    });
    assert.ok(
      statusLines(status).includes(
        "  of PostgreSQL 16.14; a=b; é?x with pg_trgm 1.6; transcripts_db with uuid-ossp 1.1, vector 0.8.0",
      ),
      statusLines(status).join("\n"),
    );
  });

  it("says what did not answer, and knows nothing else of it", () => {
    const status = statusOf(found({ information: new Error("no agent"), server: new Error("no server") }));
    assert.deepEqual(status.unanswered, ["no agent", "no server"]);
    const lines = statusLines(status);
    assert.ok(lines.includes("repository cloud (s3): unknown"));
    assert.ok(lines.includes("archiving: not known yet"));
    assert.ok(lines.includes("not known: no agent"));
    assert.ok(!lines.some((line) => line.includes("no backup")));
  });

  it("says that a stack has no repository", () => {
    const lines = statusLines(
      statusOf(
        found({
          repositories: "",
          information: { backup: [], repo: [] },
          server: { ...server, archiving: false },
        }),
      ),
    );
    assert.deepEqual(lines, ["no backups: this stack has no repository. docs/backups.md", "archiving: off"]);
  });
});

describe("the runs of the backups", () => {
  const first = (condition?: string) => job("postgres-backup-first", undefined, 100, condition);
  const states = (...jobs: JobObject[]) => runReports(jobs, []).map(({ what, state }) => `${what}: ${state}`);

  it("are those of the backups alone, the newest first", () => {
    assert.deepEqual(
      states(
        job("postgres-init", undefined, 5, "Complete"),
        first("Complete"),
        job("d", "postgres-backup-drill", 10),
      ),
      ["drill: running", "first backup and drill: complete"],
    );
  });

  it("keep a failure until a later success makes up for it", () => {
    const failed = first("Failed");
    assert.deepEqual(states(failed), ["first backup and drill: failed"]);
    assert.deepEqual(states(failed, job("f", "postgres-backup-full", 10, "Complete")), [
      "full backup: complete",
      "first backup and drill: failed",
    ]);
    assert.deepEqual(states(failed, job("d", "postgres-backup-drill", 10, "Complete")), ["drill: complete"]);
    assert.deepEqual(states(failed, job("d", "postgres-backup-drill", 200, "Complete")), [
      "first backup and drill: failed",
      "drill: complete",
    ]);
  });

  it("have the reason in the words of the container that failed, not of the agent that was stopped", () => {
    const pods = [
      {
        metadata: { labels: { "job-name": "d" } },
        status: {
          initContainerStatuses: [
            { name: "agent", state: { terminated: { exitCode: 143, message: "bye" } } },
          ],
          containerStatuses: [
            {
              name: "drill",
              state: { terminated: { exitCode: 1, message: "drill: begins\ndrill: FAILED: no space\n" } },
            },
          ],
        },
      },
    ];
    const [run] = runReports([job("d", "postgres-backup-drill", 10, "Failed")], pods);
    assert.equal(run?.words, "FAILED: no space");
    const late = job("l", "postgres-backup-drill", 10);
    late.status = { conditions: [{ type: "Failed", status: "True", reason: "DeadlineExceeded" }] };
    assert.match(runReports([late], [])[0]?.words ?? "", /backup\.backupTimeout/);
  });
});

describe("the words of the command backup", () => {
  it("take a name for a restore point that the server takes whole", () => {
    for (const name of ["before-upgrade", "a", "x".repeat(63), "1.2_3"])
      assert.equal(restorePointName(name), name);
    for (const name of [undefined, "", "-v", "a b", "x".repeat(64), "'; drop", "ä"])
      assert.throws(() => restorePointName(name), /restore-point: the name is/);
  });

  it("name a Job after its CronJob, as an object's name", () => {
    assert.match(jobName("postgres-backup-drill", Date.parse(NOW)), /^postgres-backup-drill-[a-z0-9]{6}$/);
  });
});
