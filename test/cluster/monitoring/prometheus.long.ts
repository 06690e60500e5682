import assert from "node:assert/strict";
import { alertsFor } from "../../../components/monitoring/alerts.ts";
import { RULES } from "../../../components/monitoring/rules.ts";
import { queries } from "../../../tools/dashboards/index.ts";
import { configured, kubectl, needsEngine, npm, pulumi, sql, until, up } from "../support.ts";

const NAMESPACE = ["-n", "transcript-pipeline"];
const PROXY = "/api/v1/namespaces/transcript-pipeline/pods/postgres-prometheus-0:9090/proxy";
const SWITCH = "TranscriptsDeadMansSwitch";

/** What an expression has now. */
async function ask(expression: string): Promise<{ metric: Record<string, string>; value: number }[]> {
  const path = `${PROXY}/api/v1/query?query=${encodeURIComponent(expression)}`;
  const answer = JSON.parse(await kubectl("get", "--raw", path)) as {
    data: { result: { metric: Record<string, string>; value: [number, string] }[] };
  };
  return answer.data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
}

/** The alerts that fire now. */
async function firing(): Promise<string[]> {
  const found = await ask('ALERTS{alertstate="firing"}');
  return found.map(({ metric }) => metric.alertname ?? "").sort();
}

describe("a Prometheus next to the database", function () {
  this.timeout(600_000);
  needsEngine();
  const deploy = async (more: Record<string, unknown> = {}) => {
    const ran = await pulumi(["up", "--yes", "--skip-preview", "--config-file", configured(more)]);
    assert.equal(ran.status, 0, ran.output);
  };
  const alerts = alertsFor(RULES, '{job="postgres-exporter"}');

  before(async function () {
    this.timeout(10 * 60_000);
    await up();
  });

  it("collects what the deployed product says of itself: no alert and no panel looks at nothing", async () => {
    // Something of everything that a busy hour has.
    await sql(
      `insert into jobs (kind, status) select 'embed', 'queued' from generate_series(1, 20);
       insert into jobs (kind, status, finished_at) values ('embed', 'dead', now())`,
    );
    // Without a disk that fills, a RAID and a slot there is nothing to see of them.
    const absent = /disk_full_seconds|raid_missing_devices|slot_wal_bytes/;
    const wanted = [
      ...alerts.filter(({ measured }) => !measured.startsWith("absent(")).map(({ measured }) => measured),
      ...queries("2m").map(({ expression }) => expression),
    ].filter((expression) => !absent.test(expression));
    const left = new Set(wanted);
    await until(
      "each expression has a value",
      async () => {
        for (const expression of left) if ((await ask(expression)).length > 0) left.delete(expression);
        return left.size === 0;
      },
      200_000,
      5000,
    ).catch(() => assert.fail(`have no value: ${[...left].join("\n")}`));
    console.log(`      ${new Set(wanted).size} expressions have values`);
    await sql("delete from jobs where kind = 'embed'");
  });

  it("has no alert while all is well, through a deployment that restarts the server, and a new password", async () => {
    await until("all is well", async () => (await firing()).join() === SWITCH, 300_000, 2000);
    await deploy({ "database.settings.max_connections": 41, "database.rotation": "second" });
    // Longer than a new password takes into the exporter's pod, and an alert then.
    const end = Date.now() + 150_000;
    while (Date.now() < end) {
      assert.deepEqual(await firing(), [SWITCH]);
      await new Promise((resolve) => setTimeout(resolve, 3000));
    }
    const [starts] = await ask("resets(transcripts_server_running_seconds[10m])");
    assert.ok((starts?.value ?? 0) > 0, "the server was not restarted");
    await deploy();
  });

  it("costs the node less than 128 MiB for both exporters, and little of a core", async () => {
    const sum = async (expression: string) => (await ask(`sum(${expression})`))[0]?.value ?? NaN;
    const share = (await sum('rate(process_cpu_seconds_total{job="postgres-exporter"}[2m])')) * 100;
    const memory = await sum('process_resident_memory_bytes{job="postgres-exporter"}');
    console.log(
      `      the exporters take ${share.toFixed(2)} % of a core and ${(memory / 2 ** 20).toFixed(0)} MiB`,
    );
    assert.ok(memory < 128 * 2 ** 20);
  });

  it("says within three minutes and a half that the database is gone, and no longer when it is back", async () => {
    const ended = Date.now();
    await kubectl("scale", "statefulset", "postgres", ...NAMESPACE, "--replicas=0");
    try {
      await until(
        "the alert",
        async () => (await firing()).includes("TranscriptsDatabaseSilent"),
        240_000,
        1000,
      );
      const seconds = (Date.now() - ended) / 1000;
      console.log(`      the alert fired ${seconds.toFixed(0)} s after`);
      assert.ok(seconds < 210, `${seconds.toFixed(0)} s`);
    } finally {
      await kubectl("scale", "statefulset", "postgres", ...NAMESPACE, "--replicas=1");
    }
    await until("it is over", async () => (await firing()).join() === SWITCH, 200_000, 2000);
  });

  it("is part of the status when it is not up", async () => {
    await kubectl("scale", "statefulset", "postgres-exporter", ...NAMESPACE, "--replicas=0");
    const { output } = await npm("status");
    assert.match(output, /WARNING: metrics are not collected: postgres-exporter is not up/);
    await kubectl("scale", "statefulset", "postgres-exporter", ...NAMESPACE, "--replicas=1");
  });
});
