import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { postgresqlConf, objectionTo } from "../../postgres/settings.ts";
import { ConfigurationError, readSettings } from "../../config.ts";
import { SETTINGS } from "../../postgres/catalogue.ts";
import { OFFICIAL_IMAGE } from "../../postgres/official-image.ts";
import { restOfSharedMemory, sharedBuffersBytes, walBuffersBytes } from "../../postgres/shared-memory.ts";
import {
  makeDataDirectory,
  type Programs,
  query,
  type Start,
  startServer,
  stopServer,
} from "../../tools/postgres-programs.ts";
import { Random } from "../random.ts";
import { deployable, type Raw } from "../settings.ts";
import { casesFor } from "./cases.ts";
import { withPrograms } from "./programs.ts";

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));
const COMBINATIONS = 40;

const MEMORY: readonly [string, ...string[]] = ["512Mi", "1Gi", "2Gi", "4Gi"];
const CPUS: readonly [string, ...string[]] = ["500m", "2", "8", "4000"];

/** Settings whose values fit only the official image, or wait for a connection longer than a test does. */
const NOT_HERE = new Set([...Object.keys(OFFICIAL_IMAGE), "pre_auth_delay", "post_auth_delay"]);

const NAMES = Object.keys(SETTINGS).filter((name) => !NOT_HERE.has(name)) as [string, ...string[]];

/** A configuration with settings each of which is accepted alone. */
function combination(random: Random): Raw {
  const raw = deployable();
  const memory = random.pick(MEMORY);
  const settings: Record<string, string> = {};
  for (let count = random.between(3, 12); count > 0; count--) {
    const name = random.pick(NAMES);
    const description = SETTINGS[name];
    const values = (description ? casesFor(name, description, random) : []).filter(
      (value) => objectionTo(name, value) === undefined,
    );
    if (values.length > 0) settings[name] = random.pick(values as [string, ...string[]]);
  }
  const cpu = random.pick(CPUS);
  raw.database = {
    requests: { memory, cpu },
    limits: { memory, cpu },
    settings,
    tuning: random.pick(["auto", "none"]),
  };
  return raw;
}

describe(`configurations that are accepted (SEED=${seed})`, function () {
  this.timeout(15 * 60_000);
  let programs: Programs;
  let data = "";
  withPrograms(async (ready) => {
    programs = ready;
    data = await makeDataDirectory(programs, "starts");
  });

  /** What a session answers. With hot_standby off pg_ctl takes a server that still recovers for one that is ready. */
  async function answer(attempts = 60): Promise<string> {
    try {
      return await query(programs, "select 'lives'");
    } catch (error) {
      if (attempts === 0 || !/starting up|not yet accepting/.test(String(error))) throw error;
      await setTimeout(500);
      return answer(attempts - 1);
    }
  }

  /** Starts a server as start-server.sh does: the rendered file, and a bound on the address space. */
  async function start(raw: Raw): Promise<Start & { answer?: string }> {
    const { server } = readSettings("prod", raw).settings;
    const conf = postgresqlConf(server.settings);
    // As initdb leaves it in the official image.
    const started = await startServer(programs, data, conf, {
      addressSpace: Math.floor(server.addressSpace / 1024),
      seconds: 60,
    });
    try {
      return started.ready ? { ...started, answer: await answer() } : started;
    } catch (error) {
      return { ...started, ready: false, log: String(error) + started.log };
    } finally {
      await stopServer(programs, data);
    }
  }

  it(`are started by PostgreSQL and take connections: ${COMBINATIONS} of random settings`, async () => {
    const random = new Random("starts", seed);
    const failures: string[] = [];
    for (let started = 0; started < COMBINATIONS;) {
      const raw = combination(random);
      try {
        readSettings("prod", raw);
      } catch (error) {
        assert.ok(error instanceof ConfigurationError, String(error));
        continue;
      }
      const { ready, answer, log } = await start(raw);
      started++;
      if (!ready || answer !== "lives" || /configuration file .* contains errors/.test(log))
        failures.push(`${JSON.stringify(raw.database)}: ${log.slice(-600)}`);
    }
    assert.deepEqual(failures, []);
  });

  for (const [what, settings] of [
    [
      "kept connections",
      { max_connections: "13", superuser_reserved_connections: "3", reserved_connections: "9" },
    ],
    ["minimal WAL", { wal_level: "minimal", max_wal_senders: "0" }],
    ["the least WAL", { max_wal_size: "32MB", min_wal_size: "32MB" }],
    [
      "the least memory",
      { shared_buffers: "128kB", wal_buffers: "0", work_mem: "64kB", max_connections: "4" },
    ],
    ["a gigabyte to decode WAL", { wal_decode_buffer_size: "1073741823" }],
    ["a text with quotes and backslashes", { log_line_prefix: "it's \\d 'x' \\\\ " }],
    ["thousands of CPUs", {}],
  ] as const) {
    it(`are started at the edge of what is accepted: ${what}`, async () => {
      const raw = deployable();
      raw.database = { ...raw.database, settings, tuning: "auto", limits: { memory: "2Gi", cpu: "4000" } };
      const { ready, log } = await start(raw);
      assert.ok(ready, log);
    });
  }

  for (const [what, settings] of [
    [
      "connections that are all kept",
      { max_connections: "12", superuser_reserved_connections: "3", reserved_connections: "9" },
    ],
    ["minimal WAL with senders", { wal_level: "minimal" }],
    ["minimal WAL that is archived", { wal_level: "minimal", max_wal_senders: "0", archive_mode: "on" }],
    ["less than two segments of WAL", { max_wal_size: "31MB", min_wal_size: "31MB" }],
    ["statistics twice", { log_statement_stats: "on", log_parser_stats: "on" }],
    ["two targets of a recovery", { recovery_target_name: "a", recovery_target_lsn: "0/1" }],
    [
      "a target of a recovery and an empty one",
      { recovery_target_time: "2024-01-31 12:00:00", recovery_target_xid: "" },
    ],
    ["TLS without a certificate", { ssl: "on" }],
    ["a library that is not there", { shared_preload_libraries: "pg_stat_statements, pg_nothing" }],
    ["a resource manager that is not there", { wal_consistency_checking: "nothing" }],
    ["too many processes", { max_connections: "262000", max_worker_processes: "500" }],
  ] as const) {
    it(`do not include those that PostgreSQL does not start with: ${what}`, async () => {
      const raw = deployable();
      raw.database = { ...raw.database, settings };
      assert.throws(() => readSettings("prod", raw), ConfigurationError);
      const { ready, log } = await startServer(programs, data, postgresqlConf(settings));
      await stopServer(programs, data);
      assert.ok(!ready, `PostgreSQL starts with it: ${log}`);
    });
  }

  it("request at most as much shared memory as the sum says, and hardly less", async () => {
    const random = new Random("shared memory", seed);
    const logarithmic = (low: number, high: number) => Math.round(low * (high / low) ** random.next());
    const ranges: Record<string, [low: number, high: number]> = {
      max_connections: [5, 20000],
      max_locks_per_transaction: [10, 3000],
      max_pred_locks_per_transaction: [10, 3000],
      max_prepared_transactions: [1, 2000],
      max_worker_processes: [1, 2000],
      autovacuum_max_workers: [1, 500],
      max_wal_senders: [1, 500],
      max_replication_slots: [1, 5000],
      "pg_stat_statements.max": [100, 1e6],
      track_activity_query_size: [100, 1e5],
      wal_buffers: [4, 20000],
    };
    for (let round = 0; round < 15; round++) {
      const settings: Record<string, string> = {
        shared_buffers: `${logarithmic(16 * 1024, 8e6)}kB`,
        shared_preload_libraries: "pg_stat_statements",
      };
      for (const [name, [low, high]] of Object.entries(ranges)) {
        if (random.next() < 0.4) settings[name] = String(logarithmic(low, high));
      }
      const { output, errors } = await programs.run("postgres", [
        ...["-C", "shared_memory_size", "-D", data],
        ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
      ]);
      const actual = Number(output) * 2 ** 20;
      assert.ok(actual > 0, errors);
      const share =
        (sharedBuffersBytes(settings) + walBuffersBytes(settings) + restOfSharedMemory(settings)) / actual;
      assert.ok(share > 0.97 && share < 1.3, `${share} of ${actual} for ${JSON.stringify(settings)}`);
    }
  });
});
