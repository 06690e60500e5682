import assert from "node:assert/strict";
import { chownSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { SCRIPTS_PATH } from "../../../components/kubernetes/scripts.ts";
import { kubectl, sql } from "../support.ts";
import { SftpServer } from "./sftp-server.ts";
import {
  archiveNow,
  inAgent,
  info,
  NAMESPACE,
  onStored,
  startBackup,
  stored,
  theSftpServer,
} from "./stored.ts";

/** What a drill finds in the repository, without the drill: in the agent's pod, which has the same scripts. */
async function findings(): Promise<string> {
  const script = `. ${SCRIPTS_PATH}/verify.sh; number=1; findings`;
  const ran = await inAgent("bash", "-uo", "pipefail", "-c", script);
  assert.equal(ran.status, 0, ran.output);
  return ran.stdout;
}

const damages: Readonly<Record<string, (file: string) => void>> = {
  truncated: (file) => {
    truncateSync(file, Math.floor(readFileSync(file).length / 2));
  },
  flipped: (file) => {
    const bytes = readFileSync(file);
    const middle = Math.floor(bytes.length / 2);
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    writeFileSync(file, bytes);
  },
  removed: (file) => {
    rmSync(file);
  },
};

/** Writes an object as it was, and as its folder's owner. */
function restoreFile(file: string, bytes: Buffer): void {
  writeFileSync(file, bytes);
  const { uid, gid } = statSync(dirname(file));
  chownSync(file, uid, gid);
}

/** What no restore reads: copies of manifests, for people, and notes about when a backup began. */
const UNREAD = /^backup\/main\/backup\.history\//;
const NOTE = /\.backup$/;
const SEGMENT = /\/([0-9A-F]{24})-[0-9a-f]{40}/;

describe("damage in a repository", function () {
  this.timeout(1_800_000);
  // Encrypted, and its files can be reached.
  onStored(SftpServer);
  let repository: string;

  const drill = () => stored().checkout.run('npm run --silent backup -- --stack "$STACK" drill');
  const objects = () =>
    readdirSync(repository, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(repository.length + 1))
      .sort();
  const segmentsOf = (paths: string[]) => paths.flatMap((path) => SEGMENT.exec(path)?.[1] ?? []).sort();

  before(async () => {
    repository = theSftpServer().directory;
    await sql("create table more as select i from generate_series(1, 100000) as i");
    await kubectl(
      "wait",
      "-n",
      NAMESPACE,
      "--for=condition=Complete",
      "--timeout=200s",
      `job/${await startBackup("incremental", "damage-incremental")}`,
    );
    await archiveNow();
  });

  it("there is none in a repository that nobody has touched", async () => {
    assert.equal(await findings(), "");
  });

  it("is found in every object, whether it is truncated, flipped or removed, with its name", async () => {
    const all = objects();
    const segments = segmentsOf(all);
    const { backup } = await info();
    const [oldest = ""] = backup.map(({ archive }) => archive.start).sort();
    const unnamed: string[] = [];
    let checked = 0;
    for (const path of all) {
      const file = join(repository, path);
      const segment = SEGMENT.exec(path)?.[1];
      for (const [how, damage] of Object.entries(damages)) {
        if (UNREAD.test(path)) continue;
        // Nothing says that there was a note, a segment before every backup, or one after the last that there is.
        if (
          how === "removed" &&
          (NOTE.test(path) || (segment && (segment < oldest || segment === segments.at(-1))))
        )
          continue;
        const whole = readFileSync(file);
        try {
          damage(file);
          checked++;
          if (!(await findings()).includes(segment ?? basename(path))) unnamed.push(`${path}, ${how}`);
        } finally {
          restoreFile(file, whole);
        }
      }
    }
    console.log(`      ${checked - unnamed.length} of ${checked} found by name, of ${all.length} objects`);
    assert.deepEqual(unnamed, []);
    assert.ok(checked > 40, `${checked}`);
    assert.equal(await findings(), "", "something was not put back");
  });

  it("fails the next drill, although the newest backup can be restored", async () => {
    // A segment that the newest backup does not need.
    const path = objects().find((object) => SEGMENT.exec(object)?.[1] === segmentsOf(objects())[2]);
    assert.ok(path);
    const file = join(repository, path);
    const whole = readFileSync(file);
    damages.truncated?.(file);
    try {
      const ran = await drill();
      assert.equal(ran.status, 1, ran.output);
      assert.match(
        ran.stdout,
        /drill: FAILED for repository cloud: the newest backup can be restored, but not everything .*[0-9A-F]{24}/,
      );
      assert.ok(ran.stdout.includes(SEGMENT.exec(path)?.[1] ?? "?"));
    } finally {
      restoreFile(file, whole);
    }
    assert.equal((await drill()).status, 0);
  });
});
