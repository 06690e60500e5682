import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { clusterPaths } from "../../../tools/local-cluster/paths.ts";
import { describeProcess, parentOf, podProcesses } from "../faults/node-processes.ts";
import {
  CLUSTER,
  configured,
  kubectl,
  needsEngine,
  pulumi,
  type Ran,
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
  const [some] = podProcesses(clusterPaths(CLUSTER));
  let process = some === undefined ? undefined : describeProcess(some);
  while (process && !(process.depth === 2 && process.inner === 1)) process = parentOf(process);
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
