import assert from "node:assert/strict";
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
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
  'critical\tdisk-read-only\t\tthe disk is read-only: "nothing" is written\tdmesg | tail <now> & then\tdocs/status.md\tdisk_read_only\n';
const JOBS =
  "warning\tjobs-dead\tembed\t3 jobs of kind embed were given up\tretry_job('…')\tdocs/status.md#jobs\tjobs_dead\n";
const FILLING = "warning\tdisk-filling\t\t14 % is free\tmake room\tdocs/growing.md\tdisk_free_ratio\n";
const FULL =
  "critical\tdisk-almost-full\t\tonly 4 % is free\tmake room\tdocs/full-disk.md\tdisk_free_ratio\n";

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
    kill();
    await Promise.all([web.stop(), mail.stop()]);
    rmSync(root, { recursive: true, force: true });
  });

  /** Ends the sender with all its processes, as the end of a container does. */
  function kill(): void {
    if (sender?.pid !== undefined) process.kill(-sender.pid, "SIGKILL");
    sender = undefined;
  }

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
    sender = spawn(command, [...args, SCRIPT], {
      env: environment(),
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    for (const stream of [sender.stdout, sender.stderr])
      stream?.setEncoding("utf8").on("data", (data: string) => (log += data));
  }
  const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  async function until(what: string, isSo: () => boolean, milliseconds = 30_000): Promise<void> {
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
      found(...(minute % 2 === 0 ? [FILLING, JOBS] : [JOBS]));
      clock(1000 + 61 * minute);
      await pause(200);
    }
    await until("as many as there may be, and noted", () => log.match(/told of/g)?.length === 20);
    assert.equal(web.received.length, 20);
    // What is grave and new does not wait for the hour to end, whatever was told last.
    writeFileSync(join(root, "run/notify/sent.hook"), "");
    found(JOBS, READ_ONLY);
    clock(1000 + 61 * 41);
    await until("told of what is grave", () => web.received.length === 21);
    clock(1000 + 61 * 102);
    found();
    await until("the last word", () => web.received.length === 22);
  });

  it("has nothing over that has become graver, or that one receiver alone is not told of", async () => {
    configure([web_("hook", "webhook"), { ...web_("phone", "webhook"), least: "critical" }], {
      hook: { url: `${address}/hook` },
      phone: { url: `${address}/phone` },
    });
    const told = (path: string) =>
      web.received
        .filter((one) => one.path === path)
        .map(({ body }) => JSON.parse(body) as { state: string; subject: string; text: string });
    found(FILLING);
    start();
    await until("told", () => told("/hook").length === 1);
    clock(1100);
    found(FULL);
    await until("told both", () => told("/hook").length === 2 && told("/phone").length === 1);
    assert.doesNotMatch(told("/hook")[1]?.text ?? "", /no longer/);
    clock(1200);
    found(FILLING);
    await until("told both again", () => told("/hook").length === 3 && told("/phone").length === 2);
    assert.match(told("/hook")[2]?.subject ?? "", /^prod: warning: 14 % is free$/);
    // It is not well: this receiver is only told of less.
    assert.deepEqual(told("/phone")[1]?.subject, "prod: no longer: only 4 % is free");
    assert.deepEqual(told("/phone")[1]?.state, "warning");
  });

  it("waits for no other sink: not for those that take a message and never answer", async () => {
    const hanging = createServer();
    await new Promise<void>((resolve) => hanging.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = hanging.address() as { port: number };
      const names = ["a", "b", "c", "d", "e", "f", "g"];
      configure([...names.map((name) => web_(name, "ntfy")), web_("hook", "webhook")], {
        ...Object.fromEntries(names.map((name) => [name, { url: `https://127.0.0.1:${port}/` }])),
        hook: { url: `${address}/in` },
      });
      found(READ_ONLY);
      start();
      // Each of those is waited for for a minute.
      await until("told", () => web.received.length === 1);
      assert.ok(existsSync(join(root, "run/notify/sending")));
    } finally {
      kill();
      hanging.close();
    }
  });

  it("is not sent where the answer is a redirect, and no address is repeated, nor taken for several", async () => {
    web.status = 302;
    configure([web_("hook", "webhook"), web_("odd", "webhook")], {
      hook: { url: `${address}/in` },
      odd: { url: `${address}/{secret-a,secret-b}[1-3]` },
    });
    const { status, output } = await test();
    assert.equal(status, 1);
    assert.match(output, /^hook \(webhook\): not sent: the answer is 302/);
    assert.doesNotMatch(output, /secret-/);
    assert.equal(web.received.length, 2);
    web.status = 200;
    configure([web_("bad", "webhook")], { bad: { url: "https://secret-host[x/secret-path" } });
    assert.doesNotMatch((await test()).output, /secret-/);
  });

  it("does not go on complaining of a sink to which nothing is owed", async () => {
    configure([web_("hook", "webhook")], { hook: { url: `${address}/in` } });
    web.status = 503;
    found(READ_ONLY);
    start();
    await until("refused", () => existsSync(join(root, "run/notify/failing.hook")));
    found();
    await until("nothing is owed", () => !existsSync(join(root, "run/notify/failing.hook")));
  });

  it("is tried less and less often while it fails", async () => {
    configure([web_("hook", "webhook")], { hook: { url: `${address}/in` } });
    web.status = 503;
    found(READ_ONLY);
    start();
    await until("refused", () => web.received.length === 1);
    for (let second = 0; second < 3600; second += 90) {
      clock(1000 + second);
      await pause(120);
    }
    assert.ok(
      web.received.length >= 5 && web.received.length <= 10,
      `${web.received.length} attempts in an hour`,
    );
  });

  it("reaches the other receivers of a mail when the server refuses one, and says hello with a full name", async () => {
    configure([post({ to: ["refused@example.com", "me@example.com"] })], {
      post: { password: "password-of-mail" },
    });
    const { status, output } = await test();
    assert.equal(status, 0, output);
    assert.deepEqual([mail.received[0]?.to, mail.received[0]?.hello], [["me@example.com"], "example.com"]);
  });

  it("is tried again until it arrives, and is not lost with a restart of the sender", async () => {
    configure([web_("hook", "webhook")], { hook: { url: `${address}/in-secret-path` } });
    web.status = 503;
    found(READ_ONLY);
    start();
    await until("refused", () => /hook: curl: \(22\).*503/.test(log));
    assert.ok(existsSync(join(root, "run/notify/failing.hook")));
    kill();
    web.status = 200;
    start();
    await pause(400);
    clock(1031);
    // Only what is noted as sent is not sent again.
    await until("told, and noted", () => /it works again[^]*told of 1/.test(log));
    assert.ok(!existsSync(join(root, "run/notify/failing.hook")));
    assert.doesNotMatch(log, /secret-path|secret-of-the-answer/);
    const { length } = web.received;
    kill();
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
      { ...letter, text: undefined, hello: undefined },
      {
        ...{ from: "db@example.com", to: ["me@example.com", "you@example.com"], user: "me@example.com" },
        ...{ encrypted: true, text: undefined, hello: undefined },
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
    assert.match(none.output, /the sink nobody is not configured\. Sinks: hook watch dead/);
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
      "head",
      "mkdir",
      "sed",
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
    await until("noted", () => readFileSync(join(root, "run/notify/sent.hook"), "utf8") === "");
  });
});
