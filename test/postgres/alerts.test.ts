import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { alertGroups, alertsFor } from "../../components/monitoring/alerts.ts";
import { type Rule, RULES } from "../../components/monitoring/rules.ts";
import { queries } from "../../tools/dashboards/index.ts";
import { evaluate } from "../../tools/evaluation/evaluate.ts";
import { unwrapped } from "../../tools/evaluation/recorder.ts";
import { itLong } from "../sample.ts";
import { deployable } from "../settings.ts";
import { skip } from "../skip.ts";
import { MonitoredServer, NODE, unpackPrometheus } from "./monitored-server.ts";
import { withPrograms } from "./programs.ts";

const LABELS = { job: "postgres-exporter", stack: "test" };
const SELECTOR = '{job="postgres-exporter",stack="test"}';
const HOUR = 3600;
const DAY = 24 * HOUR;

/**
 * By how much the durations are divided: the longest is a day. Limits of what cannot be dated back, such as how long a
 * session has waited, are these instead.
 */
const HASTEN = 7200;
const SHORT: Readonly<Record<string, number>> = {
  "figures-silent": 8,
  "transaction-open": 3,
  "lock-awaited": 3,
  "prepared-transaction-open": 3,
  "slot-keeps-wal": 2 ** 24,
};
const HASTENED: readonly Rule[] = RULES.map((rule) => ({
  ...rule,
  ...(rule.name in SHORT && { above: SHORT[rule.name] ?? 0 }),
}));

/** What comes with the server itself, its statistics or its exporter, one after another at the end. */
const AT_THE_END = [
  "TranscriptsServerRestarting",
  "TranscriptsDamagedPages",
  "TranscriptsTransactionNumbersUsed",
  "TranscriptsTransactionNumbersRunOut",
  "TranscriptsFiguresSilent",
  "TranscriptsDatabaseSilent",
  "TranscriptsExporterSilent",
  "TranscriptsJobsSilent",
];

describe("the alerts, in a Prometheus that collects the metrics", function () {
  this.timeout(240_000);
  let server: MonitoredServer;
  let looks: NodeJS.Timeout | undefined;
  const alerts = alertsFor(HASTENED, SELECTOR);
  const seen = new Map<string, string>();

  /** Keeps the figures new, as the reconciler does. */
  function keepLooking(): void {
    looks = setInterval(() => void server.lookAt().catch(() => undefined), 2000);
  }
  const stopLooking = () => clearInterval(looks);

  async function untilFiring(names: readonly string[], seconds: number): Promise<void> {
    for (let waited = 0; ; waited++) {
      for (const [name, words] of await server.firing()) seen.set(name, words);
      const missing = names.filter((name) => !seen.has(name));
      if (missing.length === 0) return;
      assert.ok(waited < seconds * 2, `do not fire: ${missing.join(", ")}\n${server.log.slice(-2000)}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  withPrograms(async (programs) => {
    server = await MonitoredServer.start(programs);
    // So that something is archived, which a backup's end has done in a real one.
    await server.sql("select pg_switch_wal()");
    await server.lookAt();
    await server.startExporters();
    await server.startPrometheus(alertGroups(alerts, HASTEN), "postgres-exporter");
    keepLooking();
  });
  after(async () => {
    stopLooking();
    await server.remove();
  });

  it("look at something that is there, each of them, when all is well", async () => {
    // A forecast needs six hours of a disk that fills; by then it is a figure of years.
    await server.sql(
      "insert into monitoring.disk (at, free) select now() - n * interval '1 hour', 600000000 + n * 10 from generate_series(10, 1, -1) as n",
    );
    for (const { name, measured } of alerts) {
      // What looks for something that is gone has a value then alone.
      if (measured.startsWith("absent(")) continue;
      for (let tries = 0; (await server.values(measured)).length === 0; tries++) {
        assert.ok(tries < 60, `${name}: ${measured} has no value. ${server.log.slice(-2000)}`);
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  });

  it("and so do the dashboards' panels", async () => {
    for (const { dashboard, panel, expression } of queries("1m"))
      for (let tries = 0; (await server.values(expression)).length === 0; tries++) {
        assert.ok(tries < 60, `${dashboard}, ${panel}: ${expression} has no value`);
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
  });

  it("are silent when all is well, but for the one that always fires", async () => {
    // Longer than the longest duration.
    await new Promise((resolve) => setTimeout(resolve, 20_000));
    assert.deepEqual([...(await server.firing()).keys()], ["TranscriptsDeadMansSwitch"]);
  });

  it("fire, each on its own fault, with words in which nothing is left open", async () => {
    server.node = {
      ...NODE,
      disk_free_ratio: 0.01,
      disk_files_free_ratio: 0.01,
      disk_read_only: 1,
      "raid_missing_devices\tmd0": 1,
      certificate_refused: 1,
      certificate_left_seconds: -5,
      certificate_overdue_seconds: 100,
      configuration_refused: 1,
      settings_refused: 1,
      "credentials_refused\tpostgres-secret": 1,
    };
    server.report({ age: 9 * DAY, status: 1, said: HOUR });
    await server.sql(
      "delete from monitoring.disk",
      "insert into monitoring.disk (at, free) select now() - n * interval '1 hour', 600000000 + n * 20000000 from generate_series(10, 1, -1) as n",
      "delete from backup.drill",
      "insert into backup.drill (proven, repository, words) values (false, 'nas', 'a table is missing')",
      // As of a queue that nobody works on, and of a disk that is not archived.
      "alter system set archive_command = '/bin/false'",
      "select pg_reload_conf()",
      "update backup.heartbeat set uptime = uptime - 600, at = at - interval '10 minutes'",
      "create table held (a int)",
    );
    await server.application(
      `insert into jobs values ('embed', 'queued', now() - interval '2 hours'), ('embed', 'dead', now());
       drop extension pg_trgm; create extension pg_trgm schema extensions version '1.5';`,
    );
    await server.sql("begin", "insert into held values (1)", "prepare transaction 'forgotten'");
    server.session("holder", "begin", "lock table held in row exclusive mode");
    server.session("waiter", "begin", "lock table held in access exclusive mode");
    for (let number = 0; number < 19; number++) server.session(`client-${number}`);
    await server.sql(
      "select pg_logical_emit_message(false, '', repeat('x', 20000000))",
      "select pg_switch_wal()",
    );
    await untilFiring(
      alerts.map(({ name }) => name).filter((name) => !AT_THE_END.includes(name)),
      90,
    );
  });

  itLong(
    "fire on a server that is started again and again, that reads what it has not written, and that has used its numbers",
    async () => {
      stopLooking();
      const file = await server.sql(
        "create table broken as select generate_series(1, 10000) as n",
        "checkpoint",
        "select pg_relation_filepath('broken')",
      );
      for (let start = 0; start < 4; start++) {
        await server.stopServer();
        if (start === 0) {
          const handle = openSync(server.dataFile(file), "r+");
          writeSync(handle, "not what was written", 2000);
          closeSync(handle);
        }
        // The prepared transaction keeps vacuum from freeing any.
        if (start === 3) await server.useTransactions(1_700_000_000);
        await server.startServer();
        // Until that was seen, and is long enough ago for the next start to be seen as one.
        for (let tries = 0; start < 3; tries++) {
          await server.lookAt();
          const [running = 0] = await server.values("transcripts_server_running_seconds");
          const [resets] = await server.values("resets(transcripts_server_running_seconds[1h])");
          if (resets === start + 1 && running > 6) break;
          assert.ok(tries < 100, `start ${start} is not seen: ${running} s, ${resets}`);
          await new Promise((resolve) => setTimeout(resolve, 500));
        }
      }
      await assert.rejects(server.sql("select count(*) from broken"), /invalid page/);
      keepLooking();
      await untilFiring(
        [
          ...["TranscriptsServerRestarting", "TranscriptsDamagedPages"],
          ...["TranscriptsTransactionNumbersUsed", "TranscriptsTransactionNumbersRunOut"],
        ],
        60,
      );
    },
  );

  it("fire on a server that hangs, whose port still takes connections, and no longer when it goes on", async () => {
    const silent = "TranscriptsDatabaseSilent";
    /** Until it does not fire; what was seen of another fault is forgotten. */
    const over = async () => {
      for (let tries = 0; (await server.firing()).has(silent); tries++) {
        assert.ok(tries < 80, "it still fires");
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
      seen.delete(silent);
    };
    await over();
    server.signalServer("SIGSTOP");
    try {
      await untilFiring([silent], 40);
    } finally {
      server.signalServer("SIGCONT");
    }
    await over();
  });

  it("fire when nobody writes figures, when the server is gone, and when nobody has metrics of it", async () => {
    stopLooking();
    await untilFiring(["TranscriptsFiguresSilent"], 30);
    await server.stopServer();
    await untilFiring(["TranscriptsDatabaseSilent"], 30);
    server.end("figures");
    server.end("database");
    await untilFiring(["TranscriptsExporterSilent", "TranscriptsJobsSilent"], 30);
    for (const [name, words] of seen)
      assert.doesNotMatch(words, /\{\{|<no value>|NaN|%!/, `${name}: ${words}`);
    assert.match(seen.get("TranscriptsBackupOld") ?? "", /repository nas has had no base backup for 9d/);
    assert.match(seen.get("TranscriptsJobsDead") ?? "", /1 jobs of kind embed/);
  });
});

describe("the durations of the alerts, as promtool evaluates them", function () {
  this.timeout(120_000);
  let folder: string;
  before(async function () {
    this.timeout(10 * 60_000);
    folder = mkdtempSync(join(tmpdir(), "promtool-"));
    try {
      await unpackPrometheus(folder, "promtool");
    } catch (error) {
      skip(
        this,
        `promtool: ${error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error)}`,
      );
    }
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs promtool; what it objects to is the failure. */
  function promtool(...args: string[]): void {
    try {
      execFileSync(join(folder, "usr/bin/promtool"), args, { stdio: "pipe", cwd: folder });
    } catch (error) {
      const { stdout, stderr } = error as { stdout: Buffer; stderr: Buffer };
      assert.fail(`${stdout.toString()}${stderr.toString()}`.slice(0, 3000));
    }
  }
  const write = (name: string, content: object) => writeFileSync(join(folder, name), JSON.stringify(content));

  it("are neither shorter nor longer than they say", () => {
    const tested = alertsFor(RULES, SELECTOR).filter(
      // What it compares is a figure's own value.
      ({ comparison, measured }) => comparison !== undefined && !measured.startsWith("resets("),
    );
    for (const alert of tested) {
      const { name, measured, comparison = "", lasts, severity } = alert;
      // A day in steps of 15 s takes a second for each alert.
      const step = Math.max(15, Math.ceil(lasts / 100 / 15) * 15);
      write(`${name}.rules`, {
        groups: alertGroups([alert]).map((group) => ({ ...group, interval: `${step}s` })),
      });
      const [sign, limit] = comparison.split(" ");
      const well = sign === "<" ? Number(limit) + 1 : sign === "==" ? 1 : 0;
      const wrong = sign === "<" ? Number(limit) - 0.001 : sign === "==" ? 0 : Number(limit) + 1;
      const [metric = ""] = /pg_up|transcripts_[a-z_]+/.exec(measured) ?? [];
      // As long well as Prometheus looks back, and then wrong.
      const from = 20 * step;
      const firing = {
        labels: {
          alertname: name,
          severity,
          ...(measured.startsWith("min(") ? {} : LABELS),
        },
      };
      const label = Object.entries({ alertstate: "firing", ...firing.labels })
        .map(([key, value]) => `${key}="${value}"`)
        .join(",");
      const at = (seconds: number, fires: boolean) => ({
        expr: `ALERTS{alertname="${name}",alertstate="firing"}`,
        eval_time: `${seconds}s`,
        exp_samples: fires ? [{ labels: `ALERTS{${label}}`, value: 1 }] : [],
      });
      write(`${name}.test`, {
        rule_files: [`${name}.rules`],
        evaluation_interval: `${step}s`,
        tests: [
          {
            interval: `${step}s`,
            input_series: [
              {
                series: `${metric}${SELECTOR}`,
                values: `${well}x19 ${wrong}x${Math.ceil(lasts / step) + 10}`,
              },
            ],
            promql_expr_test: [
              at(from - step, false),
              ...(lasts > step ? [at(from + lasts - step, false)] : []),
              at(from + Math.ceil(lasts / step) * step + step, true),
            ],
          },
        ],
      });
    }
    promtool("check", "rules", ...tested.map(({ name }) => `${name}.rules`));
    promtool("test", "rules", ...tested.map(({ name }) => `${name}.test`));
  });

  it("are of rules that promtool takes, all together", () => {
    write("alerts.yaml", { groups: alertGroups(alertsFor(RULES, SELECTOR)) });
    promtool("check", "rules", "alerts.yaml");
  });

  it("are evaluated by a Prometheus whose whole configuration promtool takes, with an Alertmanager too", async () => {
    const monitoring = { prometheus: "bundled", alertmanager: "alertmanager.monitoring.svc" };
    const config = Object.entries({ ...deployable(), monitoring }).map(
      ([name, value]) => [`transcript-pipeline:${name}`, JSON.stringify(value)] as const,
    );
    const { registrations } = await evaluate("prod", Object.fromEntries(config), []);
    const files = registrations
      .map(({ inputs }) => unwrapped(inputs) as { kind?: string; data?: Record<string, string> })
      .flatMap(({ kind, data }) => (kind === "ConfigMap" ? Object.entries(data ?? {}) : []));
    const text = files.find(([name]) => name === "prometheus.yml")?.[1] ?? "";
    assert.match(text, /"alertmanager\.monitoring\.svc:9093"/);
    writeFileSync(join(folder, "prometheus.yml"), text);
    promtool("check", "config", "prometheus.yml");
  });
});
