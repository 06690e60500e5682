import assert from "node:assert/strict";
import {
  chownSync,
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Random } from "../../../random.ts";
import { containerFor, type ServerContainer } from "./server-container.ts";

const STRICT = "local all all peer map=server_pod\nhost all all all reject\n";

describe("a start with a configuration that PostgreSQL refuses", function () {
  this.timeout(120_000);
  let container: ServerContainer;

  before(async function () {
    container = await containerFor(this);
    await start();
    container.takeAsTemplate();
  });
  after(() => container?.remove());
  beforeEach(() => container.renew());

  const value = (setting: string) => container.query(`select current_setting('${setting}', true)`).output;
  const refused = () => value("transcript_pipeline.refused_configuration");
  const keptFiles = () =>
    existsSync(join(container.root, "volume/last-started"))
      ? readdirSync(join(container.root, "volume/last-started")).sort()
      : [];

  /** Starts, looks, stops. Returns the log. */
  async function start(look: () => void | Promise<void> = () => undefined): Promise<string> {
    const run = await container.started();
    await look();
    assert.equal(await run.end("SIGINT"), 0, run.log);
    return run.log;
  }

  /** A start that must not succeed. Returns the log. */
  async function refusedStart(): Promise<string> {
    const run = container.run();
    const status = await Promise.race([run.ended, pause(30_000, "goes on")]);
    assert.equal(status, 1, run.log);
    return run.log;
  }

  it("keeps the files that started, complete, and does not try them again", async () => {
    container.deploy({ settings: "work_mem = 5MB" });
    assert.match(await start(), /trying the configuration/);
    assert.deepEqual(keptFiles(), ["SHA256SUMS", "pg_hba.conf", "pg_ident.conf", "postgresql.conf"]);
    assert.ok(lstatSync(join(container.root, "volume/last-started")).isSymbolicLink());
    assert.match(container.read("volume/last-started/postgresql.conf") ?? "", /work_mem = 5MB/);
    const again = await start(() => assert.equal(refused(), ""));
    assert.doesNotMatch(again, /trying|REFUSED/);
    assert.equal(again.match(/database system is ready to accept connections/g)?.length, 1);
  });

  const refusals: Record<string, { settings: string; says: RegExp }> = {
    "a word instead of a number": {
      settings: "idle_in_transaction_session_timeout = 5m",
      says: /idle_in_transaction_session_timeout/,
    },
    "a value out of its range": { settings: "work_mem = 32kB", says: /work_mem.*64 \.\. / },
    "a setting that there is not": { settings: "work_men = 4MB", says: /work_men/ },
    "a syntax error": { settings: "work_mem = = 4MB", says: /syntax error.* line \d+/ },
    "a combination": {
      settings: "max_connections = 10\nsuperuser_reserved_connections = 10",
      says: /superuser_reserved_connections \(10\).*max_connections \(10\)/,
    },
    "a library that is not there": {
      settings: "shared_preload_libraries = 'pg_stat_statements, nope'",
      says: /"nope"/,
    },
    "more memory than there is": { settings: "shared_buffers = 7TB", says: /memory/ },
    "a certificate that is not there": { settings: "ssl = on", says: /server\.crt/ },
    "an address that is nobody's": {
      settings: "listen_addresses = 'nobody.invalid'",
      says: /nobody\.invalid/,
    },
    "a file that is not there": { settings: "include 'missing.conf'", says: /missing\.conf/ },
  };
  for (const [kind, { settings, says }] of Object.entries(refusals)) {
    it(`uses the last one that started, and says so: ${kind}`, async () => {
      container.deploy({ settings: `${settings}\nmaintenance_work_mem = 99MB` });
      const log = await start(() => {
        assert.notEqual(value("maintenance_work_mem"), "99MB");
        assert.match(refused(), /^the server runs with the last configuration that started, because .*: \S+/);
      });
      assert.match(log, /start-server: CONFIGURATION REFUSED\. the server runs with the last configuration/);
      assert.match(container.read("state/refused-configuration") ?? "", says);
      container.deploy({ settings: "work_mem = 6MB" });
      await start(() => {
        assert.equal(value("work_mem"), "6MB");
        assert.equal(refused(), "");
      });
      assert.equal(container.read("state/refused-configuration"), undefined);
    });
  }

  it("uses it for what only the data decides: fewer prepared transactions than exist", async () => {
    container.deploy({ settings: "max_prepared_transactions = 5" });
    await start(() => {
      const made = container.query("begin; create table kept (id int); prepare transaction 'ours'");
      assert.equal(made.status, 0, made.output);
    });
    container.deploy({ settings: "max_prepared_transactions = 0" });
    await start(() => {
      assert.equal(value("max_prepared_transactions"), "5");
      assert.match(
        refused(),
        /maximum number of prepared transactions reached.*Increase max_prepared_transactions/,
      );
      assert.equal(container.query("select gid from pg_prepared_xacts").output, "ours");
      assert.equal(container.query("rollback prepared 'ours'").status, 0);
    });
    await start(() => assert.equal(value("max_prepared_transactions"), "0"));
  });

  it("takes who may connect from the new files, never from the kept ones", async () => {
    container.deploy({ settings: "work_mem = nonsense", "pg_hba.conf": STRICT });
    await start(() => {
      assert.match(refused(), /work_mem/);
      const lines = container.query(
        "select string_agg(auth_method, ' ' order by line_number) from pg_hba_file_rules",
      );
      assert.equal(lines.output, "peer reject");
    });
  });

  it("lets nobody in over the network when pg_hba.conf cannot be loaded, and uses no older one", async () => {
    container.deploy({ settings: "work_mem = 7MB", "pg_hba.conf": "host all all nonsense\n" });
    await start(() => {
      assert.equal(value("work_mem"), "7MB");
      assert.match(
        refused(),
        /^the server lets nobody in over the network, because PostgreSQL cannot load.*pg_hba\.conf/,
      );
      const from = container.query(
        "select string_agg(distinct coalesce(address, type), ' ') from pg_hba_file_rules",
      );
      assert.equal(from.output, "127.0.0.1 ::1 local");
    });
    assert.match(container.read("volume/last-started/pg_hba.conf") ?? "", /scram-sha-256/);
    container.deploy({ settings: "work_mem = nonsense", "pg_hba.conf": "host all all nonsense\n" });
    await start(() => {
      assert.notEqual(value("work_mem"), "7MB");
      assert.match(refused(), /^the server runs with the last configuration that started and lets nobody in/);
    });
  });

  it("keeps what the file includes, by a relative name and by a full one", async () => {
    const settings = "include 'extra.conf'\ninclude_if_exists = '/etc/postgresql/more.conf'";
    container.deploy({
      settings,
      "extra.conf": "work_mem = 5MB\n",
      "more.conf": "maintenance_work_mem = 65MB\n",
    });
    await start(() => assert.equal(value("work_mem"), "5MB"));
    container.deploy({
      settings,
      "extra.conf": "work_mem = never\n",
      "more.conf": "maintenance_work_mem = 66MB\n",
    });
    await start(() => {
      assert.equal(value("work_mem"), "5MB");
      assert.equal(value("maintenance_work_mem"), "65MB");
    });
  });

  it("fails with a message at the very first start, and starts with the corrected one", async () => {
    container.renewEmpty();
    container.deploy({ settings: "work_mem = 32kB" });
    const log = await refusedStart();
    assert.match(
      log,
      /REFUSED: the server does not start.*no earlier one has started: .*work_mem.*docs\/refused-configuration\.md/,
    );
    assert.deepEqual(keptFiles(), []);
    container.deploy({});
    assert.doesNotMatch(await start(), /creating a new database/);
  });

  const faults: Record<string, { harm: () => void; says: RegExp }> = {
    "a file of the data is missing": {
      harm: () =>
        renameSync(join(container.root, "volume/pgdata/global/pg_control"), join(container.root, "gone")),
      says: /pg_control/,
    },
    "the data directory is open to others": {
      harm: () => chmodSync(join(container.root, "volume/pgdata"), 0o777),
      says: /invalid permissions/,
    },
    "the WAL is gone": {
      harm: () => renameSync(join(container.root, "volume/pgdata/pg_wal"), join(container.root, "wal")),
      says: /pg_wal/,
    },
  };
  for (const [fault, { harm, says }] of Object.entries(faults)) {
    it(`is not blamed when a start fails for another reason: ${fault}`, async () => {
      container.deploy({ settings: "work_mem = 7MB" });
      harm();
      const log = await refusedStart();
      assert.match(log, /REFUSED: the server starts neither with.*the configuration is not what is wrong: /);
      assert.match(/REFUSED: .*/.exec(log)?.[0] ?? "", says);
      assert.equal(container.read("state/refused-configuration"), undefined);
      assert.doesNotMatch(container.read("volume/last-started/postgresql.conf") ?? "", /work_mem = 7MB/);
    });
  }

  it("uses no damaged kept files: it says so, and the next good ones replace them", async () => {
    appendFileSync(join(container.root, "volume/last-started/postgresql.conf"), "work_mem = 1GB\n");
    container.deploy({ settings: "work_mem = 32kB" });
    assert.match(await refusedStart(), /damaged and are not used[^]*REFUSED: .*no earlier one has started/);
    container.deploy({});
    await start(() => assert.notEqual(value("work_mem"), "1GB"));
    assert.doesNotMatch(container.read("volume/last-started/postgresql.conf") ?? "", /1GB/);
    // One that was never damaged is kept alone.
    const places = readdirSync(join(container.root, "volume")).filter((name) =>
      name.startsWith("last-started"),
    );
    assert.equal(places.length, 2, places.join(" "));
  });

  it("tries again what another version of the server kept", async () => {
    const sums = join(container.root, "volume/last-started/SHA256SUMS");
    writeFileSync(sums, readFileSync(sums, "utf8").replace(/16\.\d+/, "16.1"));
    assert.match(await start(), /trying the configuration/);
    assert.doesNotMatch(readFileSync(sums, "utf8"), /16\.1\b/);
  });

  it("ends when told to during a trial, leaving a database that was shut down", async () => {
    const random = new Random("stop", 1);
    for (let round = 0; round < 6; round++) {
      container.deploy({ settings: `work_mem = ${65 + round}kB` });
      const run = container.run();
      assert.ok(await run.says(/trying the configuration/), run.log);
      await pause(random.between(0, 400));
      const status = await run.end(round % 2 === 0 ? "SIGINT" : "SIGTERM");
      assert.ok(status === 143 || status === 0, `status ${status}\n${run.log}`);
      assert.equal(container.read("volume/pgdata/postmaster.pid"), undefined, run.log);
    }
    await start();
  });

  it("starts after it was killed during a trial, whenever that was", async () => {
    const random = new Random("kill", 1);
    for (let round = 0; round < 8; round++) {
      container.deploy({ settings: `work_mem = ${75 + round}kB` });
      const run = container.run();
      assert.ok(await run.says(/trying the configuration/), run.log);
      await pause(random.between(0, 500));
      await run.end("SIGKILL");
    }
    container.deploy({ settings: "work_mem = 32kB" });
    await start(() => assert.match(refused(), /work_mem/));
  });

  it("starts over what a trial left that was killed with its container, whatever process has its number", async () => {
    container.deploy({ settings: "work_mem = 6MB" });
    // A number that no process can have: PostgreSQL takes it for an error, as it does that of another living process.
    const lock = ["0", "/var/lib/postgresql/data/pgdata", "0", "5431", ""].join("\n");
    for (const file of [
      "volume/socket/.s.PGSQL.5431.lock",
      "socket/.s.PGSQL.5431.lock",
      "volume/pgdata/postmaster.pid",
    ]) {
      writeFileSync(join(container.root, file), lock, { mode: 0o644 });
      chownSync(join(container.root, file), 999, 999);
    }
    assert.match(await start(), /trying the configuration/);
    assert.match(container.read("volume/last-started/postgresql.conf") ?? "", /work_mem = 6MB/);
  });
});
