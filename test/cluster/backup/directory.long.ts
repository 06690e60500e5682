import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { clusterPaths } from "../../../tools/local-cluster/paths.ts";
import { describeProcess, type NodeProcess, parentOf, podProcesses } from "../faults/node-processes.ts";
import { releaseClaims } from "./stored.ts";
import {
  CLUSTER,
  configured,
  kubectl,
  needsEngine,
  npm,
  pulumi,
  type Ran,
  shell,
  sql,
  state,
  succeed,
  until,
  up,
} from "../support.ts";

const NAMESPACE = ["-n", "transcript-pipeline"];
const AGENT = "postgres-backup-0";

/** Runs a program in the node's mounts. */
function onNode(...command: string[]): Promise<Ran> {
  let process: NodeProcess | undefined;
  // One that ends meanwhile leads nowhere.
  for (const some of podProcesses(clusterPaths(CLUSTER))) {
    process = describeProcess(some);
    while (process && !(process.depth === 2 && process.inner === 1)) process = parentOf(process);
    if (process) break;
  }
  assert.ok(process, "the node does not run");
  return succeed("nsenter", [`--target=${process.pid}`, "--mount", "--", ...command]);
}

/** Names of all files below a directory. */
const filesIn = (directory: string) =>
  existsSync(directory) ? readdirSync(directory, { recursive: true }).map(String) : [];

/** Completes a segment of WAL. Returns its name. */
async function switchWal(): Promise<string> {
  await sql("select pg_logical_emit_message(false, 'tests', 'a row')", "postgres");
  return sql("select pg_walfile_name(pg_switch_wal())", "postgres");
}

const lastArchived = () => sql("select coalesce(last_archived_wal, '') from pg_stat_archiver", "postgres");

async function agentSays(): Promise<string> {
  return kubectl("logs", ...NAMESPACE, AGENT, "--tail=20");
}

describe("backups in a directory of the node", function () {
  this.timeout(300_000);
  needsEngine();

  /** Directories on the node: the repository, its content under another name, and what is below a share that is not mounted. */
  let repository: string;
  let content: string;
  let bare: string;
  const mounts: string[] = [];
  const mount = async (what: string, where: string) => {
    await onNode("mount", "--bind", what, where);
    mounts.push(where);
  };

  before(async () => {
    await up();
    const folder = dirname(state().dataDirectory);
    repository = join(folder, "repository");
    [content, bare] = [join(folder, "repository-content"), join(folder, "repository-bare")];
    for (const directory of [content, bare]) mkdirSync(directory, { mode: 0o755, recursive: true });
  });
  after(async () => {
    while (mounts.length > 0) await onNode("umount", mounts.pop() ?? "");
    await releaseClaims();
    await up();
  });

  it("prepares the directory, archives into it, and makes a first backup, without a restart of the server", async () => {
    const started = await sql("select pg_postmaster_start_time()");
    const repositories = { disk: { kind: "directory", path: repository, capacity: "1Gi" } };
    const ran = await pulumi([
      ...["up", "--yes", "--skip-preview"],
      ...["--config-file", configured({ "backup.repositories": repositories })],
    ]);
    assert.equal(ran.status, 0, ran.output);
    assert.equal(
      readFileSync(join(repository, "volume.identity"), "utf8"),
      "transcript-pipeline/dev.backup-disk\n",
    );
    assert.ok(!existsSync(join(repository, "initialize.once")), "no server may fill a repository");
    const { uid, mode } = statSync(repository);
    assert.deepEqual([uid, mode & 0o777], [999, 0o700]);

    const segment = await switchWal();
    await until("the segment is archived", async () => (await lastArchived()) >= segment, 120_000);
    await until(
      "it is in the directory",
      () => filesIn(repository).some((name) => name.includes(segment)),
      60_000,
    );
    await until("there is a backup", () =>
      existsSync(join(repository, "repository/backup/main/backup.info")),
    );
    assert.equal(await sql("select pg_postmaster_start_time()"), started, "the server was restarted");
  });

  it("dumps go next to the backups, encrypted: read back, counted, and as many as are kept", async () => {
    await sql(
      "create table if not exists dumped as select i, md5(i::text) as words from generate_series(1, 3000) as i",
    );
    const dumps = () => filesIn(join(repository, "repository-dumps")).sort();
    const names: string[] = [];
    // Four are kept.
    for (let n = 1; n <= 5; n++) {
      const ran = await npm("backup", "dump");
      assert.equal(ran.status, 0, ran.output);
      const [, name = "", tables, rows] =
        /^dump: DONE: (transcripts_db-\S+) in repository disk: (\d+) tables with (\d+) rows, as in the database; \d+ MiB$/m.exec(
          ran.stdout,
        ) ?? [];
      assert.ok(Number(tables) > 3 && Number(rows) >= 3000, ran.stdout);
      names.push(name);
    }
    const times = names.slice(1).map((name) => name.slice(-16));
    assert.deepEqual(
      dumps(),
      times
        .flatMap((time) => [
          `globals-${time}.sql.bin`,
          ...["dump", "json"].map((ending) => `transcripts_db-${time}.${ending}.bin`),
        ])
        .sort(),
    );
    for (const name of dumps()) {
      const bytes = readFileSync(join(repository, "repository-dumps", name));
      assert.equal(bytes.subarray(0, 6).toString(), "RCLONE", name);
      const { uid, mode } = statSync(join(repository, "repository-dumps", name));
      assert.deepEqual([uid, mode & 0o077], [999, 0], name);
    }
    assert.match(
      (await npm("backup", "status")).stdout,
      new RegExp(`^last dump, \\d+ s ago: DONE: ${names.at(-1)} `, "m"),
    );
  });

  it("a damaged dump is found by the next reading of it, and rows come back from a whole one", async () => {
    const folder = join(repository, "repository-dumps");
    const name =
      filesIn(folder)
        .filter((file) => file.endsWith(".dump.bin"))
        .sort()
        .at(-1) ?? "";
    const rclone = (object: string) =>
      `kubectl exec ${NAMESPACE.join(" ")} ${AGENT} -- bash -c 'RCLONE_CONFIG_DUMPS1_PASSWORD=$(sed -n s/^repo1-cipher-pass=//p /etc/pgbackrest-secrets/repo1-passphrase.conf | rclone obscure -) exec rclone --config /etc/pgbackrest/rclone.conf cat dumps1:${object}'`;
    await sql("truncate dumped");
    const restored = await shell(
      `set -o pipefail; ${rclone(name.replace(/\.bin$/, ""))} | kubectl exec -i ${NAMESPACE.join(" ")} postgres-0 -- pg_restore -U transcript_user -d transcripts_db --data-only --table=dumped`,
    );
    assert.equal(restored.status, 0, restored.output);
    assert.equal(await sql("select count(*), sum(i) from dumped"), "3000|4501500");
    const bytes = readFileSync(join(folder, name));
    const damaged = Buffer.from(bytes);
    damaged[100] = (damaged[100] ?? 0) ^ 1;
    writeFileSync(join(folder, name), damaged);
    assert.notEqual((await shell(rclone(name.replace(/\.bin$/, "")))).status, 0);
    writeFileSync(join(folder, name), bytes);
  });

  it("writes nothing where the share is not mounted, says which directory, and the server restarts meanwhile", async () => {
    await mount(repository, content);
    // Otherwise what is mounted on the repository next would be mounted there too.
    await onNode("mount", "--make-private", content);
    await mount(bare, repository);
    await kubectl("delete", "pod", ...NAMESPACE, AGENT);
    const before = await lastArchived();
    const segment = await switchWal();
    await until("the agent says it", async () =>
      /repository disk: its directory on the node has no marker volume\.identity.*Nothing was written/.test(
        await agentSays().catch(() => ""),
      ),
    );
    // Nor is a dump. The Job tries for ten minutes.
    await kubectl("create", "job", "unmounted", "--from=cronjob/postgres-backup-dump", ...NAMESPACE);
    await until("the dump says it", async () =>
      /repository disk: its directory on the node has no marker volume\.identity.*Mount it/.test(
        await kubectl("logs", ...NAMESPACE, "job/unmounted", "-c", "dump").catch(() => ""),
      ),
    );
    await kubectl("delete", "job", "unmounted", ...NAMESPACE);
    const begin = Date.now();
    await kubectl("delete", "pod", ...NAMESPACE, "postgres-0");
    await kubectl("wait", ...NAMESPACE, "--for=condition=ready", "pod/postgres-0", "--timeout=90s");
    const seconds = (Date.now() - begin) / 1000;
    console.log(`      the server is ready again after ${seconds.toFixed(1)} s`);
    // It shuts down for 300 s if it has to: nothing about backups may use that up.
    assert.ok(seconds < 60, `${seconds} s`);
    // Shut down in time: no crash to recover from.
    assert.doesNotMatch(
      await kubectl("logs", ...NAMESPACE, "postgres-0", "-c", "postgres"),
      /not properly shut down/,
    );
    assert.ok((await lastArchived()) <= before || (await lastArchived()) < segment);
    assert.deepEqual(filesIn(bare), []);
  });

  it("goes on by itself once the share is mounted: no pod is restarted", async () => {
    const uid = () =>
      kubectl(
        "get",
        "pod",
        ...NAMESPACE,
        AGENT,
        "-o",
        "jsonpath={.metadata.uid} {.status.containerStatuses[0].restartCount}",
      );
    const agent = await uid();
    await mount(content, repository);
    const segment = await switchWal();
    await until("the segment is archived", async () => (await lastArchived()) >= segment, 120_000);
    // As this machine sees it, which shares none of the node's mounts.
    assert.ok(filesIn(repository).some((name) => name.includes(segment)));
    assert.deepEqual(filesIn(bare), []);
    assert.equal(await uid(), agent);
  });

  it("says that the disk of the repository is full, and what to do; goes on by itself once there is room", async () => {
    const small = join(dirname(repository), "repository-small");
    mkdirSync(small, { recursive: true });
    await onNode("mount", "-t", "tmpfs", "-o", "size=128m,uid=999,gid=999,mode=700", "small", small);
    mounts.push(small);
    await onNode("cp", "-a", `${repository}/.`, small);
    await onNode("mount", "--make-private", small);
    await mount(small, repository);
    await onNode("sh", "-c", `head -c 200M /dev/zero >${small}/filler 2>/dev/null || true`);
    const before = await lastArchived();
    const segment = await switchWal();
    await until("the agent says it", async () =>
      /The repository is full: enlarge it, or keep fewer backups: pulumi config set --path backup\.repositories\.disk\.keepFull/.test(
        await agentSays(),
      ),
    );
    assert.equal(await lastArchived(), before);
    await onNode("rm", `${small}/filler`);
    await until("the segment is archived", async () => (await lastArchived()) >= segment, 120_000);
  });
});
