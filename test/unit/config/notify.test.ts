import assert from "node:assert/strict";
import { readSettings } from "../../../config.ts";
import { sinkDestinations } from "../../../config/network.ts";
import { portOfSink } from "../../../config/notify.ts";
import { deployable, problemsOf, type Raw } from "../../settings.ts";

const MAIL = { kind: "mail", host: "mail.example.com", from: "db@example.com", to: ["me@example.com"] };
const URL = "https://ntfy.example.com/topic";

function configured(sinks: object, secrets: object = {}, more: Raw = {}): Raw {
  return { ...deployable(), ...more, notify: { sinks }, secrets: { ...more.secrets, sinks: secrets } };
}

const problems = (raw: Raw) => problemsOf("prod", raw);

const warnings = (stack: string, raw: Raw) =>
  readSettings(stack, raw).warnings.filter((text) => /^nobody (is told|notices)/.test(text));

describe("the section notify", () => {
  it("is deployed with what each kind needs", () => {
    const sinks = {
      post: { ...MAIL, user: "me@example.com" },
      phone: { kind: "ntfy", bearer: "true", least: "critical" },
      team: { kind: "slack" },
      chat: { kind: "telegram", chat: "-1001234" },
      hook: { kind: "webhook" },
      watch: { kind: "heartbeat" },
    };
    const secrets = {
      post: { password: "s3cret-of-mail" },
      phone: { url: URL, token: "tk_AgQdq7" },
      team: { url: "https://hooks.slack.com/services/T0/B0/xyz" },
      chat: { token: "123456:ABC-def" },
      hook: { url: "http://hook.tools.svc:8080/in?x=1" },
      watch: { url: "https://hc-ping.com/0b" },
    };
    assert.deepEqual(problems(configured(sinks, secrets)), []);
  });

  for (const [what, sinks, secrets, wanted] of [
    ["mail without a server", { a: { ...MAIL, host: undefined } }, {}, /^notify\.sinks\.a\.host: is missing/],
    [
      "a user without a password",
      { a: { ...MAIL, user: "me" } },
      {},
      /^secrets\.sinks\.a\.password: is missing/,
    ],
    [
      "an address in the place of what is shown, and does not repeat it",
      { a: { kind: "slack", url: "https://hooks.slack.com/services/T0/B0/xyz" } },
      { a: { url: URL } },
      /^notify\.sinks\.a\.url: is a secret, which belongs in secrets\.sinks\.a\.url\. (?!.*xyz).*pulumi config set --secret --path secrets\.sinks\.a\.url; .*pulumi config rm --path notify\.sinks\.a\.url$/,
    ],
    [
      "a gravity of a heartbeat, which tells nothing",
      { a: { kind: "heartbeat", least: "critical" } },
      { a: { url: URL } },
      /^notify\.sinks\.a\.least: is not a field of a sink of kind heartbeat/,
    ],
    ["a password without a user", { a: MAIL }, { a: { password: "abcdef" } }, /password: is not used/],
    [
      "a login that everybody can read",
      { a: { ...MAIL, user: "me", security: "none" } },
      { a: { password: "abcdef" } },
      /security: is none, and me would log in/,
    ],
    ["ntfy without an address", { a: { kind: "ntfy" } }, {}, /^secrets\.sinks\.a\.url: is missing.*--secret/],
    [
      "a bearer without a token",
      { a: { kind: "ntfy", bearer: true } },
      { a: { url: URL } },
      /token: is missing/,
    ],
    [
      "a token without a bearer",
      { a: { kind: "ntfy" } },
      { a: { url: URL, token: "abc" } },
      /token: is not used/,
    ],
    ["telegram without a chat", { a: { kind: "telegram" } }, { a: { token: "abc" } }, /chat: is missing/],
    [
      "a field of another kind",
      { a: { kind: "slack", chat: "1" } },
      { a: { url: URL } },
      /chat: is not a field of/,
    ],
    [
      "an address of one machine's own",
      { a: { ...MAIL, host: "fe80::1%eth0" } },
      {},
      /^notify\.sinks\.a\.host: is/,
    ],
    ["a sink that is none", { a: { kind: "pager" } }, {}, /kind: is "pager"\. Allowed: one of mail, ntfy/],
    ["a secret of nobody", {}, { b: { url: URL } }, /^secrets\.sinks\.b: is not used: there is no sink/],
    ["a name with a dot", { "a.b": MAIL }, {}, /is not a name/],
    [
      "an address that is none",
      { a: { ...MAIL, to: ["me"] } },
      {},
      /to: is \["me"\]\. Allowed: a list of up to 10/,
    ],
    ["an address with a line break", { a: { ...MAIL, from: "a@b\nBcc: c@d" } }, {}, /from: /],
  ] as const) {
    it(`refuses ${what}, and says what to do`, () => {
      const found = problems(configured(sinks, secrets));
      assert.equal(found.length, 1, found.join("\n"));
      assert.match(found[0] ?? "", wanted);
      assert.match(found[0] ?? "", /pulumi config (set|rm)/);
    });
  }

  it("refuses an address that goes in plain text over the network, or that ends a quoted text, and repeats none", () => {
    for (const url of [
      ...["http://ntfy.example.com/secret-topic", "http://ntfy.svc.example.com.evil/x", "ftp://secret-topic"],
      ...[
        'https://secret-topic"x',
        "https://secret-topic\\x",
        "https://secret-topic/a b",
        "https://secret-topic\nx",
      ],
      ...["https://user:secret-topic@host/", "secret-topic", "https://", "file:///secret-topic"],
    ]) {
      const found = problems(configured({ a: { kind: "ntfy" } }, { a: { url } })).join("\n");
      assert.match(found, /^secrets\.sinks\.a\.url: is invalid/, url);
      assert.doesNotMatch(found, /secret-topic/);
    }
  });

  it("takes the name notifier for itself only where there are sinks", () => {
    const more = { database: { ...deployable().database, logins: { notifier: "readonly" } } };
    assert.match(
      problems(configured({ a: MAIL }, {}, more)).join(),
      /^database\.logins\.notifier: is the name/,
    );
    assert.deepEqual(problems(configured({}, {}, more)), []);
  });

  it("needs no secret where a store has it", () => {
    const more = { secretStore: { source: "external-secrets", store: "vault" } };
    assert.deepEqual(problems(configured({ a: { kind: "ntfy" } }, {}, more)), []);
  });

  it("warns that nobody is told, and that nobody notices a machine that is gone", () => {
    assert.match(
      warnings("prod", configured({})).join(),
      /nobody is told.*has nothing.*docs\/notifications\.md/,
    );
    assert.deepEqual(warnings("dev", configured({})), []);
    const watch = { watch: { kind: "heartbeat" } };
    const url = { watch: { url: URL } };
    assert.match(warnings("prod", configured(watch, url)).join(), /only a heartbeat/);
    assert.match(
      warnings("prod", configured({ post: MAIL })).join(),
      /nobody notices when the whole machine/,
    );
    assert.deepEqual(warnings("prod", configured({ post: MAIL, ...watch }, url)), []);
  });

  it("opens the network to what is configured, and otherwise to 443 outside of the cluster", () => {
    const of = (sinks: object, secrets: object, network: object = {}) =>
      sinkDestinations(
        readSettings("prod", { ...configured(sinks, secrets), network: { ...network } }).settings,
      );
    const except = ["10.42.0.0/16", "10.43.0.0/16"];
    const everywhere = (port: number) => ({ ports: [port], ranges: ["0.0.0.0/0"], except });
    const [phone, secrets] = [{ kind: "ntfy" }, { phone: { url: URL }, team: { url: URL } }];
    assert.deepEqual(of({ phone, team: { kind: "slack" } }, secrets), [everywhere(443)]);
    assert.deepEqual(of({ post: MAIL }, {}), [everywhere(587)]);
    assert.deepEqual(of({ post: { ...MAIL, host: "10.1.2.3", security: "tls" } }, {}), [
      { ports: [465], ranges: ["10.1.2.3/32"] },
    ]);
    assert.deepEqual(of({ post: { ...MAIL, host: "smtp.mail.svc" } }, {}), [
      { ports: [587], namespace: "mail", podLabels: undefined },
    ]);
    const sinks = { phone: { namespace: "ntfy", ports: [8080] } };
    assert.deepEqual(of({ phone }, { phone: { url: URL } }, { sinks }), [
      { ports: [8080], namespace: "ntfy", podLabels: undefined },
    ]);
    const raw = { ...configured({ phone }, { phone: { url: URL } }), network: { sinks: { other: {} } } };
    assert.match(problems(raw).join(), /^network\.sinks\.other: is not used: there is no sink of this name/);
  });

  it("knows the ports of mail", () => {
    const port = (fields: object) =>
      portOfSink(readSettings("prod", configured({ a: { ...MAIL, ...fields } })).settings.notify.sinks.a!);
    assert.deepEqual(
      [{}, { security: "tls" }, { security: "none" }, { port: 2525 }].map(port),
      [587, 465, 25, 2525],
    );
  });
});
