import assert from "node:assert/strict";
import {
  pgbackrestConf,
  type RepositoryArgs,
  secretFiles,
  trustFiles,
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
const box: RepositoryArgs = {
  ...{ name: "box", kind: "sftp", keepFull: 3, path: "/backups/prod", endpoint: "box.example", port: 23 },
  ...{ user: "u1234", hostKeys: "ssh-ed25519 AAAA\nssh-rsa BBBB" },
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

  it("reaches another machine as the repository says, and only if its host key is one of those given", () => {
    const of = optionsOf(pgbackrestConf({ repositories: [box], walQueue: 1 }));
    assert.equal(of["repo1-type"], "sftp");
    assert.equal(of["repo1-path"], "/backups/prod");
    assert.equal(of["repo1-sftp-host"], "box.example");
    assert.equal(of["repo1-sftp-host-port"], "23");
    assert.equal(of["repo1-sftp-host-user"], "u1234");
    assert.equal(of["repo1-sftp-host-key-check-type"], "strict");
    assert.equal(of["repo1-sftp-known-host"], "/etc/pgbackrest/box.known-hosts");
    assert.deepEqual(trustFiles([cloud, box, local]), {
      "cloud.crt": "-----BEGIN CERTIFICATE-----",
      "box.known-hosts": "box.example ssh-ed25519 AAAA\nbox.example ssh-rsa BBBB\n",
    });
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
  const written = (...of: Parameters<typeof secretFiles<string>>) =>
    Object.fromEntries(Object.entries(secretFiles(...of)).map(([file, parts]) => [file, parts.join("")]));

  it("are in a file for the passphrase and one for the keys, by the repository's number", () => {
    assert.deepEqual(written(2, "correct-horse", { accessKey: "id", secretKey: "battery" }), {
      "repo2-passphrase.conf": "[global]\nrepo2-cipher-pass=correct-horse\n",
      "repo2-keys.conf": "[global]\nrepo2-s3-key=id\nrepo2-s3-key-secret=battery\n",
    });
    assert.deepEqual(Object.keys(secretFiles(1, "correct-horse", {})), ["repo1-passphrase.conf"]);
  });

  it("are, for another machine, a private key that pgBackRest does not take for its configuration", () => {
    const files = written(1, "correct-horse", { privateKey: "-----BEGIN OPENSSH PRIVATE KEY-----" });
    assert.deepEqual(Object.keys(files), ["repo1-passphrase.conf", "repo1-keys.pem"]);
    assert.equal(files["repo1-keys.pem"], "-----BEGIN OPENSSH PRIVATE KEY-----");
    const text = pgbackrestConf({ repositories: [box], walQueue: 1 });
    assert.ok(text.includes("repo1-sftp-private-key-file=/etc/pgbackrest-secrets/repo1-keys.pem\n"));
  });
});
