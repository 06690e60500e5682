import assert from "node:assert/strict";
import { sharedMemoryFor } from "../../../postgres/memory.ts";
import { postgresqlConf } from "../../../postgres/settings.ts";
import { bytesOfQuantity, mebibytes } from "../../../quantities.ts";
import { ConfigurationError, readSettings } from "../../../config.ts";
import { SETTINGS } from "../../../postgres/catalogue.ts";
import { conflictsIn } from "../../../postgres/combinations.ts";
import { quotedValue, settingsIn } from "../../../postgres/conf-file.ts";
import { walBuffersBytes } from "../../../postgres/shared-memory.ts";
import { readValue } from "../../../postgres/values.ts";
import { Random } from "../../random.ts";
import { deployable } from "../../settings.ts";

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));

const NAMES: readonly [string, ...string[]] = [
  ...(["shared_buffers", "wal_buffers", "work_mem", "maintenance_work_mem", "autovacuum_work_mem"] as const),
  ...[
    "max_connections",
    "max_worker_processes",
    "max_parallel_workers",
    "autovacuum_max_workers",
    "max_wal_size",
  ],
  ...[
    "hash_mem_multiplier",
    "max_locks_per_transaction",
    "temp_file_limit",
    "effective_cache_size",
    "min_wal_size",
  ],
  ...["max_parallel_maintenance_workers", "track_activity_query_size", "max_wal_senders", "random_page_cost"],
];
const VALUES: readonly [string, ...string[]] = [
  ...([
    "0",
    "-1",
    "1",
    "3",
    "100",
    "4096",
    "1e3",
    "0x40",
    "64kB",
    "1MB",
    "128MB",
    "1.5GB",
    "0.3MB",
    "8TB",
  ] as const),
  ...["2147483647", "2147483647kB", "100000000000GB", " 16 MB ", "256", "NaN", "Infinity", "2.5"],
];
const MEMORY: readonly [string, ...string[]] = [
  "1Mi",
  "16Mi",
  "300Mi",
  "2Gi",
  "40Gi",
  "1Ti",
  "64Ti",
  "9000Pi",
];
const CPUS: readonly [string, ...string[]] = ["1m", "0.5", "1", "2", "8", "64", "4000", "1000000000"];

describe(`what is rendered from any configuration that is accepted (SEED=${seed})`, function () {
  this.timeout(120_000);
  it("can be read again: settings by PostgreSQL, sizes by Kubernetes, and no sum is without a number", () => {
    const random = new Random("rendered numbers", seed);
    let accepted = 0;
    for (let round = 0; round < 800; round++) {
      const raw = deployable();
      const memory = random.pick(MEMORY);
      const cpu = random.pick(CPUS);
      const settings: Record<string, string> = {};
      for (let count = random.between(0, 3); count > 0; count--)
        settings[random.pick(NAMES)] = random.pick(VALUES);
      raw.storage = { ...raw.storage, capacity: random.pick(MEMORY) };
      raw.database = {
        requests: { memory, cpu },
        limits: { memory, cpu },
        settings,
        tuning: random.pick(["auto", "none"]),
        ...(random.next() < 0.2 && { sharedMemory: random.pick(MEMORY) }),
      };
      const about = JSON.stringify(raw);
      let reading;
      try {
        reading = readSettings("prod", raw);
      } catch (error) {
        assert.ok(error instanceof ConfigurationError, `${String(error)} of ${about}`);
        assert.doesNotMatch(error.message.replace(/is "(NaN|Infinity)"/g, ""), /NaN|Infinity/, about);
        continue;
      }
      accepted++;
      const rendered = Object.fromEntries(settingsIn(postgresqlConf(reading.settings.server.settings)));
      for (const [name, value] of Object.entries(rendered)) {
        if (SETTINGS[name] === undefined || name.endsWith("_file")) continue;
        const read = readValue(name, value);
        assert.ok("value" in read, `${name} = ${value} of ${about}`);
        assert.notEqual(read.value, NaN);
      }
      assert.deepEqual(conflictsIn(rendered), [], about);
      const sharedMemory = reading.settings.server.memory.sharedMemory;
      assert.ok(
        (bytesOfQuantity(mebibytes(sharedMemory)) ?? NaN) >= 64 * 2 ** 20 || raw.database.sharedMemory,
        about,
      );
      assert.ok(Number.isSafeInteger(reading.settings.server.addressSpace) || memory === "9000Pi", about);
      assert.doesNotMatch(reading.warnings.join(), /NaN|Infinity|undefined/, about);
    }
    assert.ok(accepted > 100, `${accepted} were accepted`);
  });

  it("gives special values the meaning that PostgreSQL gives them", () => {
    assert.equal(walBuffersBytes({ wal_buffers: "0" }), 4 * 8192);
    assert.equal(walBuffersBytes({ wal_buffers: "-1", shared_buffers: "320MB" }), 10 * 2 ** 20);
    assert.equal(walBuffersBytes({ shared_buffers: "128kB" }), 64 * 1024);
    assert.equal(walBuffersBytes({ shared_buffers: "8GB" }), 16 * 2 ** 20);
    assert.equal(sharedMemoryFor({ maintenance_work_mem: "1GB" }), 1280 * 2 ** 20);
  });

  it("keeps quotes, backslashes and whatever else is in a text", () => {
    const random = new Random("texts", seed);
    const characters = [..."'\\\"#= \tabnrt0179éß%$&;{}\u{1f418}"] as [string, ...string[]];
    for (let round = 0; round < 500; round++) {
      const text = Array.from({ length: random.between(0, 12) }, () => random.pick(characters)).join("");
      assert.equal(settingsIn(`log_line_prefix = ${quotedValue(text)}`).get("log_line_prefix"), text);
    }
  });
});
