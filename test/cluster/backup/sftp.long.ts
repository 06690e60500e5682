import assert from "node:assert/strict";
import { ed25519HostKey, userKey } from "../../ssh-keys.ts";
import { kubectl, setSecretValue, sql } from "../support.ts";
import { SftpServer } from "./sftp-server.ts";
import {
  archiveNow,
  backupSecret,
  burnDown,
  configure,
  deleteAgent,
  deploy,
  info,
  NAMESPACE,
  onStored,
  refused,
  restoreEverything,
} from "./stored.ts";

const CONFIG_MAP = "postgres-backup-config";
const HOST_KEYS = "cloud.known-hosts";

const writeHostKeys = async (text: string) => {
  const patch = JSON.stringify({ data: { [HOST_KEYS]: text } });
  await kubectl("patch", "configmap", CONFIG_MAP, "-n", NAMESPACE, "--type=merge", "-p", patch);
  await deleteAgent();
};

describe("backups on another machine, over SFTP", function () {
  this.timeout(300_000);
  onStored(SftpServer);

  it("WAL is archived within seconds, and the first backup is a full one", async () => {
    console.log(`      a segment is there after ${(await archiveNow()).toFixed(1)} s`);
    const { backup, status } = await info();
    assert.equal(status.code, 0, status.message);
    assert.equal(backup[0]?.type, "full");
    assert.equal(backup[0].error, false);
  });

  it("a machine with other host keys gets nothing, and the message names the command", async () => {
    const keys = await kubectl(
      ...[
        "get",
        "configmap",
        CONFIG_MAP,
        "-n",
        NAMESPACE,
        "-o",
        `jsonpath={.data.${HOST_KEYS.replace(".", "\\.")}}`,
      ],
    );
    assert.match(keys, /ssh-ed25519 .*\n.*ecdsa-sha2-nistp256 /);
    await refused(
      () => writeHostKeys(keys.replace(/ssh-ed25519 .*/, ed25519HostKey()).replace(/^.* ecdsa.*\n/m, "")),
      () => writeHostKeys(keys),
      /known hosts failure.*ssh-keyscan <host> \| pulumi config set --path backup\.repositories\.cloud\.hostKeys/,
    );
  });

  it("a key that the machine does not know is named, with the command", async () => {
    const file = "repo1-keys.pem";
    const key = await backupSecret(file);
    const write = async (text: string) => {
      await setSecretValue("postgres-backup", file, text);
      await deleteAgent();
    };
    await refused(
      () => write(userKey()),
      () => write(key),
      /public key authentication failed.*--path secrets\.repositories\.cloud\.privateKey/,
    );
  });

  it("everything is lost, and backup.restoreFrom brings it back", async () => {
    await sql("create table kept (words text); insert into kept values ('over SFTP')");
    await archiveNow();
    await burnDown();
    const seconds = await restoreEverything({});
    console.log(`      back after ${seconds.toFixed(0)} s (with pulumi up)`);
    assert.equal(await sql("select words from kept"), "over SFTP");
    await archiveNow();
    configure({ "backup.restoreFrom": undefined });
    await deploy();
  });
});
