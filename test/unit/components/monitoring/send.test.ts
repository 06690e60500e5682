import assert from "node:assert/strict";
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  curlConfiguration,
  type SinkArgs,
  type SinkKeys,
  sinksTable,
} from "../../../../components/monitoring/sinks.ts";
import type { Leaf } from "../../../../components/secrets/description.ts";
import { projectFile } from "../../../../tools/cli.ts";
import { skip } from "../../../skip.ts";
import { certificate, MailReceiver, WebReceiver } from "../../../receivers.ts";

const SCRIPT = projectFile("components/monitoring/scripts/send.sh");
const READ_ONLY =
  'critical\tdisk-read-only\t\tthe disk is read-only: "nothing" is written\tdmesg | tail <now> & then\tdocs/status.md\n';
const JOBS =
  "warning\tjobs-dead\tembed\t3 jobs of kind embed were given up\tretry_job('…')\tdocs/status.md#jobs\n";

const runs = (command: string, ...args: string[]) => {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return undefined;
  }
};

describe("what is sent", function () {
  this.timeout(60_000);
  const tls = certificate();
  let web: WebReceiver;
  let mail: MailReceiver;
  let address: string;
  let mailPort: number;
  let root: string;
  let sender: ChildProcess | undefined;
  let log: string;

  before(function () {
    if (!/\bsmtp\b/.test(runs("curl", "--version") ?? "")) skip(this, "curl with SMTP is not on PATH");
  });
  beforeEach(async () => {
    [web, mail] = [new WebReceiver(tls), new MailReceiver(tls)];
    [address, mailPort] = [await web.start(), await mail.start()];
    root = mkdtempSync(join(tmpdir(), "send-"));
    for (const folder of ["run/notify", "etc/notify", "etc/notify-secrets", "tmp", "proc"])
      mkdirSync(join(root, folder), { recursive: true });
    clock(1000);
    log = "";
  });
  afterEach(async () => {
    sender?.kill("SIGKILL");
    sender = undefined;
    await Promise.all([web.stop(), mail.stop()]);
    rmSync(root, { recursive: true, force: true });
  });

  /** The machine's uptime, in seconds, as the sender sees it. */
  const clock = (seconds: number) => writeFileSync(join(root, "proc/uptime"), `${seconds}.5 1.0\n`);
  const found = (...lines: string[]) => {
    writeFileSync(join(root, "run/notify/findings.new"), lines.join(""));
    execFileSync("mv", [join(root, "run/notify/findings.new"), join(root, "run/notify/findings")]);
  };
  const textOf = (parts: readonly (string | Leaf)[]) =>
    parts.map((part) => (typeof part === "string" ? part : (part.value as unknown as string))).join("");

  function configure(
    sinks: readonly SinkArgs[],
    keys: Readonly<Record<string, SinkKeys<string>>> = {},
  ): void {
    writeFileSync(join(root, "etc/notify/sinks.tsv"), sinksTable(sinks));
    for (const sink of sinks) {
      const text = textOf(curlConfiguration({ ...sink, ca: tls.cert }, (keys[sink.name] ?? {}) as never));
      writeFileSync(join(root, `etc/notify/${sink.name}.crt`), tls.cert);
      writeFileSync(
        join(root, `etc/notify-secrets/${sink.name}.conf`),
        text
          .replaceAll("/etc/notify/", `${root}/etc/notify/`)
          .replace("https://api.telegram.org", address)
          .concat(sink.kind === "telegram" ? `cacert = "${root}/etc/notify/${sink.name}.crt"\n` : ""),
      );
    }
  }

  const environment = () => ({ PATH: process.env.PATH, ROOT: root, STACK: "prod", ROUND: "0.05" });
  function start(shell: readonly string[] = ["sh"]): void {
    const [command = "", ...args] = shell;
    sender = spawn(command, [...args, SCRIPT], { env: environment(), stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [sender.stdout, sender.stderr])
      stream?.on("data", (data: Buffer) => (log += data.toString()));
  }
  const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  async function until(what: string, isSo: () => boolean, milliseconds = 10_000): Promise<void> {
    for (let waited = 0; !isSo(); waited += 50) {
      assert.ok(waited < milliseconds, `${what}: ${log}`);
      await pause(50);
    }
  }
  const test = (...args: string[]) =>
    new Promise<{ status: number; output: string }>((resolve) => {
      execFile("sh", [SCRIPT, "test", ...args], { env: environment() }, (error, output) =>
        resolve({ status: error ? Number(error.code) : 0, output }),
      );
    });

  const web_ = (
    name: string,
    kind: "ntfy" | "slack" | "webhook" | "heartbeat",
    bearer = false,
  ): SinkArgs => ({
    ...{ name, kind, least: "warning", bearer },
  });
  const post = (changes: object = {}): SinkArgs => ({
    ...{
      name: "post",
      kind: "mail",
      least: "warning",
      host: "127.0.0.1",
      port: mailPort,
      security: "starttls",
    },
    ...{ user: "me@example.com", from: "db@example.com", to: ["me@example.com", "you@example.com"] },
    ...changes,
  });

  it("is once for each change: that something is wrong, and that it is over", async () => {
    configure([web_("hook", "webhook")], { hook: { url: `${address}/in` } });
    found();
    start();
    await pause(500);
    assert.equal(web.received.length, 0, "nothing is wrong");
    found(READ_ONLY);
    await until("told", () => web.received.length === 1);
    // Its words change all the time, as figures are in them.
    found(READ_ONLY.replace("nothing", "still nothing"));
    clock(1500);
    await pause(500);
    found();
    await until("told that it is over", () => web.received.length === 2);
    const [first, second] = web.received.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    assert.deepEqual(
      { ...first, text: undefined, findings: (first?.findings as object[]).length },
      {
        ...{ stack: "prod", state: "critical", findings: 1, ended: [], text: undefined },
        subject: 'prod: critical: the disk is read-only: "nothing" is written',
      },
    );
    assert.deepEqual(second?.state, "ok");
    assert.deepEqual(second?.ended, ['the disk is read-only: "nothing" is written']);
    assert.equal(second?.subject, "prod: all is well again");
  });

  it("is not a flood: what comes within a minute comes together, and in an hour not more than twenty", async () => {
    configure([web_("hook", "webhook")], { hook: { url: `${address}/in` } });
    found(READ_ONLY);
    start();
    await until("told", () => web.received.length === 1);
    found(READ_ONLY, JOBS);
    clock(1030);
    await pause(400);
    found(JOBS);
    clock(1059);
    await pause(400);
    assert.equal(web.received.length, 1);
    clock(1060);
    await until("told of both", () => web.received.length === 2);
    const { text } = JSON.parse(web.received[1]?.body ?? "{}") as { text: string };
    assert.match(text, /^WARNING: 3 jobs[^]*no longer: the disk is read-only/);
    for (let minute = 2; minute < 40; minute++) {
      found(...(minute % 2 === 0 ? [READ_ONLY, JOBS] : [JOBS]));
      clock(1000 + 61 * minute);
      await pause(150);
    }
    await until("as many as there may be", () => web.received.length === 20);
    clock(1000 + 3700);
    found();
    await until("the last word", () => web.received.length === 21);
  });

  it("is tried again until it arrives, and is not lost with a restart of the sender", async () => {
    configure([web_("hook", "webhook")], { hook: { url: `${address}/in-secret-path` } });
    web.status = 503;
    found(READ_ONLY);
    start();
    await until("refused", () => /hook: curl: \(22\).*503/.test(log));
    assert.ok(existsSync(join(root, "run/notify/failing.hook")));
    sender?.kill("SIGKILL");
    web.status = 200;
    start();
    await pause(400);
    clock(1031);
    await until("told", () => /it works again/.test(log));
    assert.ok(!existsSync(join(root, "run/notify/failing.hook")));
    assert.doesNotMatch(log, /secret-path|secret-of-the-answer/);
    const { length } = web.received;
    sender?.kill("SIGKILL");
    start();
    clock(2000);
    await pause(500);
    assert.equal(web.received.length, length, "a restart tells again");
  });

  it("leaves one sink that cannot be reached to itself", async () => {
    configure([web_("dead", "ntfy"), web_("hook", "webhook")], {
      dead: { url: "https://127.0.0.1:1/x" },
      hook: { url: `${address}/in` },
    });
    found(READ_ONLY);
    start();
    await until("told the other one", () => web.received.length === 1);
    await until("said", () => /dead: curl: \(7\)/.test(log));
  });

  it("is only what is grave enough for a sink", async () => {
    configure([{ ...web_("phone", "ntfy"), least: "critical" }, web_("hook", "webhook")], {
      phone: { url: `${address}/phone` },
      hook: { url: `${address}/hook` },
    });
    found(JOBS);
    start();
    await until("told", () => web.received.length === 1);
    clock(1100);
    found(JOBS, READ_ONLY);
    await until("told both", () => web.received.length === 3);
    assert.deepEqual(web.received.map(({ path }) => path).sort(), ["/hook", "/hook", "/phone"]);
  });

  it("has the form that each receiver takes, with its token, which no process list shows", async () => {
    configure(
      [
        web_("phone", "ntfy", true),
        web_("team", "slack"),
        { name: "chat", kind: "telegram", least: "warning", chat: "-100" },
        post(),
      ],
      {
        phone: { url: `${address}/topic`, token: "token-of-ntfy" },
        team: { url: `${address}/services/x` },
        chat: { token: "1:token-of-bot" },
        post: { password: "password-of-mail" },
      },
    );
    const processes: string[] = [];
    web.meanwhile = () => {
      const listed = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
      processes.push(...listed.split("\n").filter((line) => line.includes(root)));
    };
    found(READ_ONLY, JOBS);
    start();
    await until("told all", () => web.received.length === 3 && mail.received.length === 1);
    assert.ok(processes.some((line) => line.startsWith("curl ")));
    assert.doesNotMatch(processes.join("\n"), /token-of|password-of|topic/);
    const at = (path: string) => web.received.find((one) => one.path === path);
    const phone = at("/topic");
    assert.equal(phone?.headers.authorization, "Bearer token-of-ntfy");
    assert.equal(phone?.headers.priority, "5");
    assert.equal(
      phone?.headers.title,
      'prod: critical: the disk is read-only: "nothing" is written (and 1 more)',
    );
    assert.match(
      phone?.body ?? "",
      /^CRITICAL: the disk[^]*\n {2}dmesg \| tail <now> & then\n[^]*retry_job\('…'\)/,
    );
    const { text: slack } = JSON.parse(at("/services/x")?.body ?? "{}") as { text: string };
    assert.match(slack, /^\*prod: critical:[^]*dmesg \| tail &lt;now&gt; &amp; then/);
    const telegram = JSON.parse(at("/bot1:token-of-bot/sendMessage")?.body ?? "{}") as Record<string, string>;
    assert.equal(telegram.chat_id, "-100");
    assert.match(telegram.text ?? "", /^prod: critical: the disk is read-only: "nothing"/);
    const [letter] = mail.received;
    assert.deepEqual(
      { ...letter, text: undefined },
      {
        ...{ from: "db@example.com", to: ["me@example.com", "you@example.com"], user: "me@example.com" },
        ...{ encrypted: true, text: undefined },
      },
    );
    const [head = "", body = ""] = (letter?.text ?? "").split("\r\n\r\n");
    assert.match(head, /^Subject: prod: critical: the disk is read-only/m);
    assert.match(head, /^To: me@example\.com, you@example\.com\r$/m);
    assert.match(head, /^Date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} \+0000\r$/m);
    assert.match(head, /^Message-ID: <[^@\s]+@example\.com>\r$/m);
    assert.match(body, /^CRITICAL: the disk/);
    assert.match(letter?.text ?? "", /retry_job\('…'\)/);
  });

  it("never goes in plain text to a mail server that offers no encryption, unless that is configured", async () => {
    const plain = new MailReceiver(tls, { starttls: false });
    const port = await plain.start();
    try {
      configure([post({ port, user: undefined })]);
      const refused = await test();
      assert.equal(refused.status, 1);
      assert.match(refused.output, /^post \(mail\): not sent: curl: \(64\)/);
      configure([post({ port, user: undefined, security: "none" })]);
      assert.deepEqual(await test(), { status: 0, output: "post (mail): sent\n" });
      assert.equal(plain.received[0]?.encrypted, false);
    } finally {
      await plain.stop();
    }
  });

  it("is not sent to a server whose certificate nobody trusts", async () => {
    configure([web_("hook", "webhook")], { hook: { url: `${address}/in` } });
    writeFileSync(join(root, "etc/notify/hook.crt"), certificate().cert);
    const { status, output } = await test();
    assert.equal(status, 1);
    assert.match(output, /^hook \(webhook\): not sent: curl: \(60\)/);
    assert.equal(web.received.length, 0);
  });

  it("says that the database is watched, each minute, and as long as it is", async () => {
    configure([web_("watch", "heartbeat")], { watch: { url: `${address}/ping` } });
    const looked = join(root, "run/notify/looked");
    writeFileSync(looked, "");
    start();
    await until("requested", () => web.received.length === 1);
    assert.deepEqual([web.received[0]?.method, web.received[0]?.body], ["GET", ""]);
    clock(1059);
    await pause(400);
    assert.equal(web.received.length, 1);
    clock(1061);
    await until("requested again", () => web.received.length === 2);
    const old = Date.now() / 1000 - 90;
    utimesSync(looked, old, old);
    clock(1200);
    await pause(500);
    assert.equal(web.received.length, 2, "nobody has looked for 90 s");
  });

  it("is tried on demand, one sink or all, with words for each", async () => {
    configure([web_("hook", "webhook"), web_("watch", "heartbeat"), web_("dead", "slack")], {
      hook: { url: `${address}/in` },
      watch: { url: `${address}/ping` },
      dead: { url: "https://127.0.0.1:1/" },
    });
    const all = await test();
    assert.equal(all.status, 1);
    assert.match(
      all.output,
      /^hook \(webhook\): sent\nwatch \(heartbeat\): sent\ndead \(slack\): not sent: curl: \(7\)/,
    );
    assert.deepEqual(await test("hook"), { status: 0, output: "hook (webhook): sent\n" });
    const none = await test("nobody");
    assert.equal(none.status, 1);
    assert.match(none.output, /there is no sink nobody\. There are: hook watch dead/);
    rmSync(join(root, "etc/notify-secrets/hook.conf"));
    assert.match((await test("hook")).output, /not sent: the Secret postgres-notify has no hook\.conf yet/);
  });

  it("is the same with busybox, which curl's image has", async function () {
    const busybox = runs("sh", "-c", "command -v busybox")?.trim();
    if (!busybox) return skip(this, "busybox is not on PATH");
    const bin = join(root, "bin");
    mkdirSync(bin);
    const names = [
      "awk",
      "cat",
      "cmp",
      "cp",
      "cut",
      "date",
      "grep",
      "mktemp",
      "mv",
      "rm",
      "sh",
      "sleep",
      "sort",
    ];
    for (const name of [...names, "touch", "tr", "wc"]) execFileSync("ln", ["-s", busybox, join(bin, name)]);
    execFileSync("ln", ["-s", runs("sh", "-c", "command -v curl")?.trim() ?? "", join(bin, "curl")]);
    configure([web_("phone", "ntfy"), web_("hook", "webhook"), post(), web_("watch", "heartbeat")], {
      phone: { url: `${address}/phone` },
      hook: { url: `${address}/hook` },
      post: { password: "password-of-mail" },
      watch: { url: `${address}/watch` },
    });
    writeFileSync(join(root, "run/notify/looked"), "");
    found(READ_ONLY, JOBS);
    const path = process.env.PATH;
    process.env.PATH = bin;
    try {
      start([busybox, "sh"]);
    } finally {
      process.env.PATH = path;
    }
    await until("told all", () => web.received.length === 3 && mail.received.length === 1);
    const hook = web.received.find((one) => one.path === "/hook");
    assert.equal((JSON.parse(hook?.body ?? "{}") as { state: string }).state, "critical");
    assert.match(mail.received[0]?.text ?? "", /Subject: prod: critical: the disk/);
    clock(1100);
    found();
    await until("over", () => web.received.length >= 5 && mail.received.length === 2);
    assert.equal(readFileSync(join(root, "run/notify/sent.hook"), "utf8"), "");
  });
});
