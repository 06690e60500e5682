import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Document, Scalar, stringify } from "yaml";
import { masked, Masker, secretsOf, weakness } from "../../../../tools/ci/masking.ts";
import { secretsOfUrl } from "../../../../tools/ci/secret-values.ts";
import { parseEventLog } from "../../../../tools/engine/events.ts";
import { summarize } from "../../../../tools/plan/summary.ts";
import { summaryMarkdown } from "../../../../tools/plan/markdown.ts";
import { Random } from "../../../random.ts";
import { skip } from "../../../skip.ts";

const SEED = Number(process.env.MASKING_SEED ?? Date.now() % 100_000);

const LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const SIGNS = "\"'<>&\\%+/=$`!{}[]|;:,#@~?*()^ -_.";
const OTHERS = ["é", "ß", "日", "😀", "\u2028", "\u00a0", "\\n", "\\u0041", "%41", "&lt;", "''", '\\"', "  "];

/** A secret that no dictionary has: letters and digits, and between them what tools escape. */
function randomSecret(random: Random, separators: readonly string[] = [...SIGNS, ...OTHERS]): string {
  const word = (least: number) =>
    Array.from({ length: random.between(least, 9) }, () => random.pick([...LETTERS] as [string])).join("");
  const between = () =>
    Array.from({ length: random.between(0, 3) }, () => random.pick(separators as [string])).join("");
  return Array.from({ length: random.between(2, 4) }, () => between() + word(4)).join("") + between();
}

const hex = (number: number, digits: number) => number.toString(16).padStart(digits, "0");
const units = (text: string) => Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
const json = (text: string) => JSON.stringify(text);
/** As Go's encoding/json writes a text by default. */
const goJson = (text: string) =>
  json(text).replace(/[<>&\u2028\u2029]/g, (c) => `\\u${hex(c.charCodeAt(0), 4)}`);
/** As Go's %+q writes it: ASCII alone. */
const goAscii = (text: string) =>
  `"${[...text]
    .map((c) => {
      const code = c.codePointAt(0) ?? 0;
      if (c === '"' || c === "\\") return `\\${c}`;
      if (c === "\n") return "\\n";
      if (code < 0x20) return `\\x${hex(code, 2)}`;
      if (code < 0x7f) return c;
      return code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`;
    })
    .join("")}"`;
const html = (text: string) =>
  text.replace(/[&<>"']/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;" })[c] ?? "&#39;");
const inYaml =
  (type: Scalar.Type, options = {}) =>
  (text: string) => {
    const scalar = new Scalar(text);
    scalar.type = type;
    return new Document({ a: { b: [{ token: scalar }] } }).toString(options);
  };
const wrapped = (text: string, width: number) => text.replace(new RegExp(`.{${width}}`, "g"), "$&\n    ");
const bytes = (text: string) => Buffer.from(text);

const writers: Record<string, (text: string) => string> = {
  "as it is": (text) => text,
  JSON: json,
  "JSON in JSON": (text) => json(json(text)),
  "JSON in JSON in JSON": (text) => json(json(json(text))),
  "Go's JSON": goJson,
  "JSON in Go's JSON": (text) => goJson(json(text)),
  "Go's JSON in Go's JSON": (text) => goJson(goJson(text)),
  "JSON of ASCII alone": (text) =>
    json(text).replace(/[\u0080-\uffff]/g, (c) => `\\u${hex(c.charCodeAt(0), 4)}`),
  "JSON with all that can be escaped": (text) =>
    `"${units(text)
      .map((u) =>
        /\w/.test(String.fromCharCode(u)) ? String.fromCharCode(u) : `\\u${hex(u, 4).toUpperCase()}`,
      )
      .join("")}"`,
  "Go's %q": goAscii,
  "a URL": encodeURIComponent,
  "a URL, in lower case": (text) =>
    encodeURIComponent(text).toLowerCase() === text
      ? text
      : encodeURIComponent(text).replace(/%../g, (b) => b.toLowerCase()),
  "a URL in a URL": (text) => encodeURIComponent(encodeURIComponent(text)),
  "a form": (text) => new URLSearchParams({ p: text }).toString(),
  "a URL in JSON": (text) => json(`postgres://u:${encodeURIComponent(text)}@h/d`),
  "a URL of which all signs are escaped": (text) =>
    [...bytes(text)]
      .map((b) => (/\w/.test(String.fromCharCode(b)) && b < 128 ? String.fromCharCode(b) : `%${hex(b, 2)}`))
      .join(""),
  HTML: html,
  "HTML in HTML": (text) => html(html(text)),
  "single quotes of a shell": (text) => `'${text.replaceAll("'", "'\\''")}'`,
  "other quotes of a shell": (text) => `'${text.replaceAll("'", `'"'"'`)}'`,
  "a shell's backslashes": (text) => text.replace(/[^\w\n]/gu, "\\$&"),
  "a shell's $''": (text) =>
    `$'${[...text].map((c) => (/\w/.test(c) ? c : [...bytes(c)].map((b) => `\\x${hex(b, 2)}`).join(""))).join("")}'`,
  "octal escapes": (text) =>
    [...text]
      .map((c) =>
        /\w/.test(c) ? c : [...bytes(c)].map((b) => `\\${b.toString(8).padStart(3, "0")}`).join(""),
      )
      .join(""),
  YAML: (text) => stringify({ users: [{ user: { token: text } }] }),
  "YAML, folded": (text) => stringify({ users: [{ user: { token: text } }] }, { lineWidth: 24 }),
  "YAML in double quotes": inYaml(Scalar.QUOTE_DOUBLE),
  "YAML in double quotes, folded": inYaml(Scalar.QUOTE_DOUBLE, {
    lineWidth: 24,
    doubleQuotedMinMultiLineLength: 1,
  }),
  "YAML in single quotes": inYaml(Scalar.QUOTE_SINGLE),
  "YAML in a block": inYaml(Scalar.BLOCK_LITERAL),
  "YAML in a folded block": inYaml(Scalar.BLOCK_FOLDED, { lineWidth: 24 }),
  "YAML in JSON": (text) => json(stringify({ token: text })),
  base64: (text) => bytes(text).toString("base64"),
  "base64 for URLs": (text) => bytes(text).toString("base64url"),
  "base64, one off": (text) => bytes(`u:${text}\n`).toString("base64"),
  "base64, two off": (text) => bytes(`x${text}`).toString("base64url"),
  "base64 on lines": (text) => wrapped(bytes(`some user:${text}@host`).toString("base64"), 20),
  "base64 in a URL": (text) => encodeURIComponent(bytes(text).toString("base64")),
  "base64 of JSON": (text) => bytes(json({ a: text } as never)).toString("base64"),
  "base64 of Go's JSON": (text) => bytes(goJson(text)).toString("base64"),
  "hexadecimal digits": (text) => bytes(text).toString("hex"),
  "large hexadecimal digits": (text) => bytes(text).toString("hex").toUpperCase(),
};

/** Parts of what a writer wrote that reveal the secret, and are still there. */
function leaks(written: string, secret: string, output: string): string[] {
  const rest = output.replaceAll("[secret]", "\0");
  const telling = written.includes(secret.slice(0, 4)) ? 4 : 6;
  return Array.from({ length: Math.max(0, written.length - 7) }, (_, index) =>
    written.slice(index, index + 8),
  ).filter(
    (part) =>
      (part.match(/[A-Za-z0-9]/g) ?? []).length >= telling && /[A-Za-z]/.test(part) && rest.includes(part),
  );
}

const tell = (secret: string) => `${json(secret)} (MASKING_SEED=${SEED})`;

describe(`masking, with random secrets of seed ${SEED}`, function () {
  this.timeout(120_000);

  for (const [name, write] of Object.entries(writers)) {
    it(`finds a secret in ${name}`, () => {
      const random = new Random(name, SEED);
      for (let round = 0; round < 60; round++) {
        const secret = randomSecret(random);
        const mask = new Masker([secret]);
        const written = write(secret);
        // The surroundings, written the same way with another text, are not a secret.
        const around = write("Q0Q").split("Q0Q");
        const own =
          around.length === 2
            ? written.slice(around[0]?.length, written.length - (around[1]?.length ?? 0))
            : written;
        const output = mask.text(`+ data: ${written} -> and more\n`);
        assert.ok(output.includes("[secret]"), `${tell(secret)}: ${output}`);
        const left = leaks(/base64/.test(name) ? bytes(secret).toString("base64") : own, secret, output);
        assert.deepEqual(left, [], `${tell(secret)}: ${output}`);
        assert.match(output, /^\+ data: [^]* and more\n$/);
      }
    });
  }

  it("finds it as bash writes it with printf %q", function () {
    if (spawnSync("bash", ["-c", ":"]).status !== 0) skip(this, "bash is not on PATH");
    const random = new Random("printf", SEED);
    for (let round = 0; round < 25; round++) {
      const secret = randomSecret(random);
      const written = spawnSync("bash", ["--norc", "-c", 'printf %q "$1"', "bash", secret], {
        encoding: "utf8",
      }).stdout;
      const output = new Masker([secret]).text(`<${written}>`);
      assert.deepEqual(leaks(written, secret, output), [], `${tell(secret)}: ${output}`);
    }
  });

  it("finds each line of a secret of several lines, behind the marks of a diff", () => {
    const random = new Random("lines", SEED);
    for (let round = 0; round < 30; round++) {
      const lines = Array.from({ length: 4 }, () => randomSecret(random, [..."+/="]));
      const secret = `-----BEGIN KEY-----\n${lines.join("\n")}\n-----END KEY-----\n`;
      const mask = new Masker([secret]);
      for (const written of [
        secret,
        secret.replace(/^/gm, "  + | "),
        json(secret),
        stringify({ a: { secret } }),
      ]) {
        const output = mask.text(written);
        for (const line of lines) assert.ok(!output.includes(line.trim()), `${tell(line)}: ${output}`);
      }
      assert.equal(mask.text("-----BEGIN KEY-----"), "-----BEGIN KEY-----");
    }
  });

  it("finds a long secret that was cut", () => {
    const random = new Random("cut", SEED);
    const secret = Array.from({ length: 400 }, () => random.pick([...LETTERS] as [string])).join("");
    const output = new Masker([secret]).text(`token: ${secret.slice(0, 300)}…`);
    assert.deepEqual(leaks(secret.slice(0, 288), secret, output), []);
  });

  it("leaves a text without the secret as it is", () => {
    const random = new Random("none", SEED);
    const text =
      summaryMarkdown(summarize([])) + JSON.stringify({ a: ["b", 1, "C:\\new", "%41", "&lt;", "\u2028"] });
    for (let round = 0; round < 200; round++)
      assert.equal(new Masker([randomSecret(random)]).text(text), text);
  });

  it("finds it in the engine's event log, where Go has escaped it, and keeps the engine's words", () => {
    const random = new Random("log", SEED);
    for (let round = 0; round < 100; round++) {
      const secret = randomSecret(random);
      const log = goJson({
        diagnosticEvent: { severity: "error", message: `cannot log in with ${secret} at https://x` },
      } as never);
      const [event] = parseEventLog(log);
      assert.ok(event);
      const summary = summarize([new Masker([secret]).event(event)]);
      assert.deepEqual(summary.errors, ["cannot log in with [secret] at https://x"], tell(secret));
    }
    const step = {
      op: "update" as const,
      type: "kubernetes:core/v1:Secret",
      urn: "urn:pulumi:a::b::c::update",
    };
    const { resourcePreEvent } = new Masker(["update", "kubernetes"]).event({
      resourcePreEvent: { metadata: { ...step, new: { inputs: { update: "update", n: 1 } } } },
    });
    assert.deepEqual(resourcePreEvent?.metadata, {
      ...step,
      urn: "urn:pulumi:a::b::c::[secret]",
      old: null,
      new: { inputs: { "[secret]": "[secret]", n: 1 } },
    });
  });

  describe("of a kubeconfig", () => {
    const document = (user: object) => ({
      apiVersion: "v1",
      clusters: [{ name: "rack", cluster: { server: "https://10.0.0.1:6443" } }],
      users: [{ name: "somebody", user }],
      contexts: [{ name: "rack", context: { cluster: "rack", user: "somebody" } }],
    });
    const styles: Record<string, (user: object) => string> = {
      YAML: (user) => stringify(document(user)),
      JSON: (user) => json(document(user) as never),
      "JSON on lines": (user) => JSON.stringify(document(user), undefined, 2),
      "flow style": (user) => stringify(document(user), { collectionStyle: "flow" }),
      "block scalars": (user) =>
        stringify(document(user), { defaultStringType: "BLOCK_LITERAL", defaultKeyType: "PLAIN" }),
      "folded scalars": (user) =>
        stringify(document(user), {
          defaultStringType: "BLOCK_FOLDED",
          defaultKeyType: "PLAIN",
          lineWidth: 20,
        }),
      "single quotes": (user) =>
        stringify(document(user), { defaultStringType: "QUOTE_SINGLE", defaultKeyType: "PLAIN" }),
      "two documents": (user) => `---\na: 1\n---\n${stringify(document(user))}`,
    };
    const users: Record<string, (secret: string) => object> = {
      "a token, first in its map": (token) => ({ token, "as-groups": ["a"] }),
      "a password": (password) => ({ username: "admin", password }),
      "a key": (secret) => ({ "client-key-data": Buffer.from(secret).toString("base64") }),
      "a plugin's environment": (value) => ({
        exec: {
          command: "login",
          env: [
            { name: "REGION_OF_IT", value: "x" },
            { name: "ANYTHING", value },
          ],
        },
      }),
      "a plugin's arguments": (secret) => ({
        exec: { command: "login", args: ["get", `--client-secret=${secret}`] },
      }),
      "a plugin's arguments, two words": (secret) => ({
        exec: { args: ["--token", secret], command: "login" },
      }),
      "a provider's configuration": (secret) => ({
        "auth-provider": {
          name: "oidc",
          config: { "client-id": "it", "refresh-token": secret, other: secret },
        },
      }),
      "a proxy": (secret) => ({ "proxy-url": `http://me:${encodeURIComponent(secret)}@proxy:3128` }),
    };
    for (const [style, write] of Object.entries(styles)) {
      for (const [place, user] of Object.entries(users)) {
        it(`finds ${place} in ${style}`, () => {
          const random = new Random(`${style} ${place}`, SEED);
          for (let round = 0; round < 4; round++) {
            const secret = randomSecret(random).trim();
            const secrets = secretsOf({ KUBECONFIG_CONTENT: write(user(secret)) });
            const mask = new Masker(secrets);
            for (const [name, form] of [
              ["raw", secret],
              ["JSON", json(secret)],
              ["base64", bytes(secret).toString("base64")],
            ] as const) {
              const output = mask.text(`got ${form} from rack`);
              assert.deepEqual(leaks(form, secret, output), [], `${name} ${tell(secret)}: ${output}`);
            }
            const plain = "context rack of somebody at https://10.0.0.1:6443, command login, admin";
            assert.equal(mask.text(plain), plain);
          }
        });
      }
    }

    for (const variable of ["KUBECONFIG_CONTENT", "KUBE_CONFIG_DATA", "RACK"]) {
      it(`finds them in ${variable}, as text and in base64, on one line or folded`, () => {
        const text = styles.JSON?.({
          token: "a-token-of-somebody",
          exec: { command: "login", env: [{ name: "ANYTHING", value: "from a plugin" }] },
        });
        assert.ok(text !== undefined);
        const base64 = Buffer.from(text).toString("base64");
        for (const value of [text, base64, base64.replace(/.{76}/g, "$&\n")]) {
          const secrets = secretsOf({ [variable]: value });
          for (const secret of ["a-token-of-somebody", "from a plugin"])
            assert.ok(secrets.includes(secret), `${secret} in ${value.slice(0, 20)}…`);
        }
      });
    }

    it("finds a registry's login, its password too", () => {
      const auth = Buffer.from("somebody:to the registry").toString("base64");
      const secrets = secretsOf({ DOCKER: JSON.stringify({ auths: { "registry.example": { auth } } }) });
      assert.equal(masked(`${auth} to the registry`, secrets), "[secret] [secret]");
    });

    it("finds what an alias and a merge bring to another user, and numbers as they are written", () => {
      const text =
        "base: &base { token: 0123456789e5 }\nusers:\n- { name: a, user: { <<: *base } }\n- name: b\n  user:\n    password: &p 0o1234567\n- name: c\n  user: { password: *p }\n";
      const secrets = secretsOf({ KUBECONFIG_CONTENT: text });
      assert.ok(secrets.includes("0123456789e5") && secrets.includes("0o1234567"));
    });

    it("leaves a region and a profile readable", () => {
      const env = [
        { name: "AWS_PROFILE", value: "production" },
        { name: "AWS_REGION", value: "eu-central-1" },
        { name: "USE_IT", value: "True" },
      ];
      assert.deepEqual(
        secretsOf({ KUBECONFIG_CONTENT: styles.YAML?.({ exec: { command: "aws", env } }) }),
        [],
      );
    });

    it("masks every long word of one that cannot be read", () => {
      const secrets = secretsOf({ KUBECONFIG_CONTENT: "users: [{token: 'Abcdefgh12345678}\n  - :" });
      assert.equal(masked("Abcdefgh12345678", secrets), "[secret]");
    });

    it("finds those of files that the environment names", () => {
      const home = mkdtempSync(join(tmpdir(), "masking-"));
      try {
        const file = join(home, "config");
        writeFileSync(file, styles.JSON?.({ token: "of-the-runner" }) ?? "");
        assert.deepEqual(secretsOf({ KUBECONFIG: `/no/such:${file}` }), ["of-the-runner"]);
        writeFileSync(file, "a long passphrase\n");
        assert.ok(secretsOf({ PULUMI_CONFIG_PASSPHRASE_FILE: file }).includes("a long passphrase"));
      } finally {
        rmSync(home, { recursive: true });
      }
    });
  });

  it("finds the password and the secret parameters of a backend's URL, and leaves the rest", () => {
    const random = new Random("url", SEED);
    for (let round = 0; round < 100; round++) {
      const secret = randomSecret(random).trim();
      const written = encodeURIComponent(secret);
      for (const url of [
        `postgres://pulumi:${written}@db.example:5432/state?sslmode=require`,
        `s3://bucket?region=eu-central-1&secret_key=${written}`,
        `s3://bucket?endpoint=${encodeURIComponent(`https://me:${written}@minio:9000`)}&region=eu-central-1`,
        `https://${written}@api.example`,
      ]) {
        const secrets = secretsOf({ PULUMI_BACKEND_URL: url });
        const output = new Masker(secrets).text(`backend ${url}, that is ${secret}.`);
        for (const form of [written, secret])
          assert.deepEqual(leaks(form, secret, output), [], `${tell(secret)}: ${output}`);
        assert.match(output, /^backend [a-z0-9]+:\/\//);
      }
    }
    for (const harmless of [
      "s3://bucket?region=eu&s3ForcePathStyle=true",
      "file:///home/a@b/state",
      "https://api.pulumi.com",
    ])
      assert.deepEqual(secretsOfUrl(harmless), [], harmless);
    // A password that its owner did not encode.
    assert.ok(secretsOfUrl("postgres://u:p/a@ss#w?rd@h/d").includes("p/a@ss#w?rd"));
  });

  it("recognizes a secret by its variable's name, and a path as not one", () => {
    for (const name of [
      "AWS_SESSION_TOKEN",
      "AZURE_STORAGE_KEY",
      "ARM_CLIENT_SECRET",
      "GITHUB_TOKEN",
      "DB_PASSWORD",
    ])
      assert.deepEqual(secretsOf({ [name]: "Abcd1234" }), ["Abcd1234"], name);
    for (const name of [
      "PULUMI_STACK",
      "AWS_REGION",
      "AWS_WEB_IDENTITY_TOKEN_FILE",
      "SSH_AUTH_SOCK",
      "KEYBOARD",
    ])
      assert.deepEqual(secretsOf({ [name]: "Abcd1234" }), [], name);
  });

  it("masks a very short one where it is a value, leaves the text readable, and says so", () => {
    const mask = new Masker(["a", "xy"]);
    assert.equal(
      mask.text('a passphrase is "a" or PASS=xy or {"p":"xy"}, a xylophone'),
      'a passphrase is "[secret]" or PASS=[secret] or {"p":"[secret]"}, a xylophone',
    );
    assert.match(
      weakness({ PULUMI_CONFIG_PASSPHRASE: "xyz" }) ?? "",
      /^PULUMI_CONFIG_PASSPHRASE: shorter than 4/,
    );
    assert.equal(weakness({ PULUMI_CONFIG_PASSPHRASE: "wxyz", A: "b" }), undefined);
  });

  it("removes secrets that overlap, or that contain each other, as one", () => {
    assert.equal(
      new Masker(["abcdef", "defghi", "secret"]).text("<abcdefghi> secret"),
      "<[secret]> [secret]",
    );
  });

  it("masks a megabyte in seconds", () => {
    const random = new Random("speed", SEED);
    const secrets = Array.from({ length: 20 }, () => randomSecret(random));
    const text = `{"a": "${"some words of a diff, \\n and more of it. ".repeat(25_000)}"}`;
    const began = process.cpuUsage();
    assert.equal(new Masker(secrets).text(text), text);
    // Its own time: the machine may have other things to do.
    assert.ok(process.cpuUsage(began).user < 20_000_000);
  });
});
