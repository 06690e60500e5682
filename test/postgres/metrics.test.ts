import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { type AddressInfo, createServer } from "node:net";
import {
  DATABASE_METRICS,
  FIGURE_METRICS,
  METRIC_PREFIX,
  SILENT_METRIC,
} from "../../components/monitoring/metrics.ts";
import { MonitoredServer } from "./monitored-server.ts";
import { withPrograms } from "./programs.ts";

describe("the metrics that postgres_exporter reads", function () {
  this.timeout(120_000);
  let server: MonitoredServer;

  withPrograms(async (programs) => {
    server = await MonitoredServer.start(programs);
    server.node["raid_missing_devices\tmd0"] = 1;
    // A day in which the disk filled by a tenth: a line needs six hours.
    await server.sql(
      "insert into monitoring.disk (at, free) select now() - n * interval '1 hour', 600000000 + n * 10000000 from generate_series(10, 1, -1) as n",
    );
    await server.lookAt();
    await server.application(
      "insert into jobs values ('embed', 'queued', now() - interval '2 hours'), ('embed', 'dead', now())",
    );
    await server.startExporters();
  });
  after(() => server.remove());

  const valueIn = (samples: Map<string, number>, pattern: RegExp) =>
    [...samples].find(([name]) => pattern.test(name))?.[1];

  it("are every figure, under its name, with its label", async () => {
    const samples = await server.scrape("figures");
    const bare = (sample: string) => sample.replace(/\{.*/, "");
    for (const { name, of } of [...FIGURE_METRICS, SILENT_METRIC]) {
      const found = [...samples.keys()].filter((sample) => bare(sample) === METRIC_PREFIX + name);
      assert.notEqual(found.length, 0, `${name} is missing: ${server.log}`);
      for (const sample of found)
        assert.match(sample, of === undefined ? /^[a-z_]+(\{server="[^"]*"\})?$/ : new RegExp(`[{,]${of}="`));
    }
    assert.equal(valueIn(samples, /^transcripts_raid_missing_devices\{.*array="md0"/), 1);
    assert.equal(valueIn(samples, /^transcripts_disk_free_ratio/), 0.6);
    const age = valueIn(samples, /^transcripts_backup_age_seconds\{.*repository="nas"/) ?? NaN;
    assert.ok(age > 7190 && age < 7300, String(age));
  });

  it("are nothing else of the database postgres, so that no figure of the server is counted twice", async () => {
    const names = [...(await server.scrape("figures")).keys()].filter((name) => name.startsWith("pg_"));
    assert.deepEqual(
      names.filter((name) => !/^pg_(up|exporter_|scrape_collector_)/.test(name)),
      [],
    );
  });

  it("are the application's, and the exporter's own about the server", async () => {
    const samples = await server.scrape("database");
    for (const { name, of } of DATABASE_METRICS)
      assert.ok(
        valueIn(samples, new RegExp(`^${METRIC_PREFIX}${name}\\{.*${of}="`)) !== undefined,
        `${name}: ${server.log}`,
      );
    assert.equal(valueIn(samples, /^transcripts_jobs_dead\{.*kind="embed"/), 1);
    assert.equal(valueIn(samples, /^transcripts_jobs_running\{.*kind="transcribe"/), 1);
    const waiting = valueIn(samples, /^transcripts_jobs_waiting_seconds\{.*kind="embed"/) ?? NaN;
    assert.ok(waiting > 7190 && waiting < 7300, String(waiting));
    for (const name of ["pg_up", "pg_stat_database_xact_commit", "pg_stat_statements_seconds_total"])
      assert.ok(valueIn(samples, new RegExp(`^${name}\\b`)) !== undefined, `${name}: ${server.log}`);
  });

  it("show no statement's text, and no name that a client has chosen", async () => {
    server.session("canary", "set application_name = 'canary-of-a-session'");
    await server.sql("select 'canary-of-a-statement' as c");
    const text = [...(await server.scrape("database")).keys()].join("\n");
    assert.doesNotMatch(text, /canary-of|\bselect /i);
  });

  it("let nobody who may read them have the exporter send its password elsewhere", async () => {
    let heard = "";
    const other = createServer((client) => {
      // As a server that asks for the password itself (AuthenticationCleartextPassword).
      client.on("data", (data: Buffer) => {
        heard += data.toString("latin1");
        client.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]));
      });
      client.on("error", () => client.destroy());
    });
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    await server.probe(`127.0.0.1:${port}/x?sslmode=disable&user=exporter`);
    other.close();
    // The control: it was asked.
    assert.match(heard, /exporter/);
    assert.doesNotMatch(heard, /a:b\\c/);
  });

  it("are read with a new password without a restart, and it is in no process list and no environment", async () => {
    await server.rotate("another:one");
    for (let tries = 0; ; tries++) {
      const text = execFileSync("cat", [server.passwordFile], { encoding: "utf8" });
      if (/^127\.0\.0\.1:\d+:\*:exporter:another\\:one\n$/.test(text)) break;
      assert.ok(tries < 100, "the file with the password");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.equal(execFileSync("stat", ["-c", "%a", server.passwordFile], { encoding: "utf8" }).trim(), "600");
    // With sessions of the time before, nobody would notice.
    await server.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'exporter'");
    for (const name of ["figures", "database"] as const)
      // The first answer is that of a session that has just been ended.
      for (let tries = 0; valueIn(await server.scrape(name), /^pg_up\b/) !== 1; tries++)
        assert.ok(tries < 5, server.log);
    const processes = execFileSync("ps", ["eww", "-o", "args", "-g", String(server.pid("figures"))], {
      encoding: "utf8",
    });
    assert.match(processes, /DATA_SOURCE_NAME=/);
    assert.doesNotMatch(processes, /another/);
  });

  it("say that the server is gone when it is", async () => {
    await server.stopServer();
    const samples = await server.scrape("figures");
    assert.equal(valueIn(samples, /^pg_up\b/), 0);
    assert.ok(![...samples.keys()].some((name) => name.startsWith(METRIC_PREFIX)));
  });
});
