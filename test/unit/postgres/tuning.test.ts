import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { memoryBudget, sharedMemoryFor } from "../../../postgres/memory.ts";
import { objectionTo } from "../../../postgres/settings.ts";
import { bytesOfSetting, readableBytes } from "../../../quantities.ts";
import { contradictions } from "../../../postgres/tuning-explanations.ts";
import {
  autovacuumWorkMem,
  effectiveCacheSize,
  type Machine,
  maintenanceWorkMem,
  parallelWorkers,
  settingOfBytes,
  sharedBuffers,
  storageCosts,
  walBuffers,
  walSizes,
  workMem,
} from "../../../postgres/tuning-formulas.ts";
import { leastMemory, tune } from "../../../postgres/tuning.ts";
import { readSettings } from "../../../config.ts";
import { projectFile } from "../../../tools/cli.ts";
import { plainSection, readDocument } from "../../../tools/stack-file/stack-file.ts";
import { Random } from "../../random.ts";
import { changed, doubts, type Raw } from "../../settings.ts";

const MiB = 2 ** 20;
const GiB = 2 ** 30;

const dev: Machine = { memory: GiB, cpus: 2, capacity: 2 * GiB, storageKind: "ssd" };
const prod: Machine = { memory: 40 * GiB, cpus: 8, capacity: 100 * GiB, storageKind: "ssd" };

/** The sum, added up here once more from the settings alone. */
function sumOf(settings: Readonly<Record<string, string>>, sharedMemory: number): number {
  const size = (name: string) => bytesOfSetting(settings[name] ?? "") ?? NaN;
  const count = (name: string) => Number(settings[name]);
  return (
    size("shared_buffers") +
    sharedMemory +
    size("wal_buffers") +
    (count("max_connections") + count("max_parallel_workers")) *
      size("work_mem") *
      Number(settings.hash_mem_multiplier ?? 2) +
    count("autovacuum_max_workers") * size("autovacuum_work_mem")
  );
}

describe("tuning formulas", () => {
  it("gives shared_buffers a quarter of the memory", () => {
    assert.equal(sharedBuffers(prod), 10 * GiB);
    assert.equal(sharedBuffers(dev), 256 * MiB);
  });

  it("gives effective_cache_size three quarters of the memory, and never more than there is", () => {
    assert.equal(effectiveCacheSize(prod), 30 * GiB);
    assert.equal(effectiveCacheSize(dev), 768 * MiB);
  });

  it("gives maintenance_work_mem a quarter of the memory, for the graph of an HNSW index", () => {
    assert.equal(maintenanceWorkMem(prod), 10 * GiB);
    assert.equal(maintenanceWorkMem(dev), 256 * MiB);
  });

  it("bounds an autovacuum worker by a 64th of the memory and by what VACUUM can use", () => {
    assert.equal(autovacuumWorkMem(dev), 16 * MiB);
    assert.equal(autovacuumWorkMem(prod), 640 * MiB);
    assert.equal(autovacuumWorkMem({ ...prod, memory: 256 * GiB }), GiB);
  });

  it("gives WAL buffers a 32nd of shared_buffers between 4MB and one segment", () => {
    assert.equal(walBuffers(16 * MiB), 4 * MiB);
    assert.equal(walBuffers(256 * MiB), 8 * MiB);
    assert.equal(walBuffers(10 * GiB), 16 * MiB);
  });

  it("uses pgtune's work_mem for mixed work, or PostgreSQL's default if that is more", () => {
    assert.equal(workMem(40 * GiB, 10 * GiB, 108), (30 * GiB) / 648);
    assert.equal(workMem(GiB, 256 * MiB, 48), 4 * MiB);
  });

  it("lets WAL have a quarter of the volume, 4GB at most", () => {
    assert.deepEqual(walSizes(prod), { max: 4 * GiB, min: GiB });
    assert.deepEqual(walSizes(dev), { max: 512 * MiB, min: 128 * MiB });
    assert.deepEqual(walSizes({ ...dev, capacity: 100 * MiB }), { max: 128 * MiB, min: 32 * MiB });
  });

  for (const [cpus, pool, workers, gather, maintenance] of [
    [0.5, 8, 0, 0, 0],
    [1.9, 8, 0, 0, 0],
    [2, 8, 2, 2, 2],
    [3, 8, 3, 2, 2],
    [4, 8, 4, 2, 3],
    [8, 9, 8, 4, 7],
    [32, 33, 32, 4, 31],
  ] as const) {
    it(`starts workers for ${cpus} CPUs`, () => {
      assert.deepEqual(Object.values(parallelWorkers({ ...dev, cpus })), [
        pool,
        workers,
        gather,
        maintenance,
      ]);
    });
  }

  it("tells the planner what the data lies on", () => {
    const costs = (["ssd", "hdd", "san"] as const).map((storageKind) =>
      storageCosts({ ...dev, storageKind }),
    );
    assert.deepEqual(
      costs.map(({ random_page_cost }) => random_page_cost),
      ["1.1", "4", "1.1"],
    );
    assert.deepEqual(
      costs.map(({ effective_io_concurrency }) => effective_io_concurrency),
      ["200", "2", "300"],
    );
  });

  it("writes sizes as PostgreSQL reads them, never rounded up", () => {
    for (const [bytes, written] of [
      [64 * 1024, "64kB"],
      [MiB - 1, "1023kB"],
      [1.99 * MiB, "1MB"],
      [1024 * MiB, "1GB"],
      [1025 * MiB, "1025MB"],
    ] as const) {
      assert.equal(settingOfBytes(bytes), written);
      assert.ok((bytesOfSetting(written) ?? Infinity) <= bytes);
    }
  });

  it("counts more shared memory than PostgreSQL 16.14 takes", () => {
    // shared_buffers in MB, max_connections, wal_buffers 4MB: `postgres -C shared_memory_size`, in MB.
    for (const [buffers, connections, measured] of [
      [64, 400, 93],
      [256, 40, 274],
      [512, 200, 545],
      [2048, 1000, 2151],
      [10240, 100, 10478],
      [32768, 100, 33505],
    ] as const) {
      const { fixedParts } = memoryBudget(
        { shared_buffers: `${buffers}MB`, max_connections: String(connections), wal_buffers: "4MB" },
        0,
      );
      const counted = fixedParts.reduce((sum, { bytes }) => sum + bytes, 0);
      assert.ok(counted > measured * MiB, `${buffers}MB, ${connections} connections: ${counted / MiB}`);
    }
  });
});

describe("tuning", () => {
  it("chooses settings whose sum fits the limit, for every container that the smallest ones fit", () => {
    const random = new Random("machines", 1);
    const between = (least: number, most: number) => least * (most / least) ** random.next();
    let fitting = 0;
    for (let turn = 0; turn < 2000; turn++) {
      const machine: Machine = {
        memory: Math.floor(between(128 * MiB, 1024 * GiB)),
        cpus: between(0.1, 128),
        capacity: between(GiB, 100_000 * GiB),
        storageKind: random.pick(["ssd", "hdd", "san"]),
      };
      const named = { max_connections: String(Math.round(between(1, 2000))) };
      const { settings, sharedMemory, demand, shortfall } = tune(machine, named);
      const which = JSON.stringify({ machine, named, settings });
      for (const [name, value] of Object.entries(settings))
        assert.equal(objectionTo(name, value), undefined, which);
      assert.equal(sharedMemory, sharedMemoryFor(settings), which);
      assert.ok(demand.total >= sumOf(settings, sharedMemory), which);
      assert.equal(shortfall === 0, demand.total <= machine.memory, which);
      if (turn % 20 === 0 && machine.memory >= leastMemory(machine, named)) assert.equal(shortfall, 0, which);
      if (shortfall > 0) continue;
      fitting++;
      assert.ok(sumOf(settings, sharedMemory) <= machine.memory, which);
      assert.deepEqual(contradictions(settings, machine, sharedMemory), [], which);
    }
    assert.ok(fitting > 1000, `only ${fitting} of 2000 fit`);
  });

  it("keeps named values, and fits the others around them", () => {
    const random = new Random("named values", 1);
    for (let turn = 0; turn < 500; turn++) {
      const named = {
        max_connections: String(random.between(10, 109)),
        ...(random.next() < 0.5 && { shared_buffers: `${random.between(64, 2063)}MB` }),
        ...(random.next() < 0.5 && { work_mem: `${random.between(1, 16)}MB` }),
        ...(random.next() < 0.5 && { maintenance_work_mem: `${random.between(64, 2063)}MB` }),
        ...(random.next() < 0.3 && { hash_mem_multiplier: "1" }),
        ...(random.next() < 0.3 && { log_min_duration_statement: "250" }),
      };
      const machine = { ...prod, memory: 4 * GiB * (1 + random.next() * 4) };
      const { settings, sharedMemory, shortfall, demand } = tune(machine, named);
      const which = JSON.stringify({ machine, named, settings });
      for (const [name, value] of Object.entries(named)) assert.equal(settings[name], value, which);
      assert.equal(shortfall === 0, demand.total <= machine.memory, which);
      if (shortfall === 0) assert.ok(sumOf(settings, sharedMemory) <= machine.memory, which);
      // Tuned settings, taken for named ones, stay as they are.
      assert.deepEqual(tune(machine, settings).settings, settings, which);
    }
  });

  it("uses more of a greater limit, and less memory for more connections", () => {
    const size = (machine: Machine, connections: number, name: string) =>
      bytesOfSetting(tune(machine, { max_connections: String(connections) }).settings[name] ?? "") ?? NaN;
    for (const name of ["shared_buffers", "maintenance_work_mem"]) {
      let before = 0;
      for (let memory = 512 * MiB; memory <= 64 * GiB; memory *= 2) {
        const now = size({ ...dev, memory }, 50, name);
        assert.ok(now >= before, `${name} at ${readableBytes(memory)}`);
        before = now;
      }
      assert.ok(size(dev, 80, name) < size(dev, 20, name), name);
    }
  });

  it("counts a chosen /dev/shm, and one for the chosen maintenance_work_mem otherwise", () => {
    assert.equal(tune(dev, {}, 100 * MiB).sharedMemory, 100 * MiB);
    assert.equal(tune(prod).sharedMemory, 12.5 * GiB);
  });

  it("asks for no huge pages, which the pod does not ask for either", () => {
    assert.equal(tune(prod).settings.huge_pages, "off");
  });
});

describe("database.tuning", () => {
  const auto = (database: Record<string, unknown>): Raw => {
    const raw = changed("database.tuning", "auto");
    return { ...raw, database: { ...raw.database, ...database } };
  };

  it("leaves the settings alone by default", () => {
    const raw = changed("database.settings", { work_mem: "5MB" });
    assert.deepEqual(readSettings("prod", raw).settings.server.named, { work_mem: "5MB" });
  });

  it("completes them when it is auto, and named ones win", () => {
    const raw = auto({ settings: { work_mem: "5MB", max_connections: 50 } });
    const { settings } = readSettings("prod", raw);
    assert.deepEqual(doubts("prod", raw), []);
    assert.deepEqual(
      settings.server.tuned?.settings,
      tune(
        { memory: 2 * GiB, cpus: 2, capacity: 10 * GiB, storageKind: "ssd" },
        {
          work_mem: "5MB",
          max_connections: "50",
        },
      ).settings,
    );
    assert.equal(settings.server.settings.work_mem, "5MB");
  });

  it("says how many connections fit if there are too many, and which limit would be enough", () => {
    const warnings = doubts("prod", auto({ settings: { max_connections: 2000 } }));
    assert.equal(warnings.length, 1);
    const said =
      /smallest settings can ask for .* GiB, and database\.limits\.memory is 2 GiB: shared_buffers \(16 MiB\) \+ .*Lower database\.settings\.max_connections to (\d+), or raise the limit to (\d+)Mi\.$/.exec(
        warnings[0] ?? "",
      );
    assert.ok(said, warnings[0]);
    const fewer = auto({ settings: { max_connections: Number(said[1]) } });
    assert.deepEqual(doubts("prod", fewer), []);
    const more = auto({
      settings: { max_connections: 2000 },
      limits: { memory: `${said[2]}Mi`, cpu: "2" },
    });
    assert.deepEqual(doubts("prod", more), []);
  });

  it("names the named values that leave no room", () => {
    const warnings = doubts("prod", auto({ settings: { work_mem: "512MB", max_connections: 50 } }));
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0] ?? "",
      /\(50 connections \+ 2 parallel workers\) x work_mem 512 MiB x hash_mem_multiplier 2 \(52 GiB\).*Kept because database\.settings names them: work_mem\./,
    );
  });

  for (const [what, database, says] of [
    [
      "a planner's cache above the limit",
      { settings: { effective_cache_size: "96GB" } },
      /effective_cache_size is 96 GiB, but page cache counts against database\.limits\.memory, 2 GiB: .*Set it to 1536MB/,
    ],
    [
      "WAL that may fill the volume",
      { settings: { max_wal_size: "8GB" } },
      /max_wal_size is 8 GiB, and storage\.capacity is 10 GiB: .*Set it to 2560MB, or raise the capacity/,
    ],
    [
      "a /dev/shm that no parallel build fits in",
      { settings: { maintenance_work_mem: "128MB" }, sharedMemory: "64Mi" },
      /database\.sharedMemory is 64 MiB, below maintenance_work_mem, 128 MiB: .*or set it to 160Mi/,
    ],
    [
      "workers beyond the pool",
      { settings: { max_parallel_maintenance_workers: 12 } },
      /max_parallel_maintenance_workers is 12, above max_worker_processes, 8: .*Set max_worker_processes to 13/,
    ],
    [
      "seeks that cost nothing on a disk",
      { settings: { random_page_cost: 1.1 }, storageKind: "hdd" },
      /random_page_cost is 1\.1, but database\.storageKind is hdd: .*Set it to 4/,
    ],
  ] as [string, Record<string, unknown>, RegExp][]) {
    it(`says with numbers what contradicts itself: ${what}`, () => {
      const raw = changed("database.settings", undefined);
      const { warnings } = readSettings("prod", { ...raw, database: { ...raw.database, ...database } });
      assert.equal(warnings.filter((warning) => says.test(warning)).length, 1, warnings.join("\n"));
    });
  }

  it("refuses an unknown kind of tuning or storage", () => {
    assert.throws(
      () => readSettings("prod", changed("database.tuning", "best")),
      /Allowed: one of none, auto/,
    );
    assert.throws(
      () => readSettings("prod", changed("database.storageKind", "tape")),
      /Allowed: one of ssd, hdd, san/,
    );
  });
});

describe("docs/memory-tuning.md", () => {
  const file = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");

  it("shows what the solver chooses", () => {
    const examples: [Machine, string][] = [
      [dev, "40"],
      [{ memory: 4 * GiB, cpus: 4, capacity: 20 * GiB, storageKind: "ssd" }, "50"],
      [prod, "100"],
    ];
    const tunings = examples.map(([machine, connections]) => tune(machine, { max_connections: connections }));
    const names = Object.keys(tunings[0]?.settings ?? {}).sort();
    const row = (...cells: string[]) => `| ${cells.join(" | ")} |`;
    const table = [
      row(
        "",
        ...examples.map(
          ([{ memory, cpus }, connections]) => `${memory / GiB}Gi, ${cpus} CPUs, ${connections} connections`,
        ),
      ),
      row("---", ...examples.map(() => "---")),
      ...names.map((name) => row(`\`${name}\``, ...tunings.map(({ settings }) => settings[name] ?? ""))),
      row("/dev/shm", ...tunings.map(({ sharedMemory }) => `${sharedMemory / MiB}Mi`)),
      row("asked for at most", ...tunings.map(({ demand }) => readableBytes(demand.total))),
    ];
    const cells = (line: string) => line.replaceAll(/ +/g, " ").replaceAll(/-+/g, "-");
    const written = file("docs/memory-tuning.md")
      .split("\n")
      .filter((line) => line.startsWith("|"))
      .slice(0, table.length);
    assert.deepEqual(written.map(cells), table.map(cells), `put this table there:\n${table.join("\n")}`);
  });

  it("describes dev and prod as they are: dev is tuned, prod has the guide's figures", () => {
    const database = (stack: string) =>
      plainSection(readDocument(projectFile(`Pulumi.${stack}.yaml`)), "database");
    assert.deepEqual(
      { ...database("dev"), requests: undefined },
      {
        requests: undefined,
        limits: { memory: "1Gi", cpu: "2" },
        tuning: "auto",
        settings: { max_connections: 40 },
      },
    );
    assert.equal(database("prod").tuning, undefined);
    assert.deepEqual(database("prod").settings, {
      shared_buffers: "32GB",
      effective_cache_size: "96GB",
      work_mem: "512MB",
      maintenance_work_mem: "2GB",
      random_page_cost: 1.1,
      max_connections: 100,
    });
  });
});
