/** Faults of the data directory: not the right one, or full. */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { execute, succeed, until } from "../support.ts";
import { type Lab, NAMESPACE, POD } from "./lab.ts";
import { isAlive, signal } from "./node-processes.ts";
import type { Fault, Strike } from "./runner.ts";
import type { DirectoryFacts } from "../../../components/storage/directory.ts";
import { preparationScript } from "../../../components/storage/preparation.ts";
import type { StatusReport } from "../../../tools/status/findings.ts";

/** Ends the server, whose next start finds what was done to its directory. */
async function endServer(lab: Lab): Promise<void> {
  const processes = await lab.containerProcesses();
  signal(processes, "SIGKILL");
  await until("the server has ended", () => !processes.some(isAlive), 10_000, 20);
}

/** Waits until the server has refused to start, twice if there is time, and reports why. */
async function untilRefused(lab: Lab, reason: RegExp): Promise<void> {
  await until(
    `the server refuses: ${reason.source}`,
    async () => {
      const status = (await lab.pod())?.status?.containerStatuses?.find(({ name }) => name === "postgres");
      // The container's last words are what Pulumi and `kubectl describe` print.
      const said = status?.state?.terminated?.message ?? status?.lastState?.terminated?.message ?? "";
      return said.includes("start-server: REFUSED: ") && reason.test(said);
    },
    40_000,
    300,
  );
}

/** A fault that affects the directory, is refused, and undone. */
function refusal(
  name: string,
  reason: RegExp,
  change: (lab: Lab) => Promise<{ undo: () => Promise<void>; untouched: () => Promise<void> }>,
): Fault {
  return {
    name,
    group: "refusal",
    limit: 90,
    strike: async (lab): Promise<Strike> => {
      // Changed while the server runs, as in real life; its next start is what matters.
      const { undo, untouched } = await change(lab);
      try {
        await endServer(lab);
        await untilRefused(lab, reason);
        await untouched();
      } finally {
        await undo();
      }
      return { since: Date.now(), note: "refused, with nothing written" };
    },
  };
}

/** Names in a folder, the lock's file aside: a server that only looks may have made it. */
function entries(folder: string): string[] {
  return readdirSync(folder).sort();
}

/** What the one-time preparation of the directory makes of this. */
async function preparation(facts: Pick<DirectoryFacts, "path" | "identity"> & { mount?: string }) {
  return execute("/bin/sh", ["-c", preparationScript({ capacity: "1Mi", ...facts })]);
}

const IDENTITY = "transcript-pipeline/dev";

/** Fills what is left of the disk with a table, which is refused. */
async function fillTables(lab: Lab): Promise<string> {
  const filler = await lab.connectSoon();
  const refused = await filler
    .query(
      "create table faults_filler as select i, repeat(md5(i::text), 20) from generate_series(1, 2000000) i",
      60_000,
    )
    .then(
      () => "",
      (error: unknown) => String(error),
    );
  filler.close();
  assert.notEqual(refused, "", "the disk did not become full");
  return "the statement was refused";
}

/** Begins new WAL files until there is no room for one, which the server cannot survive. */
async function fillLog(lab: Lab): Promise<string> {
  const panicked = async () => /PANIC: .* No space left on device/.test(await lab.serverLog());
  await until(
    "the log finds no room",
    async () => {
      // One transaction each: a switch in one that wrote nothing begins no file.
      const switches = Array.from({ length: 4 }, () => [
        "-c",
        "select txid_current()",
        "-c",
        "select pg_switch_wal()",
      ]);
      await lab.tryKubectl(
        ...["exec", "-n", NAMESPACE, POD, "-c", "postgres", "--", "psql", "-X", "-q", "-U", "postgres"],
        ...switches.flat(),
      );
      return panicked();
    },
    60_000,
    100,
  );
  return "the server had gone down";
}

/** Where the volume's own disk is mounted, in the node alone: the machine never sees it. */
const mountedDisk = (lab: Lab) => join(lab.folder, "disk.mounted");

/** A command in the node that may fail. */
const tryOnNode = (lab: Lab, ...command: string[]) =>
  execute("nsenter", [`--target=${lab.nodeInit().pid}`, "--mount", "--", ...command]);

/** Puts the volume's disk where the server finds it. */
async function mountDisk(lab: Lab): Promise<void> {
  await lab.onNode("mount", "-o", "loop,errors=remount-ro", join(lab.folder, "disk"), mountedDisk(lab));
}

/** Takes the volume's disk away; the server is down. */
async function unmountDisk(lab: Lab): Promise<void> {
  await until(
    "the disk is free",
    async () => (await tryOnNode(lab, "umount", mountedDisk(lab))).status === 0,
    20_000,
  );
}

/** Puts the volume onto a small disk of its own, and back. */
export const ownDisk = {
  prepare: async (lab: Lab) => {
    await lab.scale(0);
    const disk = join(lab.folder, "disk");
    const mounted = mountedDisk(lab);
    const used = Number((await succeed("du", ["-sm", lab.volume])).stdout.split("\t")[0]);
    await succeed("truncate", ["-s", `${used + 250}M`, disk]);
    await succeed("mkfs.ext4", ["-q", "-m", "0", disk]);
    mkdirSync(mounted, { recursive: true });
    await mountDisk(lab);
    await lab.onNode(
      "sh",
      "-c",
      `cp -a ${lab.volume}/. ${mounted}/ && chown 999:999 ${mounted} && chmod 700 ${mounted} && sync -f ${mounted}`,
    );
    await lab.onNode("mount", "--bind", mounted, lab.volume);
    await lab.scale(1);
  },
  restore: async (lab: Lab) => {
    await lab.scale(0);
    if ((await tryOnNode(lab, "mountpoint", "-q", lab.volume)).status === 0) {
      await lab.onNode("umount", lab.volume);
      await lab.onNode(
        "sh",
        "-c",
        `rm -rf ${lab.volume}/* && cp -a ${mountedDisk(lab)}/. ${lab.volume}/ && rmdir ${lab.volume}/lost+found && sync -f ${lab.volume}`,
      );
      await unmountDisk(lab);
    }
    rmSync(join(lab.folder, "disk"), { force: true });
    await lab.scale(1);
  },
};

/** A fault of the disk that the volume is on: a separate small one, for as long as it lasts. */
function faultOfDisk(name: string, strike: Fault["strike"]): Fault {
  return { name, group: "storage", limit: 400, ...ownDisk, strike };
}

/** The volume's disk fills up; the fault ends when there is room again. */
function fullDisk(name: string, fill: (lab: Lab) => Promise<string>): Fault {
  return faultOfDisk(name, async (lab, random) => {
    const inside = join(`/proc/${lab.nodeInit().pid}/root`, lab.volume);
    const ballast = join(inside, "ballast");
    const { bavail, bsize } = statfsSync(inside);
    const left = random.between(1, 12);
    await succeed("fallocate", ["-l", `${Math.floor((bavail * bsize) / 2 ** 20) - left}M`, ballast]);
    const note = await fill(lab);
    await pause(random.between(500, 5000));
    assert.match(await lab.serverLog(), /No space left on device/);
    rmSync(ballast);
    return { since: Date.now(), note };
  });
}

/** What `npm run status` says of the lab's deployment. */
async function statusOf(lab: Lab): Promise<StatusReport> {
  const file = join(lab.folder, "Pulumi.status.yaml");
  writeFileSync(file, `config:\n  transcript-pipeline:cluster:\n    kubeconfig: ${lab.cluster.kubeconfig}\n`);
  const asked = ["run", "--silent", "status", "--", "--json", "--config-file", file];
  const ran = await execute("npm", asked);
  return JSON.parse(ran.stdout) as StatusReport;
}

const names = ({ findings }: StatusReport) => findings.map(({ name }) => name);

/** Has the kernel find an error in the volume's own disk, which is read-only from then on. */
export async function breakFileSystem(lab: Lab): Promise<void> {
  const looked = await succeed("losetup", ["-n", "-O", "NAME", "-j", join(lab.folder, "disk")]);
  const device = basename(looked.stdout.trim());
  writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, "an error of the file system");
}

/** Checks that disk, and mounts it again; the server is down meanwhile. */
export async function mendFileSystem(lab: Lab): Promise<void> {
  await lab.scale(0);
  await lab.onNode("umount", lab.volume);
  await unmountDisk(lab);
  // 1: it has corrected something.
  assert.ok([0, 1].includes((await execute("e2fsck", ["-fy", join(lab.folder, "disk")])).status ?? -1));
  await mountDisk(lab);
  await lab.onNode("mount", "--bind", mountedDisk(lab), lab.volume);
}

/** The kernel mounts the disk read-only after an error of its file system, until that is checked and mounted again. */
const failedFileSystem = faultOfDisk("the disk fails and is mounted read-only", async (lab) => {
  await breakFileSystem(lab);
  const struck = Date.now();
  let said = 0;
  await until(
    "the status says that the disk is read-only",
    async () => {
      const status = await statusOf(lab);
      said = Date.now() - struck;
      return status.state === "critical" && names(status).includes("disk-read-only");
    },
    60_000,
  );
  await mendFileSystem(lab);
  const since = Date.now();
  await lab.scale(1);
  await until(
    "the status has nothing of it any more",
    async () => !names(await statusOf(lab)).some((name) => ["disk-read-only", "server-down"].includes(name)),
    60_000,
  );
  return { since, note: `the status said so after ${(said / 1000).toFixed(0)} s` };
});

export const storageFaults: Fault[] = [
  refusal("the disk is not mounted", /has no marker volume\.identity/, async (lab) => {
    // An empty directory where the mount point is, as when the RAID did not come up.
    const empty = join(lab.folder, "mount-point");
    mkdirSync(empty, { recursive: true });
    await lab.onNode("mount", "--bind", empty, lab.volume);
    return {
      undo: async () => {
        await lab.onNode("umount", lab.volume);
      },
      untouched: async () => {
        assert.deepEqual(entries(empty), []);
        const prepared = await preparation({ path: join(empty, "pgdata"), mount: empty, identity: IDENTITY });
        assert.notEqual(prepared.status, 0);
        assert.match(prepared.output, /is not mounted, so .* would be on another disk/);
        assert.deepEqual(entries(empty), []);
      },
    };
  }),
  refusal("the whole volume was moved away", /has no marker volume\.identity/, async (lab) => {
    const elsewhere = `${lab.volume}.moved`;
    renameSync(lab.volume, elsewhere);
    return Promise.resolve({
      undo: async () => {
        // The kubelet or the runtime made an empty one.
        await until("the empty directory is free", () => removed(lab.volume), 10_000);
        renameSync(elsewhere, lab.volume);
      },
      untouched: async () => {
        assert.deepEqual(existsSync(lab.volume) ? entries(lab.volume) : [], []);
        return Promise.resolve();
      },
    });
  }),
  refusal(
    "the data directory was moved away",
    /is missing and there is no permission to create a new one/,
    async (lab) => {
      const [there, elsewhere] = [join(lab.volume, "pgdata"), join(lab.volume, "pgdata.moved")];
      renameSync(there, elsewhere);
      return Promise.resolve({
        undo: () => Promise.resolve(renameSync(elsewhere, there)),
        untouched: () => {
          assert.ok(!existsSync(there));
          return Promise.resolve();
        },
      });
    },
  ),
  refusal("the data directory is empty", /exists but holds no database/, async (lab) => {
    const [there, elsewhere] = [join(lab.volume, "pgdata"), join(lab.volume, "pgdata.moved")];
    renameSync(there, elsewhere);
    mkdirSync(there);
    return Promise.resolve({
      undo: () => {
        rmdirSync(there);
        return Promise.resolve(renameSync(elsewhere, there));
      },
      untouched: () => Promise.resolve(assert.deepEqual(entries(there), [])),
    });
  }),
  refusal(
    "the database is of another major version",
    /holds a database of PostgreSQL 15, and this image is PostgreSQL 16/,
    async (lab) => {
      const file = join(lab.volume, "pgdata/PG_VERSION");
      const before = await readFile(file, "utf8");
      await writeFile(file, "15\n");
      return {
        undo: () => writeFile(file, before),
        untouched: async () => assert.equal(await readFile(file, "utf8"), "15\n"),
      };
    },
  ),
  refusal(
    "the directory belongs to another cluster",
    /belongs to transcript-pipeline\/other, and this server is/,
    async (lab) => {
      const marker = join(lab.volume, "volume.identity");
      const before = readFileSync(marker, "utf8");
      writeFileSync(marker, "transcript-pipeline/other\n");
      const names = entries(lab.volume);
      return Promise.resolve({
        undo: () => Promise.resolve(writeFileSync(marker, before)),
        untouched: async () => {
          assert.deepEqual(entries(lab.volume), names);
          const prepared = await preparation({ path: lab.volume, identity: IDENTITY });
          assert.notEqual(prepared.status, 0);
          assert.match(prepared.output, /belongs to transcript-pipeline\/other, and this deployment is/);
          assert.deepEqual(entries(lab.volume), names);
        },
      });
    },
  ),
  fullDisk("a disk too full for tables, and room again", fillTables),
  fullDisk("a disk too full for the write-ahead log, and room again", fillLog),
  failedFileSystem,
];

function removed(folder: string): boolean {
  try {
    if (existsSync(folder)) rmdirSync(folder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EBUSY") return false;
    throw error;
  }
}
