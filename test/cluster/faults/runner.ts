/**
 * Runs one fault: on a fresh pod, under load, with the ledger being written; measures how long nothing could be
 * written; then compares every row of the ledger, and has PostgreSQL check its own structures.
 */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { until } from "../support.ts";
import type { Connection } from "./connection.ts";
import { type Lab, type PodObject } from "./lab.ts";
import { Random } from "../../random.ts";

/** The report of a strike. */
export interface Strike {
  /** When the damage was done or, if it lasts, when its cause was removed. @default when the strike began */
  since?: number;
  /** What happened, in a few words. */
  note?: string;
}

/** A fault that is done to the deployment. */
export interface Fault {
  /** What it does. */
  name: string;
  /**
   * `server`: the server's processes, container or pod. `node`: the machine and what runs the pods. `refusal`: the
   * server must not start. `storage`, `deployment`, `none`: as they say.
   */
  group: "none" | "server" | "node" | "refusal" | "storage" | "deployment";
  /** Whether it counts towards the aim of ten seconds from kill to write. */
  kill?: boolean;
  needsEngine?: boolean;
  /** Before the pod is made fresh; the writer does not run. */
  prepare?: (lab: Lab, random: Random) => Promise<void>;
  strike: (lab: Lab, random: Random) => Promise<Strike | void>;
  /** After everything has been checked; the writer does not run. Also after a failure. */
  restore?: (lab: Lab) => Promise<void>;
  /** Seconds until writes must flow again. @default 60 */
  limit?: number;
}

/** The effect of a fault. Times in seconds. */
export interface Outcome {
  name: string;
  group: Fault["group"];
  kill: boolean;
  seed: number;
  /**
   * From the fault to the end of the longest time without an acknowledged write, the kubelet's back-off left out. A
   * fault that stops no write leaves the longest of the usual pauses here, whenever that was: see `stood`.
   */
  outage: number;
  /** The longest time without an acknowledged write, the kubelet's back-off left out. */
  stood: number;
  /** The part of that time in which the kubelet only waited. */
  backOff: number;
  /** Rows of the ledger, all of which were looked for and found. */
  rows: number;
  restarts: number;
  note: string;
  /** Of the whole experiment. */
  took: number;
}

const LOAD_TABLE = "faults_load";

/** @throws when a row is lost, a structure is damaged, two servers ran at once, or writes do not come back */
export async function runFault(lab: Lab, fault: Fault, seed: number): Promise<Outcome> {
  const begun = Date.now();
  const random = new Random(fault.name, seed);
  try {
    return await experiment(lab, fault, seed, random, begun);
  } catch (error) {
    // Whatever happens while looking, the original failure is thrown.
    const evidence = await lab.evidence().catch(String);
    console.error(`${fault.name} [seed ${seed}] failed. What can be seen:\n${evidence}`);
    throw error;
  } finally {
    await lab.ledger.stop();
    await fault.restore?.(lab);
  }
}

async function experiment(
  lab: Lab,
  fault: Fault,
  seed: number,
  random: Random,
  begun: number,
): Promise<Outcome> {
  await fault.prepare?.(lab, random);
  await lab.freshPod();
  lab.ledger.forgetTimes();
  lab.servers = 0;
  lab.ledger.start();
  const load = await occupy(lab, random);
  await until("the ledger is being written", () => lab.ledger.recent(1000) > 0, 20_000, 50);
  await pause(random.between(300, 1200));
  const struck = Date.now();
  const strike = (await fault.strike(lab, random)) ?? {};
  const since = strike.since ?? struck;
  await untilSettled(lab, Date.now(), (fault.limit ?? 60) * 1000);
  load.close();
  const gap = lab.ledger.longestGap(since);
  assert.ok(gap);
  const [pod, { rows }] = await Promise.all([lab.pod(), proveIntact(lab)]);
  const backOff = backOffOf(pod, since, gap.to) / 1000;
  assert.ok(lab.servers <= 1, `${lab.servers} servers ran on one directory at the same time`);
  return {
    name: fault.name,
    group: fault.group,
    kill: fault.kill ?? false,
    seed,
    outage: (gap.to - since) / 1000 - backOff,
    stood: Math.max(0, (gap.to - gap.from) / 1000 - backOff),
    backOff,
    rows,
    restarts: pod?.status?.containerStatuses?.find(({ name }) => name === "postgres")?.restartCount ?? 0,
    note: strike.note ?? "",
    took: (Date.now() - begun) / 1000,
  };
}

/** What else the server is doing when the fault comes, chosen at random. Returns its session. */
async function occupy(lab: Lab, random: Random): Promise<Connection> {
  const fill = (rows: number) =>
    `insert into ${LOAD_TABLE} select i, md5(i::text) from generate_series(1, ${rows}) i`;
  const statement = random.pick([
    "select 'nothing'",
    fill(300_000),
    `begin; ${fill(1000)}; select pg_sleep(20)`,
    `${fill(50_000)}; create index on ${LOAD_TABLE} (text)`,
    `${fill(50_000)}; delete from ${LOAD_TABLE} where id % 2 = 0; select pg_sleep(0.1)`,
  ]);
  const connection = await lab.connectSoon();
  await connection.query(
    `drop table if exists ${LOAD_TABLE}; create table ${LOAD_TABLE} (id int, text text)`,
    10_000,
  );
  // It ends with the fault, or by its own deadline.
  void connection.query(statement, 60_000).catch(() => undefined);
  return connection;
}

/**
 * Writes flow, the pod says that it is ready, and its node can reach into it: a kubelet that has just been started
 * knows no pods for a while, and what the API says of them is from before.
 */
async function untilSettled(lab: Lab, from: number, milliseconds: number): Promise<void> {
  const deadline = from + milliseconds;
  await pause(1500);
  for (;;) {
    if (
      lab.ledger.recent(1000) >= 10 &&
      (await lab.isReady()) &&
      (await lab.isReachable()) &&
      lab.ledger.recent(500) >= 5
    ) {
      return;
    }
    if (Date.now() > deadline) {
      const log = (await lab.serverLog()).split("\n").slice(-15).join("\n");
      assert.fail(
        `no steady writes, or no way into the pod, ${milliseconds / 1000} s after the fault; last failure: ${lab.ledger.lastFailure}\n${log}`,
      );
    }
    await pause(400);
  }
}

/** Every acknowledged row, and PostgreSQL's own checks of heap, indexes and checksums. */
export async function proveIntact(lab: Lab): Promise<{ rows: number }> {
  const [check] = await Promise.all([
    lab.ledger.check(),
    lab.inPod(
      ...[
        "pg_amcheck",
        "-U",
        "postgres",
        "-d",
        "transcripts_db",
        "--install-missing",
        "--heapallindexed",
        "-j",
        "2",
      ],
    ),
  ]);
  assert.deepEqual(check.lost, [], "acknowledged rows are missing");
  assert.deepEqual(check.strange, [], "there are rows that nobody wrote");
  const failures = await lab.ask("select coalesce(sum(checksum_failures), 0) from pg_stat_database");
  assert.equal(failures, "0", "pages with a wrong checksum");
  return check;
}

/**
 * Milliseconds between two times in which the kubelet let the server's container wait before it started it again. It
 * does so from the second restart on; its own times are whole seconds.
 */
function backOffOf(pod: PodObject | undefined, from: number, to: number): number {
  const status = pod?.status?.containerStatuses?.find(({ name }) => name === "postgres");
  const ended = Date.parse(status?.lastState?.terminated?.finishedAt ?? "");
  const started = Date.parse(status?.state?.running?.startedAt ?? "");
  if (!status || status.restartCount < 2 || Number.isNaN(ended) || Number.isNaN(started)) return 0;
  return Math.max(0, Math.min(started, to) - Math.max(ended, from));
}

/** One line of an outcome. */
export function lineOf(outcome: Outcome): string {
  const { name, seed, outage, stood, backOff, rows, restarts, note } = outcome;
  const extra = [
    ...(backOff > 0 ? [`and ${backOff.toFixed(1)} s of the kubelet's back-off`] : []),
    `${rows} ledger rows, 0 lost`,
    ...(restarts > 0 ? [`${restarts} restarts`] : []),
    ...(note ? [note] : []),
  ];
  return `${name} [seed ${seed}]: fault to next write ${outage.toFixed(2)} s, of which ${stood.toFixed(2)} s without one, ${extra.join(", ")}`;
}
