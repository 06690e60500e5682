import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { ConfigurationError, namesOf, readConfig } from "../../../config.ts";
import { sectionsOf } from "../../../config/stack-keys.ts";
import { deployable } from "../../settings.ts";

const PROJECT = "transcript-pipeline";

function messagesFor(config: Record<string, string>, secretKeys: string[] = []): string {
  const { problems } = sectionsOf(config, PROJECT, (key) => secretKeys.includes(key), namesOf());
  return problems.map(({ key, message }) => `${key}: ${message}`).join("\n");
}

const whole = (changes: Record<string, unknown> = {}) =>
  Object.fromEntries(
    Object.entries({ ...deployable(), ...changes }).map(([name, value]) => [
      name.includes(":") ? name : `${PROJECT}:${name}`,
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
  );

const read = (changes: Record<string, unknown>, secrets: string[] = []) =>
  readConfig("prod", PROJECT, whole(changes), (key) => secrets.includes(key));

/** A key that nothing reads, its value, and the message about it. */
const unread: [what: string, key: string, value: string, says: RegExp][] = [
  [
    "a field that was set without --path",
    `${PROJECT}:storage.capacity`,
    "200Gi",
    /pulumi config rm storage\.capacity && pulumi config set --path storage\.capacity 200Gi$/,
  ],
  [
    "a misspelt field that was set without --path",
    `${PROJECT}:storage.capcity`,
    "200Gi",
    /pulumi config rm storage\.capcity && pulumi config set --path storage\.capacity 200Gi$/,
  ],
  [
    "a setting with a dot that was set without --path",
    `${PROJECT}:database.settings.work_mem`,
    "4MB",
    /config set --path database\.settings\.work_mem 4MB$/,
  ],
  [
    "a list's entry that was set without --path",
    `${PROJECT}:node.tolerations[0].key`,
    "gpu",
    /config rm 'node\.tolerations\[0\]\.key' && pulumi config set --path 'node\.tolerations\[0\]\.key' gpu$/,
  ],
  ["a misspelt section", `${PROJECT}:databse`, "{}", /Did you mean database\? .*pulumi config rm databse$/],
  ["a section of no name that is near", `${PROJECT}:zzz`, "1", /has cluster, node.*pulumi config rm zzz$/],
  [
    "a field without its section",
    `${PROJECT}:hostname`,
    "gen8",
    /pulumi config rm hostname && pulumi config set --path node\.hostname gen8$/,
  ],
  [
    "a value with spaces",
    "kubernetes:context",
    "my cluster",
    /config set --path cluster\.context 'my cluster'$/,
  ],
  ["another key of the provider", "kubernetes:namespace", "x", /pulumi config rm kubernetes:namespace$/],
  ["a misspelt project", "transcript-pipline:node", "{}", /Did you mean transcript-pipeline:node\?/],
  ["another project's section", "pipeline:storage", "{}", /Did you mean transcript-pipeline:storage\?/],
  [
    "a section that is empty",
    `${PROJECT}:node`,
    "",
    /node: is empty, .*'node\.<field>' <value>.*pulumi config rm node$/,
  ],
  ["a section that is a text", `${PROJECT}:node`, "gen8", /node: is a single value, .*which replaces it/],
  ["a section that is a list", `${PROJECT}:node`, "[]", /node: is a list/],
];

describe("a key of the configuration", () => {
  for (const [what, key, value, says] of unread) {
    it(`that nothing reads is an error with the way out: ${what}`, () => {
      assert.match(messagesFor({ [key]: value }), says);
      assert.throws(() => read({ [key]: value }), ConfigurationError);
    });
  }

  it("is reported together with the errors of the sections, and none follows from another", () => {
    assert.throws(
      () =>
        read({
          [`${PROJECT}:sotrage`]: "{}",
          [`${PROJECT}:node`]: "gen8",
          [`${PROJECT}:storage`]: '{"path":"x"}',
        }),
      ({ message }: Error) => {
        assert.match(message, /sotrage: is not read/);
        assert.match(message, /storage\.path: is "x"/);
        assert.match(message, /node: is a single value/);
        assert.doesNotMatch(message, /node\.hostname/);
        return true;
      },
    );
  });

  it("of somebody else is reported as read by nothing, and stops nothing", () => {
    assert.match(
      read({ "aws:region": "eu-central-1" }).warnings.join("\n"),
      /^aws:region is not read.*config rm aws:region/m,
    );
    assert.deepEqual(
      read({ "pulumi:tags": "{}", "random:x": "y", "pulumi-nodejs:a": "b" }).warnings,
      read({}).warnings,
    );
  });

  it("shows no value that may be a secret", () => {
    const shown = [
      messagesFor({ [`${PROJECT}:secrets.databasePassword`]: "hunter2" }),
      messagesFor({ [`${PROJECT}:storage.path`]: "hunter2" }, [`${PROJECT}:storage.path`]),
      messagesFor({ [`${PROJECT}:databasePassword`]: "hunter2" }),
      messagesFor({ [`${PROJECT}:secrets`]: "hunter2" }),
      messagesFor({ [`${PROJECT}:secrets`]: '{"databasePassword":"hunter2"}' }),
      messagesFor({ [`${PROJECT}:secrets`]: '["hunter2"]' }),
      messagesFor({ "kubernetes:kubeconfig": "apiVersion: v1\nusers: [{token: hunter2}]" }),
      messagesFor({ [`${PROJECT}:apiToken`]: "hunter2" }),
    ];
    assert.doesNotMatch(shown.join("\n"), /hunter2/);
    assert.match(shown[0] ?? "", /pulumi config set --secret --path secrets\.databasePassword$/);
  });

  it("under secrets is refused in plain text, and taken as a secret output when it was set with --secret", async () => {
    const secrets = { databasePassword: "correct-horse-battery-staple" };
    assert.throws(
      () => read({ secrets }),
      /secrets\.databasePassword: is in plain text.*config set --secret --path/,
    );
    assert.throws(
      () => read({ secrets: { repositories: { cloud: { accessKey: "hunter2" } } } }),
      /secrets\.repositories\.cloud\.accessKey: is in plain text.*config set --secret --path secrets\.repositories\.cloud\.accessKey/,
    );
    const { databasePassword } = read({ secrets }, [`${PROJECT}:secrets`]).settings.secrets;
    assert.ok(databasePassword && (await pulumi.isSecret(databasePassword)));
    assert.equal(
      await new Promise((resolve) => void databasePassword.apply(resolve)),
      secrets.databasePassword,
    );
  });

  it("keeps what `pulumi config set --path` has turned into a number or a word", () => {
    const { settings } = read({
      cluster: { context: 1234 },
      database: {
        ...deployable().database,
        rotation: 20260101,
        settings: {
          pg_stat_statements: { max: 5000 },
          work_mem: "4MB",
          max_connections: 50,
          shared_buffers: "256MB",
        },
      },
    });
    assert.equal(settings.cluster.context, "1234");
    assert.equal(settings.database.rotation, "20260101");
    assert.equal(settings.database.settings["pg_stat_statements.max"], "5000");
    assert.equal(read({ cluster: { context: true } }).settings.cluster.context, "true");
    assert.equal(read({ cluster: { context: "my cluster" } }).settings.cluster.context, "my cluster");
    assert.equal(
      read({ database: { ...deployable().database, rotation: "2026-01-01 00:00:00 +0000 UTC" } }).settings
        .database.rotation,
      "2026-01-01 00:00:00 +0000 UTC",
    );
  });

  it("whose text is lost is refused with a command that keeps it", () => {
    for (const context of [1.1, 2 ** 60, ["a"]])
      assert.throws(
        () => read({ cluster: { context } }),
        /config set --path --type string cluster\.context <value>, or put it in quotes/,
      );
  });

  it("is set by a path that the engine accepts: a name with a dot is in brackets", () => {
    assert.throws(
      () => read({ database: { ...deployable().database, settings: { "Bad.Name.x": [1] } } }),
      /database\.settings/,
    );
    assert.throws(
      () => read({ node: { hostname: "gen8", tolerations: {} } }),
      /--path 'node\.tolerations\[0\]\.<field>' <value>/,
    );
  });
});

/** Tolerations that Kubernetes refuses. */
const tolerationsRefused: [toleration: unknown, says: RegExp][] = [
  [{ key: "a", operator: "Exists", value: "b" }, /\[0\] has a value, which operator Exists/],
  [{ value: "b" }, /\[0\] has no key/],
  [{ operator: "Equal" }, /has no key/],
  [{ key: "a b" }, /has an invalid key/],
  [{ key: "a/b/c" }, /has an invalid key/],
  [{ key: "UPPER/a" }, /has an invalid key/],
  [{ key: `${"a".repeat(64)}` }, /has an invalid key/],
  [{ key: "a", value: "b c" }, /has an invalid value/],
  [{ key: "a", value: "b".repeat(64) }, /has an invalid value/],
  [{ key: "a", effect: "noschedule" }, /has an effect other than NoSchedule/],
  [{ key: "a", operator: "In" }, /has an operator other than/],
  [{ key: "a", operator: "exists" }, /has an operator other than/],
  [
    { key: "a", effect: "NoSchedule", tolerationSeconds: 60 },
    /tolerationSeconds, which requires effect NoExecute/,
  ],
  [{ key: "a", tolerationSeconds: 60 }, /which requires effect NoExecute/],
  [{ key: "a", effect: "NoExecute", tolerationSeconds: "soon" }, /not a whole number/],
  [{ key: "a", seconds: 3 }, /has seconds, which is not a field of a toleration/],
  ["gpu", /\[0\] is not a map/],
];

describe("tolerations", () => {
  for (const [toleration, says] of tolerationsRefused) {
    it(`are refused as the API server would: ${JSON.stringify(toleration)}`, () => {
      assert.throws(() => read({ node: { hostname: "gen8", tolerations: [toleration] } }), says);
    });
  }
  it("are read as the API server reads them, with YAML's numbers and words as texts", () => {
    const tolerations = [
      { operator: "Exists" },
      { key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" },
      { key: "dedicated", value: "db" },
      { key: "a", operator: "Equal", value: "", effect: "NoExecute", tolerationSeconds: 0 },
      { key: "a", operator: "Exists", effect: "NoExecute", tolerationSeconds: -1 },
      { key: "gpu", value: true, effect: "" },
      { key: "generation", value: 8 },
    ];
    assert.deepEqual(read({ node: { hostname: "gen8", tolerations } }).settings.node.tolerations, [
      { operator: "Exists" },
      { key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" },
      { key: "dedicated", value: "db" },
      { key: "a", operator: "Equal", effect: "NoExecute", tolerationSeconds: 0 },
      { key: "a", operator: "Exists", effect: "NoExecute", tolerationSeconds: -1 },
      { key: "gpu", value: "true" },
      { key: "generation", value: "8" },
    ]);
  });
});
