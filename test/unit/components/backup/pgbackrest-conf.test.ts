import assert from "node:assert/strict";
import {
  pgbackrestConf,
  type RepositoryArgs,
  secretFiles,
} from "../../../../components/backup/pgbackrest-conf.ts";

const cloud: RepositoryArgs = {
  ...{
    name: "cloud",
    kind: "s3",
    keepFull: 4,
    path: "/transcript-pipeline/prod",
    port: 9000,
    pathStyle: false,
  },
  ...{ endpoint: "s3.example", bucket: "backups", region: "eu-central-1", ca: "-----BEGIN CERTIFICATE-----" },
};
const nas: RepositoryArgs = {
  name: "nas",
  kind: "directory",
  path: "/mnt/nas/postgres",
  capacity: "10Gi",
  keepFull: 2,
};
const local: RepositoryArgs = { name: "local", kind: "volume", keepFull: 1 };

const optionsOf = (text: string) =>
  Object.fromEntries(
    [...text.matchAll(/^([\w-]+)=(.*)$/gm)].map(([, name = "", value = ""]) => [name, value]),
  );

describe("pgBackRest's configuration", () => {
  const options = optionsOf(pgbackrestConf({ repositories: [cloud, nas], walQueue: 1024.7 }));

  it("has a section for everything and one for the database, and names each option once", () => {
    const text = pgbackrestConf({ repositories: [cloud, nas], walQueue: 1 });
    assert.deepEqual(text.match(/^\[.*\]$/gm), ["[global]", "[main]"]);
    const names = [...text.matchAll(/^([\w-]+)=/gm)].map(([, name]) => name);
    assert.deepEqual(names, [...new Set(names)]);
    assert.equal(options["pg1-path"], "/var/lib/postgresql/data/pgdata");
    assert.equal(options["pg1-socket-path"], "/var/lib/postgresql/data/socket");
  });

  it("reaches an object store as the repository says, with its CA from a file", () => {
    assert.equal(options["repo1-type"], "s3");
    assert.equal(options["repo1-path"], "/transcript-pipeline/prod");
    assert.equal(options["repo1-s3-endpoint"], "s3.example");
    assert.equal(options["repo1-s3-bucket"], "backups");
    assert.equal(options["repo1-s3-region"], "eu-central-1");
    assert.equal(options["repo1-s3-uri-style"], "host");
    assert.equal(options["repo1-storage-port"], "9000");
    assert.equal(options["repo1-storage-ca-file"], "/etc/pgbackrest/cloud.crt");
    const plain = optionsOf(
      pgbackrestConf({ repositories: [{ ...cloud, ca: undefined, pathStyle: true }], walQueue: 1 }),
    );
    assert.equal("repo1-storage-ca-file" in plain, false);
    assert.equal(plain["repo1-s3-uri-style"], "path");
    // Its certificate is checked, whatever else is configured.
    assert.ok(!Object.keys(options).some((name) => name.endsWith("verify-tls")));
  });

  it("puts a directory's and the volume's repository where they are mounted", () => {
    assert.equal(options["repo2-path"], "/repository/nas/repository");
    const [path] = /^repo1-path=.*$/m.exec(pgbackrestConf({ repositories: [local], walQueue: 1 })) ?? [];
    assert.equal(path, "repo1-path=/var/lib/postgresql/data/backup");
  });

  it("encrypts each repository that is not next to the data, and keeps as many backups as it says", () => {
    for (const number of [1, 2]) assert.equal(options[`repo${number}-cipher-type`], "aes-256-cbc");
    // Next to the data, which is not encrypted either, it hides nothing.
    assert.match(pgbackrestConf({ repositories: [local], walQueue: 1 }), /^repo1-cipher-type=none$/m);
    assert.equal(secretFiles(1, undefined, undefined)["repo1-passphrase.conf"], "[global]\n");
    assert.equal(options["repo1-retention-full"], "4");
    assert.equal(options["repo2-retention-full"], "2");
  });

  it("bounds the WAL that waits, in whole bytes", () => {
    assert.equal(options["archive-push-queue-max"], "1024");
  });

  it("locks on the volume, where every pod sees it", () => {
    assert.match(options["lock-path"] ?? "", /^\/var\/lib\/postgresql\/data\//);
  });
});

describe("pgBackRest's secrets", () => {
  it("are in a file for the passphrase and one for the keys, by the repository's number", () => {
    assert.deepEqual(secretFiles(2, "correct-horse", { accessKey: "id", secretKey: "battery" }), {
      "repo2-passphrase.conf": "[global]\nrepo2-cipher-pass=correct-horse\n",
      "repo2-keys.conf": "[global]\nrepo2-s3-key=id\nrepo2-s3-key-secret=battery\n",
    });
    assert.deepEqual(Object.keys(secretFiles(1, "correct-horse", undefined)), ["repo1-passphrase.conf"]);
  });
});
