import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../../../tools/cli.ts";
import type { Information } from "../../../../tools/backup/status.ts";
import { type Finding, report } from "../../../../tools/status/findings.ts";
import {
  type ClusterLook,
  look as lookAt,
  type Look,
  nodeLookIn,
  type StatusPod,
} from "../../../../tools/status/look.ts";
import { statusPage } from "../../../../tools/status/page.ts";
import { answers, headline, statusWords } from "../../../../tools/status/words.ts";

const AT = "2026-11-30T12:00:00.000Z";
const seconds = Date.parse(AT) / 1000;
const before = (ago: number) => new Date((seconds - ago) * 1000).toISOString();
const DAY = 86_400;

const pod = (name: string, more: object = {}): StatusPod => ({
  metadata: { name },
  status: {
    phase: "Running",
    conditions: [{ type: "Ready", status: "True" }],
    containerStatuses: [{ name: "main", restartCount: 0, state: { running: {} } }],
    ...more,
  },
});

const FIGURES = [
  { name: "server_running_seconds", label: "", value: 3 * DAY },
  { name: "connections_used_ratio", label: "", value: 0.12 },
  { name: "archive_behind_seconds", label: "", value: 12 },
  { name: "cache_hit_ratio", label: "", value: 0.991 },
  { name: "lock_wait_seconds", label: "", value: 0 },
  { name: "transaction_open_seconds", label: "", value: 3 },
  { name: "transaction_numbers_used_ratio", label: "", value: 0.01 },
];
const NODE = [
  { name: "disk_free_ratio", label: "", value: 0.61 },
  { name: "disk_read_only", label: "", value: 0 },
  { name: "certificate_left_seconds", label: "", value: 27 * DAY },
  { name: "raid_missing_devices", label: "md0", value: 0 },
];

/** All is well, with a backup of six hours ago that was proven two days ago. */
function look(changes: Partial<Look> = {}): Look {
  return {
    at: AT,
    cluster: {
      isDeployed: true,
      isNotified: false,
      collectors: [],
      repositories: "1:cloud:s3",
      jobs: [],
      pods: [pod("postgres-0"), pod("postgres-backup-0")],
    },
    node: { figures: NODE, reasons: {} },
    database: {
      version: "16.14",
      figures: FIGURES,
      backups: {
        now: AT,
        archiving: true,
        archiver: {
          ...{ last_archived_wal: "000000010000000000000007", last_archived_time: before(12) },
          ...{ last_failed_wal: null, last_failed_time: null },
        },
        waiting: 0,
        heartbeat: { newest: before(5), archived: before(12), lost: 12, setBack: null },
        drills: [
          {
            ...{ at: before(2 * DAY), proven: true, repository: "cloud", label: "20261128-120000F" },
            ...{ lsn: "0/7000000", rpo: 20, seconds: 30, words: "proven" },
          },
        ],
      },
    },
    jobs: [{ name: "jobs_queued", label: "", value: 0 }],
    repositories: {
      backup: [
        {
          label: "20261130-060000F",
          type: "full",
          database: { "repo-key": 1 },
          info: { size: 1e9, repository: { delta: 5e8 } },
          timestamp: { start: seconds - 6 * 3600 - 60, stop: seconds - 6 * 3600 },
        },
      ],
      repo: [{ key: 1, status: { code: 0, message: "ok" } }],
    },
    ...changes,
  };
}
const cluster = (changes: Partial<ClusterLook>) => ({
  cluster: { ...look().cluster, ...changes } as ClusterLook,
});
const figures = (...changed: [name: string, label: string, value: number][]): Partial<Look> => {
  const known = look();
  assert.ok(!(known.node instanceof Error));
  return {
    node: { ...known.node, figures: changed.map(([name, label, value]) => ({ name, label, value })) },
  };
};
const findings = (changes: Partial<Look>) => report("prod", look(changes)).findings;
const names = (all: readonly Finding[]) => all.map(({ name }) => name);

describe("the status", () => {
  it("of a stack where all is well finds nothing, and answers each question in a line", () => {
    const status = report("prod", look());
    assert.deepEqual([status.state, status.findings, status.unanswered], ["ok", [], []]);
    assert.deepEqual(statusWords(status), [
      "prod: all is well",
      "Is it up?            PostgreSQL 16.14; running for 3 days; 12 % of its connections in use",
      "Is it safe?          a loss of the disk now would cost the last 12 s; backup in cloud: 6 hours old, restore proven 2 days ago; RAID whole",
      "Is it fast?          99.1 % of reads from memory; nobody waits for a lock; longest transaction 3 s; no job waits",
      "What runs out next?  61 % of the disk free; certificate valid for 27 days; transaction numbers 1 % used",
    ]);
  });

  it("tells the gravest first, each with what to do and the page, and the exit status follows it", () => {
    const status = report(
      "prod",
      look(
        figures(
          ["disk_full_seconds", "", 2 * DAY],
          ["disk_read_only", "", 1],
          ["raid_missing_devices", "md0", 1],
        ),
      ),
    );
    assert.equal(status.state, "critical");
    assert.deepEqual(names(status.findings), ["disk-read-only", "raid-degraded", "disk-full-soon"]);
    assert.equal(headline(status), "prod: 2 things wrong now, 1 warning");
    const words = statusWords(status);
    assert.match(words[1] ?? "", /^WRONG: the data's disk is mounted read-only/);
    assert.match(words[2] ?? "", /^ {2}.*dmesg.* {2}\(docs\/status\.md#the-disk-is-read-only\)$/);
    assert.match(words[5] ?? "", /^WARNING: the data's disk is full in 2 days/);
  });

  it("tells of one figure once, as what is graver", () => {
    assert.deepEqual(names(findings(figures(["disk_free_ratio", "", 0.02]))), ["disk-almost-full"]);
    assert.deepEqual(names(findings(figures(["disk_free_ratio", "", 0.1]))), ["disk-filling"]);
    // Of two repositories each.
    const both = findings(figures(["drill_failed", "cloud", 1], ["drill_failed", "nas", 1]));
    assert.deepEqual(names(both), ["drill-failed", "drill-failed"]);
  });

  it("repeats what was said about a refusal", () => {
    const [finding] = findings({
      node: nodeLookIn(
        "configuration_refused\t\t1\nreason\tconfiguration_refused\twork_mem: 1 is too small\n",
      ),
    });
    assert.match(finding?.words ?? "", /refused the deployed configuration.*\(work_mem: 1 is too small\)$/);
  });

  it("reads the node's lines, and nothing that is not one", () => {
    assert.deepEqual(
      nodeLookIn("disk_free_ratio\t\t0.5\nraid_missing_devices\tmd0\t1\nsh: df: not found\na\tb\tc\n\n"),
      {
        figures: [
          { name: "disk_free_ratio", label: "", value: 0.5 },
          { name: "raid_missing_devices", label: "md0", value: 1 },
        ],
        reasons: {},
      },
    );
  });

  it("of a cluster that does not answer says that, and not a word of what hangs on it", () => {
    const silent = new Error("no answer");
    const status = report(
      "prod",
      look({
        cluster: new Error("connection refused"),
        node: silent,
        database: silent,
        jobs: silent,
        repositories: silent,
      }),
    );
    assert.deepEqual(names(status.findings), ["cluster-silent"]);
    assert.deepEqual(status.unanswered, []);
    assert.match(status.findings[0]?.words ?? "", /connection refused/);
    assert.equal(answers(status).find(({ question }) => question === "safe")?.text, "not known");
  });

  it("of a stack that is not deployed says how to deploy it", () => {
    const [finding] = report("dev", look(cluster({ isDeployed: false, pods: [] }))).findings;
    assert.deepEqual([finding?.name, finding?.remedy], ["not-deployed", "npm run up"]);
    assert.equal(
      report("prod", look(cluster({ isDeployed: false }))).findings[0]?.remedy,
      "pulumi up --stack prod",
    );
  });

  it("of a server that does not run repeats its own words", () => {
    const down = pod("postgres-0", {
      conditions: [{ type: "Ready", status: "False" }],
      containerStatuses: [
        {
          ...{ name: "postgres", restartCount: 0, state: { waiting: { reason: "CrashLoopBackOff" } } },
          lastState: {
            terminated: { exitCode: 1, message: "starting\nREFUSED: the data is another stack's\n" },
          },
        },
      ],
    });
    const status = report(
      "prod",
      look({
        ...cluster({ pods: [down, pod("postgres-backup-0")] }),
        database: new Error("x"),
        jobs: new Error("y"),
      }),
    );
    assert.deepEqual(names(status.findings), ["server-down"]);
    assert.match(
      status.findings[0]?.words ?? "",
      /container postgres: REFUSED: the data is another stack's$/,
    );
    assert.deepEqual(names(findings(cluster({ pods: [pod("postgres-backup-0")] }))), ["server-down"]);
  });

  it("of a database that does not answer although it is up says why", () => {
    const [finding] = findings({ database: new Error("the database cannot be asked: too many clients") });
    assert.equal(finding?.name, "database-silent");
    assert.match(finding?.words ?? "", /too many clients/);
  });

  it("tells that nothing is archived while the backup agent is away, and that there are no backups", () => {
    assert.deepEqual(names(findings(cluster({ pods: [pod("postgres-0")] }))), ["backup-agent-down"]);
    const none = report("prod", look(cluster({ repositories: undefined, pods: [pod("postgres-0")] })));
    assert.deepEqual([none.state, names(none.findings)], ["warning", ["no-backups"]]);
    assert.match(answers(none)[1]?.text ?? "", /^no backups/);
  });

  it("tells of a container that was restarted within the hour, and of no earlier one", () => {
    const restarted = (ago: number) =>
      cluster({
        pods: [
          pod("postgres-backup-0"),
          pod("postgres-0", {
            containerStatuses: [
              {
                name: "postgres",
                restartCount: 2,
                lastState: { terminated: { exitCode: 137, reason: "OOMKilled", finishedAt: before(ago) } },
              },
            ],
          }),
        ],
      });
    const [finding] = findings(restarted(600));
    assert.equal(finding?.name, "pod-restarting");
    assert.match(
      finding?.words ?? "",
      /container postgres of postgres-0 was restarted 2 times, the last time 10 minutes ago \(OOMKilled\)/,
    );
    assert.deepEqual(findings(restarted(4000)), []);
  });

  it("tells of a backup that failed and that none has made up for, with its last words", () => {
    const jobs = [
      {
        metadata: {
          name: "postgres-backup-full-1",
          ownerReferences: [{ kind: "CronJob", name: "postgres-backup-full" }],
        },
        status: {
          startTime: before(900),
          conditions: [{ type: "Failed", status: "True", lastTransitionTime: before(600) }],
        },
      },
    ];
    const [finding] = findings(cluster({ jobs }));
    assert.equal(finding?.name, "run-failed");
    assert.match(finding?.words ?? "", /^the last full backup failed/);
  });

  it("does not say that no job waits where the queue was not asked, or there is none", () => {
    for (const jobs of [new Error("timeout"), []]) {
      const fast = answers(report("prod", look({ jobs }))).find(({ question }) => question === "fast");
      assert.doesNotMatch(fast?.text ?? "", /job/);
    }
  });

  it("does not say that there is no backup, or none was proven, where that could not be asked", () => {
    const safe = (changes: Partial<Look>) => answers(report("prod", look(changes)))[1]?.text ?? "";
    assert.match(safe({ repositories: new Error("timeout") }), /; backups in cloud: not known; /);
    assert.match(
      safe({ database: new Error("timeout") }),
      /^backup in cloud: .* old, not known whether it was restored;/,
    );
    const { repo } = look().repositories as Information;
    assert.match(safe({ repositories: { backup: [], repo } }), /; no backup in cloud yet; /);
  });

  it("of a pod that was evicted says so, and what to type works where there is no pod", () => {
    const evicted = pod("postgres-0", {
      ...{ phase: "Failed", reason: "Evicted", conditions: [], containerStatuses: [] },
    });
    const [finding] = findings(cluster({ pods: [evicted, pod("postgres-backup-0")] }));
    assert.match(finding?.words ?? "", /^the database is not up: Evicted$/);
    assert.match(finding?.remedy ?? "", /describe statefulset\/postgres pod\/postgres-0$/);
  });

  it("shows a name as it is, whatever it holds", () => {
    for (const label of ["$&", "a$$b", "$'", "{value}"]) {
      const [finding] = findings(figures(["damaged_pages", label, 2]));
      assert.ok(finding?.words.includes(`in database ${label}: disk`), finding?.words);
    }
  });

  it("is unknown, and no success, when something did not answer and nothing else is wrong", () => {
    const status = report("prod", look({ jobs: new Error("timeout") }));
    assert.equal(status.state, "unknown");
    assert.equal(headline(status), "prod: nothing is known to be wrong, but 1 part did not answer");
    assert.ok(statusWords(status).includes("not known: the queue of jobs: timeout"));
    assert.equal(
      report("prod", look({ ...figures(["jobs_dead", "embed", 2]), jobs: new Error("x") })).state,
      "warning",
    );
  });

  it("shows what a name or a message holds, and no control character of it", () => {
    const strange = look(figures(["drill_failed", "\u001b[31m<b>", 1]));
    const lines = statusWords(report("prod", strange));
    assert.ok(lines.every((line) => !/\p{Cc}/u.test(line)));
    const page = statusPage(report("<prod>", strange));
    assert.ok(!page.includes("<b>") && !page.includes("<prod>") && page.includes("&lt;b&gt;"));
  });
});

describe("the status as a page", () => {
  it("needs nothing from elsewhere, fits a phone, and has what the words have", () => {
    const status = report(
      "prod",
      look(figures(["disk_read_only", "", 1], ["disk_full_seconds", "", DAY * 2])),
    );
    const page = statusPage(status);
    assert.ok(!/<(script|link|img|iframe)|https?:|@import|url\(/.test(page));
    assert.match(page, /<meta name="viewport" content="width=device-width, initial-scale=1">/);
    for (const { words, remedy, page: link } of status.findings)
      for (const text of [words, remedy, link]) assert.ok(page.includes(text.replaceAll("'", "&#39;")), text);
    for (const { title } of answers(status)) assert.ok(page.includes(title));
  });

  it("says all is well without a list of what is wrong", () => {
    const page = statusPage(report("prod", look()));
    assert.ok(page.includes("prod: all is well") && !page.includes("<ul>"));
  });
});

describe("the status command", function () {
  this.timeout(60_000);
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "status-"))));
  afterEach(() => rmSync(folder, { recursive: true }));
  /** Runs a shell's line with the command as "$@", and with this as kubectl. */
  const status = (kubectl: string, line: string, ...flags: string[]) => {
    writeFileSync(join(folder, "kubectl"), `#!/bin/sh\n${kubectl}\n`, { mode: 0o755 });
    writeFileSync(join(folder, "Pulumi.prod.yaml"), "config: {}\n");
    const config = ["--stack", "prod", "--config-file", join(folder, "Pulumi.prod.yaml")];
    const command = [process.execPath, projectFile("tools/status.ts"), ...config, ...flags];
    return spawnSync("bash", ["-c", line, "bash", ...command], {
      encoding: "utf8",
      env: { ...process.env, PATH: `${folder}:${process.env.PATH}` },
    });
  };

  it("waits ten seconds at most, also for what kubectl has started", () => {
    // Not the shell itself: a credential plugin outlives kubectl, and holds its output open.
    const begun = performance.now();
    const { status: exit, stdout } = status("sleep 40\nexit 1", '"$@"');
    assert.match(stdout, /^WRONG: the cluster does not answer: no answer within 9\.5 s$/m);
    assert.equal(exit, 2);
    // With Node's own start, on a machine that is busy.
    assert.ok(performance.now() - begun < 25_000);
  });

  it("exits by what it has found when nobody reads it to the end", () => {
    for (const flag of ["--json", "--html"]) {
      const { status: exit, stderr } = status("exit 1", '"$@" | true; exit "${PIPESTATUS[0]}"', flag);
      assert.deepEqual([exit, stderr], [2, ""]);
    }
  });

  it("repeats the words of a command in a pod, and not kubectl's after them", async () => {
    status(
      `case "$*" in
         *psql*) echo 'psql: FATAL: no such role' >&2; echo 'command terminated with exit code 2' >&2; exit 2 ;;
         *'get --raw'*) echo '{}' ;;
         *) exit 1 ;;
       esac`,
      "true",
    );
    const { PATH } = process.env;
    process.env.PATH = `${folder}:${PATH}`;
    try {
      const { jobs } = await lookAt({});
      assert.ok(jobs instanceof Error);
      assert.equal(jobs.message, "psql: FATAL: no such role");
    } finally {
      process.env.PATH = PATH;
    }
  });
});
