import assert from "node:assert/strict";
import { ConfigurationError, readSettings } from "../../../config.ts";
import { backupWarnings, walQueueBytes } from "../../../config/backup.ts";
import { commandToRemove, commandToSet } from "../../../config/reader.ts";
import { deployable, type Raw } from "../../settings.ts";
import { ed25519HostKey, userKey } from "../../ssh-keys.ts";

const S3 = { kind: "s3", endpoint: "s3.eu-central-1.amazonaws.com", bucket: "backups" };
const KEYS = { accessKey: "AKIAEXAMPLE", secretKey: "very-secret-key-of-the-store" };
const CLOUD: Raw = { backup: { repositories: { cloud: S3 } }, secrets: { repositories: { cloud: KEYS } } };

const SFTP = {
  kind: "sftp",
  endpoint: "box.example",
  user: "u1234",
  path: "/backups/prod",
  // As ssh-keyscan prints it.
  hostKeys: `# box.example:22 SSH-2.0-OpenSSH_10.0\nbox.example ${ed25519HostKey()}\n`,
};
const BOX: Raw = {
  backup: { repositories: { box: SFTP } },
  secrets: { repositories: { box: { privateKey: userKey() } } },
};

const read = (changes: Raw, stack = "prod") => readSettings(stack, { ...deployable(), ...changes }).settings;

/** What is wrong with a configuration. */
function refused(changes: Raw): string {
  try {
    read(changes);
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.message;
  }
  return assert.fail("this configuration was accepted");
}

const repositories = (all: unknown, others: Raw[string] = {}): Raw => ({
  backup: { repositories: all, ...others },
});
const one = (repository: unknown): Raw => ({ ...CLOUD, ...repositories({ cloud: repository }) });
const directory = { kind: "directory", path: "/mnt/backup/postgres" };

describe("the repositories of backups", () => {
  it("are accepted in each kind, with their defaults", () => {
    const { backup } = read(CLOUD);
    const { cloud } = backup.repositories;
    assert.ok(cloud);
    assert.deepEqual(
      [cloud.port, cloud.region, cloud.pathStyle, cloud.keepFull],
      [undefined, "us-east-1", true, 4],
    );
    assert.match(read(BOX).backup.repositories.box?.hostKeys ?? "", /^ssh-ed25519 [A-Za-z0-9+/]+$/);
    assert.equal(read(repositories({ local: { kind: "volume" } })).backup.repositories.local?.kind, "volume");
    assert.equal(read(repositories({ nas: directory })).backup.repositories.nas?.path, directory.path);
    assert.deepEqual(read({}).backup.repositories, {});
  });

  const cases: [what: string, changes: Raw, says: RegExp][] = [
    [
      "without a kind",
      repositories({ cloud: { bucket: "backups" } }),
      /backup\.repositories\.cloud\.kind: is missing\..*Set it: pulumi config set --path backup\.repositories\.cloud\.kind <value>/,
    ],
    [
      "of another kind",
      repositories({ cloud: { kind: "ftp" } }),
      /kind: is "ftp"\. Allowed: one of volume, directory, s3, sftp/,
    ],
    [
      "in a store without its endpoint",
      one({ ...S3, endpoint: undefined }),
      /backup\.repositories\.cloud\.endpoint: is missing: a repository of kind s3 needs it\. Set it: pulumi config set --path backup\.repositories\.cloud\.endpoint/,
    ],
    [
      "in a store without its bucket",
      one({ ...S3, bucket: undefined }),
      /cloud\.bucket: is missing: a repository of kind s3/,
    ],
    [
      "in a directory without its path",
      repositories({ nas: { kind: "directory" } }),
      /nas\.path: is missing: a repository of kind directory/,
    ],
    [
      "in a store with a field of a directory",
      one({ ...S3, mount: "/mnt" }),
      /cloud\.mount: is not a field of a repository of kind s3\. To remove it: pulumi config rm --path backup\.repositories\.cloud\.mount/,
    ],
    [
      "in a directory with a field of a store",
      repositories({ nas: { ...directory, bucket: "backups" } }),
      /nas\.bucket: is not a field of a repository of kind directory/,
    ],
    [
      "on the volume with a path",
      repositories({ local: { kind: "volume", path: "/mnt/backup" } }),
      /local\.path: is not a field of a repository of kind volume/,
    ],
    [
      "with a field that there is none of",
      one({ ...S3, buckte: "x" }),
      /backup\.repositories\.cloud\.buckte: is not a field of backup\.repositories\.cloud\. Did you mean backup\.repositories\.cloud\.bucket\?/,
    ],
    [
      "with a key among what is shown, and does not repeat it",
      one({ ...S3, secretKey: "abcdefgh12345678" }),
      /cloud\.secretKey: is a secret, which belongs in secrets\.repositories\.cloud\.secretKey\. (?!.*abcdefgh).*pulumi config set --secret --path secrets\.repositories\.cloud\.secretKey;/,
    ],
    [
      "with a bucket that can be none",
      one({ ...S3, bucket: "My_Bucket" }),
      /cloud\.bucket: is "My_Bucket"\. Allowed: 3 to 63/,
    ],
    [
      "with an endpoint that is a URL",
      one({ ...S3, endpoint: "https://s3.example" }),
      /cloud\.endpoint: is "https:\/\/s3\.example"\. Allowed: only a host name/,
    ],
    [
      "with a port that is none",
      one({ ...S3, port: 70000 }),
      /cloud\.port: is 70000\. Allowed: a whole number from 1 to 65535/,
    ],
    ["with a region that is none", one({ ...S3, region: "EU west" }), /cloud\.region: is "EU west"/],
    [
      "with a CA that is no certificate",
      one({ ...S3, ca: "ca.crt" }),
      /cloud\.ca: is "ca\.crt"\. Allowed: certificates in PEM/,
    ],
    [
      "that keeps no backup",
      one({ ...S3, keepFull: 0 }),
      /cloud\.keepFull: is 0\. Allowed: a whole number from 1/,
    ],
    [
      "without fields",
      repositories({ cloud: "s3" }),
      /backup\.repositories\.cloud: is "s3", but must be a map of the fields kind, path/,
    ],
    [
      "in a list",
      repositories([S3]),
      /backup\.repositories: is \[.*\], but holds names, each with its fields\. Set one of them: pulumi config set --path 'backup\.repositories\.<name>\.<field>'/,
    ],
    ["as one value", repositories("cloud"), /backup\.repositories: is "cloud", but holds names/],
    [
      "of which there are three",
      repositories({ a: { kind: "volume" }, b: directory, c: { ...directory, path: "/mnt/other/postgres" } }),
      /backup\.repositories: holds 3: a, b, c\. Allowed: 2 at most\. To remove one: pulumi config rm --path backup\.repositories\.c/,
    ],
    [
      "in a store without keys",
      repositories({ cloud: S3 }),
      /secrets\.repositories\.cloud\.accessKey: is missing\. Set it: pulumi config set --secret --path secrets\.repositories\.cloud\.accessKey/,
    ],
    [
      "in a store with half a key",
      { ...CLOUD, secrets: { repositories: { cloud: { accessKey: "AKIA" } } } },
      /secrets\.repositories\.cloud\.secretKey: is missing/,
    ],
    [
      "with keys that it has no use for",
      { ...repositories({ cloud: { kind: "volume" } }), secrets: { repositories: { cloud: KEYS } } },
      /secrets\.repositories\.cloud\.accessKey: is not used: the repository is of kind volume\. To remove it: pulumi config rm --path secrets\.repositories\.cloud\.accessKey/,
    ],
    ...["endpoint", "user", "hostKeys", "path"].map((field): [string, Raw, RegExp] => [
      `on another machine without its ${field}`,
      { ...BOX, ...repositories({ box: { ...SFTP, [field]: undefined } }) },
      new RegExp(`box\\.${field}: is missing: a repository of kind sftp needs it`),
    ]),
    [
      "on another machine without a private key",
      repositories({ box: SFTP }),
      /secrets\.repositories\.box\.privateKey: is missing\. Set it: pulumi config set --secret --path secrets\.repositories\.box\.privateKey/,
    ],
    [
      "on another machine with a key that has a passphrase",
      {
        ...BOX,
        secrets: {
          repositories: { box: { privateKey: userKey().replace(/PRIVATE/g, "ENCRYPTED PRIVATE") } },
        },
      },
      /secrets\.repositories\.box\.privateKey: is invalid\. Allowed: .*Make one for the backups alone: ssh-keygen/,
    ],
    [
      "on another machine with a host key that is cut off",
      { ...BOX, ...repositories({ box: { ...SFTP, hostKeys: ed25519HostKey().slice(0, 40) } }) },
      /box\.hostKeys: is ".*"\. Allowed: complete public host keys, .*ssh-keyscan <host>/,
    ],
    [
      "on another machine with a bucket",
      { ...BOX, ...repositories({ box: { ...SFTP, bucket: "backups" } }) },
      /box\.bucket: is not a field of a repository of kind sftp/,
    ],
    [
      "that there is none of, but keys",
      { secrets: { repositories: { cloud: KEYS } } },
      /secrets\.repositories\.cloud: is not used: there is no repository of this name/,
    ],
    [
      "to restore from that there is none of",
      { ...CLOUD, ...repositories({ cloud: S3 }, { restoreFrom: "clout" }) },
      /backup\.restoreFrom: is "clout"\. Allowed: the name of a repository, cloud\. To remove it/,
    ],
    [
      "to restore from, where there is none at all",
      { backup: { restoreFrom: "cloud" } },
      /backup\.restoreFrom: is "cloud"\. Allowed: the name of a repository, and there is none/,
    ],
    [
      "and a moment to restore, but none to restore from",
      { ...CLOUD, ...repositories({ cloud: S3 }, { restoreTime: "2026-11-28 14:30:00Z" }) },
      /backup\.restoreTime: is without backup\.restoreFrom.*Set it: pulumi config set --path backup\.restoreFrom/,
    ],
    [
      "and a moment without its zone",
      {
        ...CLOUD,
        ...repositories({ cloud: S3 }, { restoreFrom: "cloud", restoreTime: "2026-11-28 14:30:00" }),
      },
      /backup\.restoreTime: is "2026-11-28 14:30:00"\. Allowed: a time with its zone/,
    ],
    [
      "and a schedule that is none",
      { ...CLOUD, ...repositories({ cloud: S3 }, { fullSchedule: "weekly" }) },
      /backup\.fullSchedule: is "weekly"\. Allowed: a cron schedule/,
    ],
    [
      "and WAL that waits longer than a minute",
      { ...CLOUD, ...repositories({ cloud: S3 }, { archiveTimeout: 60 }) },
      /backup\.archiveTimeout: is 60\. Allowed: a whole number from 5 to 45/,
    ],
    [
      "and a queue without a unit",
      { ...CLOUD, ...repositories({ cloud: S3 }, { walQueue: 5 }) },
      /backup\.walQueue: is 5\. Allowed: a size/,
    ],
    [
      "and a passphrase that is short",
      { ...CLOUD, secrets: { ...CLOUD.secrets, backupPassphrase: "short" } },
      /secrets\.backupPassphrase: is invalid\. Allowed: 16 to 128/,
    ],
    ...["archive_mode", "archive_command", "archive_library", "archive_timeout"].map(
      (setting): [string, Raw, RegExp] => [
        `and ${setting}, which is theirs`,
        {
          ...CLOUD,
          database: {
            ...deployable().database,
            settings: { [setting]: setting === "archive_timeout" ? "60s" : "" },
          },
        },
        new RegExp(
          `database\\.settings\\.${setting}: is set by the backups and cannot be configured\\. To remove it: pulumi config rm --path database\\.settings\\.${setting}`,
        ),
      ],
    ),
    [
      "and too little in the WAL",
      {
        ...CLOUD,
        database: { ...deployable().database, settings: { wal_level: "minimal", max_wal_senders: 0 } },
      },
      /database\.settings\.wal_level: is minimal, with which no WAL can be archived\. Allowed with backups: replica or logical/,
    ],
  ];
  for (const [what, changes, says] of cases) {
    it(`are refused ${what}`, () => {
      assert.match(refused(changes), says);
    });
  }

  for (const name of ["Cloud", "1cloud", "a_b", "cloud-", "-cloud", "a".repeat(23), "a.b", ""]) {
    it(`are refused under the name "${name}"`, () => {
      assert.match(
        refused(repositories({ [name]: { kind: "volume" } })),
        /is not a name\. Allowed: 22 lower-case letters, digits and '-' at most, beginning with a letter/,
      );
    });
  }

  for (const name of ["a", "nas-2", "a".repeat(22)]) {
    it(`are accepted under the name "${name}"`, () => {
      assert.ok(read(repositories({ [name]: { kind: "volume" } })).backup.repositories[name]);
    });
  }

  it("have a moment to restore to in the form that pgBackRest takes, however it is written", () => {
    for (const [written, expected] of [
      ["2026-11-28 14:30:00+01", "2026-11-28 14:30:00+01"],
      ["2026-11-28T14:30:00Z", "2026-11-28 14:30:00+00"],
      ["2026-11-28T14:30:00.123456-05:30", "2026-11-28 14:30:00.123456-05:30"],
    ]) {
      const changes = {
        ...CLOUD,
        ...repositories({ cloud: S3 }, { restoreFrom: "cloud", restoreTime: written }),
      };
      assert.equal(read(changes).backup.restoreTime, expected);
    }
  });

  it("report everything that is wrong at once", () => {
    const fields = refused(repositories({ cloud: { ...S3, port: 0 }, "a.b": {}, nas: { kind: "ftp" } }));
    for (const key of ["cloud.port", "nas.kind", "repositories.a.b", "holds 3"])
      assert.ok(fields.includes(key), key);
    const together = refused(
      repositories({ cloud: S3, nas: { kind: "directory" } }, { restoreFrom: "other" }),
    );
    for (const key of ["nas.path", "cloud.accessKey", "cloud.secretKey", "backup.restoreFrom"])
      assert.ok(together.includes(key), key);
  });

  it("never have a secret repeated, wherever it was put", () => {
    const secret = "battery staple";
    for (const written of [
      { cloud: { accessKey: secret, secretKey: secret } },
      { cloud: secret },
      [secret],
      secret,
      { cloud: [secret] },
    ])
      assert.doesNotMatch(refused({ ...CLOUD, secrets: { repositories: written } }), /battery/);
    assert.doesNotMatch(
      refused({ ...CLOUD, secrets: { ...CLOUD.secrets, backupPassphrase: secret } }),
      /battery/,
    );
  });

  it("are set and removed by commands that a shell leaves alone", () => {
    assert.equal(
      commandToSet("secrets.repositories.nas-2.secretKey", true),
      "pulumi config set --secret --path secrets.repositories.nas-2.secretKey",
    );
    assert.equal(
      commandToRemove("backup.repositories.nas-2"),
      "pulumi config rm --path backup.repositories.nas-2",
    );
    assert.match(
      refused(repositories({ "a b": { kind: "volume" } })),
      /pulumi config rm --path (?!backup\.repositories\.a b)/,
    );
    // A name with a dot would be taken for two.
    assert.match(
      refused(repositories({ "a.b": { kind: "volume" } })),
      /pulumi config rm --path 'backup\.repositories\["a\.b"\]'/,
    );
  });
});

describe("what each preview says about the backups", () => {
  const warned = (changes: Raw, stack = "prod") => {
    const { backup, storage } = read(changes, stack);
    return backupWarnings({ backup, storage });
  };

  it("that there are none", () => {
    assert.match(warned({}).join("\n"), /^there are no backups: .*docs\/backups\.md$/);
  });

  it("that all are on the data's disk, or on the node", () => {
    assert.match(warned(repositories({ local: { kind: "volume" } })).join("\n"), /on the data's own disk/);
    assert.match(warned(repositories({ nas: directory })).join("\n"), /on this node/);
  });

  it("nothing when one of them is elsewhere", () => {
    assert.deepEqual(warned({ ...CLOUD, ...repositories({ cloud: S3, nas: directory }) }), []);
  });

  it("that the disk fills before WAL is dropped", () => {
    const queue = (walQueue: string) => warned({ ...CLOUD, ...repositories({ cloud: S3 }, { walQueue }) });
    assert.match(queue("10Gi").join("\n"), /backup\.walQueue is 10Gi, and storage\.capacity 10Gi/);
    assert.deepEqual(queue("9Gi"), []);
    assert.equal(walQueueBytes(read(CLOUD).backup, "10Gi"), 5 * 2 ** 30);
  });

  it("that an empty directory is restored", () => {
    const restoring = { ...CLOUD, ...repositories({ cloud: S3 }, { restoreFrom: "cloud" }) };
    assert.match(
      warned(restoring).join("\n"),
      /backup\.restoreFrom is cloud.*pulumi config rm --path backup\.restoreFrom/,
    );
  });
});
