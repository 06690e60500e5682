import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { addresses } from "../../../tools/local-cluster/network.ts";
import { clusterPaths } from "../../../tools/local-cluster/paths.ts";
import { projectFile } from "../../../tools/cli.ts";
import { itLong } from "../../sample.ts";
import { certificate, type Mail, type Received } from "../../receivers.ts";
import { Lab } from "../faults/lab.ts";
import { breakFileSystem, mendFileSystem, ownDisk } from "../faults/storage-faults.ts";
import {
  changedConfig,
  CLUSTER,
  configured,
  execute,
  kubectl,
  needsEngine,
  npm,
  pulumi,
  settingSecret,
  sql,
  state,
  theCluster,
  theEngine,
  until,
  up,
} from "../support.ts";

const NAMESPACE = ["-n", "transcript-pipeline"];
const PASSWORD = "password-of-mail";

/** The receivers, in the node's network: what a server in the rack is to the pods. */
class Receivers {
  readonly web: Received[] = [];
  readonly mail: Mail[] = [];
  private readonly process: ChildProcess;
  private readonly begun: Promise<{ url: string; mailPort: number }>;

  constructor(address: string, tls: { key: string; cert: string }) {
    const script = projectFile("test/cluster/monitoring/receivers-process.ts");
    this.process = spawn(
      "nsenter",
      [`--net=${clusterPaths(CLUSTER).networkNamespace}`, process.execPath, script],
      {
        env: { ...process.env, ADDRESS: address, KEY: tls.key, CERT: tls.cert },
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const lines = createInterface({ input: this.process.stdout! });
    this.begun = new Promise((resolve, reject) => {
      this.process.on("exit", (status) => reject(new Error(`the receivers ended with ${status}`)));
      lines.on("line", (line) => {
        const said = JSON.parse(line) as { url: string; mailPort: number; web?: Received; mail?: Mail };
        if (said.web) this.web.push(said.web);
        else if (said.mail) this.mail.push(said.mail);
        else resolve(said);
      });
    });
  }

  started() {
    return this.begun;
  }

  stop(): void {
    this.process.kill();
  }

  /** What the webhook was told, in order. */
  told(): { state: string; subject: string; text: string }[] {
    return this.web
      .filter(({ path }) => path === "/hook")
      .map(({ body }) => JSON.parse(body) as { state: string; subject: string; text: string });
  }
}

describe("messages", function () {
  this.timeout(300_000);
  needsEngine();
  let receivers: Receivers;
  let file: string;

  const deploy = async (config = file) => {
    const ran = await pulumi(["up", "--yes", "--skip-preview", "--config-file", config]);
    assert.equal(ran.status, 0, ran.output);
    return ran;
  };

  before(async () => {
    await up();
    const { node: nodeAddress } = addresses(CLUSTER);
    const tls = certificate(nodeAddress);
    receivers = new Receivers(nodeAddress, tls);
    const { url, mailPort } = await receivers.started();
    const port = Number(new URL(url).port);
    const reached = (one: number) => ({ ranges: [`${nodeAddress}/32`], ports: [one] });
    file = configured({
      "notify.sinks": {
        hook: { kind: "webhook", ca: tls.cert },
        watch: { kind: "heartbeat", ca: tls.cert },
        post: {
          ...{ kind: "mail", host: nodeAddress, port: mailPort, user: "me@example.com", ca: tls.cert },
          ...{ from: "db@example.com", to: ["me@example.com"], least: "critical" },
        },
      },
      "network.sinks": { hook: reached(port), watch: reached(port) },
    });
    for (const [path, value] of [
      ["secrets.sinks.hook.url", `${url}/hook`],
      ["secrets.sinks.watch.url", `${url}/watch`],
      ["secrets.sinks.post.password", PASSWORD],
    ] as const) {
      const set = await pulumi([...settingSecret(path), "--config-file", file], {}, value);
      assert.equal(set.status, 0, set.output);
    }
    const { output } = await deploy();
    for (const secret of [PASSWORD, `${url}/hook`]) assert.ok(!output.includes(secret));
  });
  after(async () => {
    receivers.stop();
    // The others' stack has none.
    await up();
  });

  it("are tried by one command, in words for each sink", async () => {
    const ran = await npm("notify", "--test", "--config-file", file);
    assert.equal(ran.status, 0, ran.output);
    assert.equal(ran.stdout, "hook (webhook): sent\npost (mail): sent\nwatch (heartbeat): sent\n");
    assert.match(receivers.told().at(-1)?.text ?? "", /this is a test/);
    const letter = receivers.mail.at(-1);
    assert.deepEqual(
      [letter?.encrypted, letter?.user, letter?.to],
      [true, "me@example.com", ["me@example.com"]],
    );
    const none = await npm("notify", "--test", "--sink", "nobody", "--config-file", file);
    assert.equal(none.status, 1);
    assert.match(none.output, /the sink nobody is not configured/);
  });

  it("are sent by somebody who cannot read a row, and who has no login where there is a way out", async () => {
    const inNotifier = (container: string, command: string) =>
      execute("kubectl", [
        ...[
          "--kubeconfig",
          theCluster().kubeconfig,
          "exec",
          ...NAMESPACE,
          "postgres-notify-0",
          "-c",
          container,
        ],
        ...["--", "sh", "-c", command],
      ]);
    const asNotifier = (statement: string) =>
      inNotifier(
        "look",
        `PGPASSWORD=$(cat /etc/credentials/POSTGRES_PASSWORD) psql -w -U notifier -d transcripts_db -Atc "${statement}" 2>&1`,
      );
    assert.match((await asNotifier("select count(*) from recordings")).stdout, /permission denied/);
    assert.match(
      (await asNotifier("select ssl from pg_stat_ssl where pid = pg_backend_pid()")).stdout,
      /^t$/m,
    );
    const files = await inNotifier("send", "ls /etc/credentials /var/lib/postgresql/data 2>&1; env");
    assert.match(files.stdout, /No such file[^]*No such file/);
    assert.doesNotMatch(files.stdout, /PASSWORD/);
    // Nor does the one that has it know where messages go.
    assert.match((await inNotifier("look", "ls /etc/notify-secrets 2>&1")).stdout, /No such file/);
  });

  it("come within a minute of the server's end, and once more when it is back; nothing is repeated meanwhile", async () => {
    const before = receivers.told().length;
    const mails = receivers.mail.length;
    const ended = Date.now();
    await kubectl("scale", "statefulset", "postgres", ...NAMESPACE, "--replicas=0");
    try {
      await until("told", async () => Promise.resolve(receivers.told().length > before), 90_000, 200);
      const seconds = (Date.now() - ended) / 1000;
      console.log(`      told ${seconds.toFixed(0)} s after`);
      assert.ok(seconds < 60, `told after ${seconds.toFixed(0)} s`);
      assert.match(
        receivers.told().at(-1)?.subject ?? "",
        /^dev: critical: the database has not answered for/,
      );
      await until("mail", async () => Promise.resolve(receivers.mail.length === mails + 1), 30_000, 200);
      assert.match(
        receivers.mail.at(-1)?.text ?? "",
        /^Subject: dev: critical: the database has not answered/m,
      );
    } finally {
      await kubectl("scale", "statefulset", "postgres", ...NAMESPACE, "--replicas=1");
    }
    await until("over", async () => Promise.resolve(receivers.told().at(-1)?.state === "ok"), 150_000, 200);
    assert.match(receivers.told().at(-1)?.text ?? "", /^no longer: the database has not answered/);
    assert.equal(receivers.told().length, before + 2, JSON.stringify(receivers.told().slice(before)));
  });

  it("are none through a change that restarts the server, and the heartbeat goes on", async () => {
    const before = receivers.told().length;
    const beats = () => receivers.web.filter(({ path }) => path === "/watch").length;
    const first = beats();
    const started = await sql("select pg_postmaster_start_time()");
    await deploy(
      changedConfig(file, file.replace(/yaml$/, "more.yaml"), { "database.settings.max_connections": 45 }),
    );
    await until("a heartbeat", async () => Promise.resolve(beats() > first), 90_000, 500);
    assert.notEqual(await sql("select pg_postmaster_start_time()"), started);
    assert.deepEqual(receivers.told().slice(before), []);
  });

  itLong(
    "come within a minute of the data's disk becoming read-only, and once more when it is mended",
    async function (this: Mocha.Context) {
      this.timeout(600_000);
      const lab = new Lab({ cluster: theCluster(), state: state(), engine: theEngine(), up });
      const isWell = async () => Promise.resolve((receivers.told().at(-1)?.state ?? "ok") === "ok");
      try {
        await ownDisk.prepare(lab);
        await until("all is well", isWell, 150_000, 200);
        // What is told of a server that was away a moment ago may still be on its way.
        await new Promise((resolve) => setTimeout(resolve, 20_000));
        await until("all is well", isWell, 150_000, 200);
        const before = receivers.told().length;
        const broken = Date.now();
        await breakFileSystem(lab);
        // Somebody writes, as always.
        await sql("create table if not exists written (i int)").catch(() => undefined);
        await until("told", async () => Promise.resolve(receivers.told().length > before), 90_000, 200);
        const seconds = (Date.now() - broken) / 1000;
        console.log(`      told ${seconds.toFixed(0)} s after: ${receivers.told()[before]?.subject}`);
        assert.ok(seconds < 60, `told after ${seconds.toFixed(0)} s`);
        assert.match(
          receivers.told()[before]?.subject ?? "",
          /critical: the (data's disk is mounted read-only|database has not)/,
        );
        await mendFileSystem(lab);
        await lab.scale(1);
        await until("over", isWell, 180_000, 200);
        console.log(`      ${receivers.told().length - before} messages of it`);
      } finally {
        await ownDisk.restore(lab);
        rmSync(lab.folder, { recursive: true, force: true });
      }
    },
  );
});
