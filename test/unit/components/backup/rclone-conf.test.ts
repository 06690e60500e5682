import assert from "node:assert/strict";
import type { RepositoryArgs } from "../../../../components/backup/pgbackrest-conf.ts";
import { rcloneFiles } from "../../../../components/backup/rclone-conf.ts";

const cloud: RepositoryArgs = {
  ...{ name: "cloud", kind: "s3", keepFull: 4, path: "/transcript-pipeline/prod", port: 9000 },
  ...{ pathStyle: false, endpoint: "s3.example", bucket: "backups", region: "eu-central-1", ca: "-----" },
};
const nas: RepositoryArgs = {
  name: "nas",
  kind: "directory",
  path: "/mnt/nas",
  capacity: "1Gi",
  keepFull: 2,
};
const box: RepositoryArgs = {
  ...{ name: "box", kind: "sftp", keepFull: 3, path: "/backups/prod", endpoint: "box.example", port: 23 },
  ...{ user: "u1234", hostKeys: "ssh-ed25519 AAAA\nssh-rsa BBBB" },
};
const local: RepositoryArgs = { name: "local", kind: "volume", keepFull: 1 };

/** The options of a section. */
function options(section: string, ...repositories: RepositoryArgs[]): Record<string, string> {
  const text = rcloneFiles(repositories)["rclone.conf"] ?? "";
  const lines = text.split(`[${section}]\n`)[1]?.split("\n[")[0];
  assert.ok(lines !== undefined, `${section} in ${text}`);
  return Object.fromEntries(
    [...lines.matchAll(/^(\S+) = (.*)$/gm)].map(([, name = "", value = ""]) => [name, value]),
  );
}

describe("rclone's configuration for dumps", () => {
  it("has them next to pgBackRest's files, encrypted, for every kind of repository", () => {
    for (const [repository, place] of [
      [cloud, "backups/transcript-pipeline/prod-dumps"],
      [nas, "/repository/nas/repository-dumps"],
      [box, "/backups/prod-dumps"],
      [local, "/var/lib/postgresql/data/backup-dumps"],
    ] as const) {
      const { type, remote, filename_encryption } = options("dumps2", local, repository);
      assert.deepEqual([type, remote, filename_encryption], ["crypt", `repo2:${place}`, "off"]);
    }
  });

  it("reaches a store where and as pgBackRest does, and makes no bucket", () => {
    const { endpoint, region, force_path_style, no_check_bucket } = options("repo1", cloud);
    assert.deepEqual(
      [endpoint, region, force_path_style, no_check_bucket],
      ["https://s3.example:9000", "eu-central-1", "false", "true"],
    );
  });

  it("has parts that make an object of 500 GiB at least, and fit into the container's memory", () => {
    const { chunk_size = "", upload_concurrency } = options("repo1", cloud);
    const mebibytes = Number(/^(\d+)Mi$/.exec(chunk_size)?.[1]);
    assert.ok((mebibytes * 10_000) / 1024 >= 500, chunk_size);
    assert.ok(mebibytes * 2 * Number(upload_concurrency) <= 256);
  });

  it("connects to a machine only if its host key is one of those configured, at the port", () => {
    const of = options("repo2", local, box);
    assert.equal(of.known_hosts_file, "/etc/pgbackrest/box.rclone-known-hosts");
    assert.equal(of.key_file, "/etc/pgbackrest-secrets/repo2-keys.pem");
    assert.equal(of.host_key_algorithms, "ssh-ed25519 rsa-sha2-512 rsa-sha2-256 ssh-rsa");
    const known = (repository: RepositoryArgs) => rcloneFiles([repository])["box.rclone-known-hosts"];
    assert.equal(known(box), "[box.example]:23 ssh-ed25519 AAAA\n[box.example]:23 ssh-rsa BBBB\n");
    assert.equal(known({ ...box, port: 22 }), "box.example ssh-ed25519 AAAA\nbox.example ssh-rsa BBBB\n");
  });
});
