import assert from "node:assert/strict";
import { ConfigurationError, readSettings, table } from "../../config.ts";
import { fieldsOf, type Section } from "../../config/reader.ts";
import { changed, deployable, doubts, type Raw } from "../settings.ts";

function messageFor(raw: Raw, stack = "prod"): string {
  try {
    readSettings(stack, raw);
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.message;
  }
  assert.fail("this configuration was accepted");
}

/** Bad input, the key that the message must name, and what else it must say. */
const refused: [what: string, path: string, value: unknown, says: RegExp][] = [
  [
    "no hostname",
    "node.hostname",
    undefined,
    /node\.hostname: is missing.*kubectl get nodes.*pulumi config set --path node\.hostname/,
  ],
  [
    "a hostname that can be no node's",
    "node.hostname",
    "Gen 8",
    /node\.hostname: is "Gen 8"\. Allowed: .*lower-case/,
  ],
  [
    "memory requests above the limit",
    "database.requests.memory",
    "3Gi",
    /database\.requests\.memory: is 3Gi, above database\.limits\.memory, 2Gi/,
  ],
  [
    "CPU requests above the limit",
    "database.requests.cpu",
    "2500m",
    /database\.requests\.cpu: is 2500m, above database\.limits\.cpu, 2/,
  ],
  [
    "shared_buffers above the memory limit",
    "database.settings.shared_buffers",
    "4GB",
    /shared_buffers: does not fit: shared_buffers \(4 GiB\) \+ \/dev\/shm \(160 MiB\) \+ WAL buffers \(16 MiB\) \+ locks and processes \([\d.]+ MiB\) \+ WAL decode buffer \(512 KiB\) is 4\.29 GiB, and database\.limits\.memory is 2Gi/,
  ],
  [
    "a capacity without a unit",
    "storage.capacity",
    "100",
    /storage\.capacity: is "100"\. Allowed: a size above zero with its unit/,
  ],
  ["a capacity that is a bare number", "storage.capacity", 100, /storage\.capacity: is 100\. Allowed/],
  [
    "a memory limit without a unit",
    "database.limits.memory",
    "40",
    /database\.limits\.memory: is "40"\. Allowed/,
  ],
  [
    "a setting with a unit that PostgreSQL does not have",
    "database.settings.idle_in_transaction_session_timeout",
    "5m",
    /idle_in_transaction_session_timeout: is "5m"\. Allowed: 0 to 2147483647ms, a number with us, ms, s, min, h or d\. Did you mean 5min\?/,
  ],
  [
    "a setting with a unit in words",
    "database.settings.autovacuum_naptime",
    "1 minute",
    /autovacuum_naptime: is "1 minute"\. Allowed: 1s to .*Did you mean 1min\?/,
  ],
  [
    "a size below what PostgreSQL takes",
    "database.settings.work_mem",
    "32kB",
    /work_mem: is "32kB"\. Allowed: 64kB to .*Did you mean 64kB\?/,
  ],
  [
    "less WAL than two segments",
    "database.settings.max_wal_size",
    "1MB",
    /max_wal_size: is "1MB"\. Allowed: 32MB to .*Did you mean 32MB\?/,
  ],
  ["a time zone that is none", "database.settings.timezone", "Europe/Berln", /Did you mean Europe\/Berlin\?/],
  ["a file of the program's own", "database.settings.data_directory", "/data", /cannot be configured/],
  [
    "TLS without a certificate",
    "database.settings.ssl",
    "on",
    /ssl: is "on", but the server has no certificate/,
  ],
  [
    "more processes than there are places for",
    "database.settings.max_connections",
    262143,
    /max_connections: is one of max_connections 262143 \+ .* Allowed: a sum of 262143 or less/,
  ],
  [
    "connections that are all kept for others",
    "database.settings.max_connections",
    3,
    /max_connections: is 3, but superuser_reserved_connections 3 \+ reserved_connections 0 are reserved\. Allowed: 4 or more/,
  ],
  [
    "a lock table that does not fit",
    "database.settings.max_locks_per_transaction",
    2000000,
    /database\.settings\.max_locks_per_transaction: does not fit/,
  ],
  [
    "a library that the image does not have",
    "database.settings.shared_preload_libraries",
    "pg_stat_statements, pg_hint_plan",
    /the image has no library pg_hint_plan/,
  ],
  [
    "a path that is not absolute",
    "storage.path",
    "mnt/raid/pgdata",
    /storage\.path: is "mnt\/raid\/pgdata"\. Allowed: an absolute path/,
  ],
  ["a path that climbs", "storage.path", "/mnt/raid/../etc", /storage\.path: .*without '\.\.'/],
  ["a path that a shell would split", "storage.path", "/mnt/raid/pg data", /storage\.path: .*Allowed/],
  ...[
    ...[
      "/etc",
      "/etc/postgresql",
      "/usr",
      "/usr/lib/pgdata",
      "/var",
      "/var/lib",
      "/var/run/pg",
      "/home",
      "/root",
    ],
    ...[
      "/tmp",
      "/proc/1",
      "/sys/fs",
      "/dev/shm/pg",
      "/run",
      "/boot",
      "/mnt",
      "/srv",
      "/opt",
      "/lib64",
      "/bin",
    ],
  ].map((path): (typeof refused)[number] => [
    `${path}, which is the system's`,
    "storage.path",
    path,
    new RegExp(
      `storage\\.path: is "${path}", a directory that belongs to the operating system\\. Allowed: .*Set it: `,
    ),
  ]),
  ...["/tmp/pgdata", "/var/tmp/a/pgdata"].map((path): (typeof refused)[number] => [
    `${path}, which does not stay`,
    "storage.path",
    path,
    new RegExp(`storage\\.path: is "${path}", below a directory that the operating system empties`),
  ]),
  ["the root directory", "storage.path", "/", /storage\.path: is "\/"\. Allowed: an absolute path/],
  [
    "a mount point that is not above the path",
    "storage.mount",
    "/mnt/other",
    /storage\.mount: is "\/mnt\/other", which is not above storage\.path/,
  ],
  [
    "an unknown field",
    "storage.capasity",
    "1Gi",
    /storage\.capasity: is not a field of storage\. Did you mean storage\.capacity\?.*pulumi config rm --path storage\.capasity/,
  ],
  [
    "an unknown nested field",
    "database.limits.memroy",
    "1Gi",
    /database\.limits\.memroy: .*Did you mean database\.limits\.memory\?/,
  ],
  [
    "an unknown setting",
    "database.settings.shared_bufers",
    "1GB",
    /shared_bufers: is not a setting of PostgreSQL 16\. Did you mean shared_buffers\?/,
  ],
  [
    "a setting out of its range",
    "database.settings.max_connections",
    0,
    /max_connections: is 0\. Allowed: 1 to 262143/,
  ],
  [
    "a setting with a word that it does not take",
    "database.settings.wal_level",
    "full",
    /wal_level: is "full"\. Allowed: one of minimal, replica, logical/,
  ],
  [
    "a setting that the deployment stands by",
    "database.settings.hba_file",
    "/tmp/hba",
    /hba_file: is set by the deployment itself/,
  ],
  [
    "huge pages, which the pod does not request",
    "database.settings.huge_pages",
    "on",
    /huge_pages: is "on", but the pod requests no huge pages.*Allowed: off/,
  ],
  [
    "libraries without pg_stat_statements",
    "database.settings.shared_preload_libraries",
    "auto_explain",
    /pg_stat_statements must be among/,
  ],
  [
    "a setting with a line break",
    "database.settings.application_name",
    "a\nport = 1",
    /application_name: contains a line break/,
  ],
  [
    "an image without a tag",
    "database.image",
    "pgvector/pgvector",
    /database\.image: .*Allowed: an image with a tag/,
  ],
  ["the tag latest", "database.image", "pgvector/pgvector:latest", /database\.image: .*other than 'latest'/],
  ["an owner whose name is reserved", "database.owner", "pg_owner", /database\.owner: is "pg_owner"/],
  [
    "a login of an unknown kind",
    "database.logins",
    { worker: "writer" },
    /database\.logins: is \{"worker":"writer"\}\. Allowed: a map of login names to readwrite, readonly or monitoring; worker is none/,
  ],
  [
    "logins that are no map",
    "database.logins",
    ["worker"],
    /database\.logins: .*Allowed: a map of login names/,
  ],
  ...[
    "postgres",
    "pg_worker",
    "transcripts_worker",
    "public",
    "Worker",
    "1st",
    "worker_",
    "a".repeat(64),
  ].map((name): (typeof refused)[number] => [
    `a login named ${name}`,
    "database.logins",
    { [name]: "readonly" },
    new RegExp(
      `database\\.logins\\.${name}: is not a valid login name\\. Allowed: .*lower-case.*pulumi config rm --path`,
    ),
  ]),
  [
    "a login that is the owner",
    "database.logins",
    { transcript_user: "readonly" },
    /database\.logins\.transcript_user: is the name of database\.owner.*pulumi config rm --path/,
  ],
  [
    "a section that is not a map",
    "node",
    "gen8",
    /node: is "gen8", but must be a map of the fields hostname/,
  ],
  ["SSH without a host", "node.connection", "ssh", /node\.sshHost: is missing, but node\.connection is ssh/],
  [
    "SSH without a host key",
    "node.connection",
    "ssh",
    /node\.sshHostKey: is missing, but node\.connection is ssh/,
  ],
  [
    "a connection of an unknown kind",
    "node.connection",
    "telnet",
    /node\.connection: is "telnet"\. Allowed: one of none, local, ssh/,
  ],
  [
    "a short password",
    "secrets.databasePassword",
    "hunter2",
    /secrets\.databasePassword: is invalid\. Allowed: .*pulumi config set --secret/,
  ],
  [
    "tolerations of another form",
    "node.tolerations",
    [{ key: "a b" }],
    /node\.tolerations: .*Allowed: a list of \{key/,
  ],
];

describe("configuration", () => {
  for (const [what, path, value, says] of refused) {
    it(`refuses ${what}, naming the key and the way out`, () => {
      assert.match(messageFor(changed(path, value)), says);
    });
  }

  it("accepts a directory below /tmp only for dev, whose data may be lost, and never /tmp itself", () => {
    const path = "/tmp/transcript-pipeline/pgdata";
    const raw = changed("storage", { path });
    assert.equal(readSettings("dev", raw).settings.storage.path, path);
    assert.match(messageFor(raw), /below a directory that the operating system empties/);
    for (const own of ["/tmp", "/var/tmp", "/dev/shm/pgdata"])
      assert.match(messageFor(changed("storage", { path: own }), "dev"), /belongs to the operating system/);
  });

  it("refuses production without a context, and accepts dev without one", () => {
    const raw = changed("cluster.context", undefined);
    assert.match(messageFor(raw), /cluster\.context: is missing\..*kubectl config get-contexts/);
    assert.equal(readSettings("dev", raw).settings.cluster.context, undefined);
  });

  it("reports all problems at once, one line each", () => {
    const raw = changed("node.hostname", undefined);
    raw.storage = { path: "relative", capacity: "5" };
    const lines = messageFor(raw).split("\n");
    assert.equal(lines.length, 1 + 3);
    assert.match(lines[0] ?? "", /stack prod cannot be deployed/);
  });

  it("never repeats a secret in a message", () => {
    assert.doesNotMatch(messageFor(changed("secrets.databasePassword", "hunter2")), /hunter2/);
  });

  it("warns about questionable settings with numbers, and deploys them", () => {
    const raw = changed("database.settings.max_connections", 1000);
    const warnings = doubts("prod", raw);
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0] ?? "",
      /limits\.memory is 2Gi.*\(1000 connections \+ 8 parallel workers\) x work_mem 4 MiB/,
    );
    assert.deepEqual(doubts("prod", deployable()), []);
  });

  it("leaves the libraries of a custom image to whoever built it", () => {
    const raw = changed("database.settings.shared_preload_libraries", "pg_stat_statements, pg_cron");
    assert.match(messageFor(raw), /the image has no library pg_cron/);
    raw.database = { ...raw.database, image: "registry.example/db:16-pgvector" };
    const { settings } = readSettings("prod", raw).settings.database;
    assert.equal(settings.shared_preload_libraries, "pg_stat_statements, pg_cron");
  });

  it("says how a size without a unit is read", () => {
    const raw = changed("database.settings.work_mem", 4096);
    const { settings } = readSettings("prod", raw);
    assert.deepEqual(doubts("prod", raw), [
      "database.settings.work_mem is 4096, without a unit: PostgreSQL reads it as 4MB.",
    ]);
    assert.equal(settings.server.settings.work_mem, "4MB");
  });

  it("reads settings as PostgreSQL does, and hands them on plain", () => {
    const written = {
      timezone: "Europe/Berlin",
      SHARED_BUFFERS: "0.25 GB",
      max_connections: "0x32",
      maintenance_work_mem: "1e5",
      statement_timeout: " 90 s ",
      wal_compression: "lz4",
      "pg_stat_statements.max": "1e4",
      "Custom.tenant": "x",
      jit: "of",
    };
    assert.deepEqual(readSettings("prod", changed("database.settings", written)).settings.server.named, {
      TimeZone: "Europe/Berlin",
      shared_buffers: "256MB",
      max_connections: "50",
      maintenance_work_mem: "100000kB",
      statement_timeout: "90s",
      wal_compression: "lz4",
      "pg_stat_statements.max": "10000",
      "Custom.tenant": "x",
      jit: "of",
    });
  });

  it("refuses a setting that is given twice, and an extension's that it does not have", () => {
    const twice = changed("database.settings", { TimeZone: "UTC", timezone: "UTC" });
    assert.match(
      messageFor(twice),
      /settings\.timezone: is TimeZone, and so is TimeZone\. Allowed: one of them/,
    );
    const unknown = changed("database.settings", { "pg_stat_statements.maximum": 5 });
    assert.match(
      messageFor(unknown),
      /is not a setting of PostgreSQL 16\. Did you mean pg_stat_statements\.max\?/,
    );
  });

  it("takes logins of each kind, and none by default", () => {
    const logins = { worker: "readwrite", report_reader: "readonly", exporter2: "monitoring" };
    const { settings } = readSettings("prod", changed("database.logins", logins));
    assert.deepEqual(settings.database.logins, logins);
    assert.deepEqual(readSettings("prod", deployable()).settings.database.logins, {});
  });

  it("describes every field", () => {
    for (const [name, section] of Object.entries<Section>(table)) {
      for (const { path, field } of fieldsOf(name, section))
        assert.ok(field.description.length > 5 && field.type.length > 0, path);
    }
  });
});
