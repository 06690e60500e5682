import assert from "node:assert/strict";
import { objectionToDirectory, SYSTEM_DIRECTORIES } from "../../../../config/system-directories.ts";
import { allRunbooks } from "../../../cluster/runbook.ts";
import { type Flavour, flavours, NodeRoot, obstacleTo } from "./node-root.ts";
import { skip } from "../../../skip.ts";
import { repositoryDirectory } from "../../../../components/backup/directory.ts";
import type { DirectoryFacts } from "../../../../components/storage/directory.ts";
import { preparationScript } from "../../../../components/storage/preparation.ts";

const IDENTITY = "transcript-pipeline/prod";
const PATH = "/mnt/raid/pgdata";

const scriptFor = (facts: Partial<DirectoryFacts> = {}) =>
  preparationScript({ path: PATH, capacity: "1Mi", identity: IDENTITY, ...facts });

interface Situation {
  name: string;
  /** What creates it, below $R. */
  before: string;
  facts?: Partial<DirectoryFacts>;
  args?: string[];
  environment?: Record<string, string>;
}

const SECRET = "root:$6$NotForAnybodysEyes:20000:0:99999:7:::";
const OURS = `mkdir -m 700 -p $R/mnt/raid/pgdata/pgdata; cd $R/mnt/raid/pgdata; echo 16 >pgdata/PG_VERSION
  echo ${IDENTITY} >volume.identity; chmod 600 volume.identity; chown -R 999:999 .`;
const EMPTY = "mkdir -m 755 -p $R/mnt/raid/pgdata; cd $R/mnt/raid/pgdata";
const THEIRS = `${EMPTY}; chown 999:999 .; chmod 700 .`;
const HIDDEN = `echo '${SECRET}' >$R/home/shadow; chmod 600 $R/home/shadow`;

/** The directory of a repository. */
const NAS = { use: repositoryDirectory("nas") };
/** One with backups, of this deployment. */
const BACKUPS = `mkdir -m 700 -p $R/mnt/raid/pgdata/repository; cd $R/mnt/raid/pgdata
  echo ${IDENTITY}.backup-nas >volume.identity; chmod 600 volume.identity; chown -R 999:999 .`;
/** A share that gives nothing to root: a chown that fails, where it is found first. */
const NOT_ROOTS = `mkdir -p $R/home/bin; printf '#!/bin/sh\\ncase $1 in 0:0) exit 1 ;; esac; exec /bin/chown "$@"\\n' >$R/home/bin/chown
  chmod 755 $R/home/bin/chown`;
const NOT_ROOTS_FIRST = { PATH: `/home/bin:${process.env.PATH}:/bin` };
/** Whether a shell looks for programs on PATH first: BusyBox's takes its own. */
const isSeenBy = (flavour: Flavour, { environment }: Situation) =>
  flavour !== "BusyBox" || environment !== NOT_ROOTS_FIRST;

const refused: (Situation & { says: RegExp })[] = [
  {
    name: "an empty directory of root's behind a link",
    before: "mkdir -p $R/mnt/raid $R/mnt/root-only; ln -s ../root-only $R/mnt/raid/pgdata",
    says: /\/mnt\/raid\/pgdata is a symbolic link.*readlink -f \/mnt\/raid\/pgdata/,
  },
  {
    name: "a link that leads nowhere yet",
    before: "mkdir -p $R/mnt/raid; ln -s ../later $R/mnt/raid/pgdata",
    says: /\/mnt\/raid\/pgdata is a symbolic link/,
  },
  {
    name: "a link above the directory",
    before: "mkdir -p $R/mnt/elsewhere/pgdata; ln -s elsewhere $R/mnt/raid",
    says: /\/mnt\/raid is a symbolic link/,
  },
  {
    name: "a marker that is a link to a file which only root may read",
    before: `${EMPTY}; ${HIDDEN}; ln -s /home/shadow volume.identity`,
    says: /volume\.identity is a symbolic link.*not read/,
  },
  {
    name: "a marker that is a link to a marker",
    before: `${EMPTY}; echo ${IDENTITY} >$R/home/marker; ln -s /home/marker volume.identity`,
    says: /volume\.identity is a symbolic link/,
  },
  {
    name: "a marker that is a pipe",
    before: `${EMPTY}; mkfifo volume.identity`,
    says: /volume\.identity is not a regular file/,
  },
  {
    name: "a marker that is a directory",
    before: `${EMPTY}; mkdir volume.identity`,
    says: /volume\.identity is a directory/,
  },
  {
    name: "a marker that is a copy of something else",
    before: `${EMPTY}; echo '${SECRET}' >volume.identity`,
    says: /volume\.identity does not hold the name of a deployment/,
  },
  {
    name: "a marker of several lines, the first of which is right",
    before: `${EMPTY}; printf '${IDENTITY}\\n%s\\n' '${SECRET}' >volume.identity`,
    says: /volume\.identity does not hold the name of a deployment/,
  },
  {
    name: "a marker that is large",
    before: `${EMPTY}; head -c 100000 /dev/zero >volume.identity`,
    says: /volume\.identity has 100000 bytes/,
  },
  {
    name: "a marker that is empty",
    before: `${EMPTY}; : >volume.identity`,
    says: /volume\.identity does not hold the name of a deployment/,
  },
  {
    name: "a permission planted as a directory",
    before: `${EMPTY}; mkdir initialize.once`,
    says: /initialize\.once is a directory/,
  },
  {
    name: "a permission planted as a link",
    before: `${EMPTY}; ${HIDDEN}; ln -s /home/shadow initialize.once`,
    says: /initialize\.once is a symbolic link/,
  },
  {
    name: "a permission planted as a link that leads nowhere",
    before: `${EMPTY}; ln -s /home/made initialize.once`,
    says: /initialize\.once is a symbolic link/,
  },
  {
    name: "a permission planted as a directory beside our marker",
    before: `${OURS}; mkdir initialize.once`,
    says: /initialize\.once is a directory/,
  },
  {
    name: "another deployment's directory",
    before: `${EMPTY}; echo transcript-pipeline/dev >volume.identity`,
    says: /belongs to transcript-pipeline\/dev, and this deployment is transcript-pipeline\/prod/,
  },
  {
    name: "a directory that this deployment has left",
    before: `${EMPTY}; echo '${IDENTITY}, moved to /mnt/raid-2' >volume.identity`,
    says: /belongs to transcript-pipeline\/prod, moved to \/mnt\/raid-2, and this deployment is/,
  },
  {
    name: "files without a marker",
    before: `${EMPTY}; echo >letters.txt`,
    says: /holds files but no marker says whose.*npm run render -- --stack prod;.*sudo sh prepare-storage\.sh adopt/,
  },
  {
    name: "a hidden file without a marker",
    before: `${EMPTY}; echo >.letters`,
    says: /holds files but no marker/,
  },
  {
    name: "a link named lost+found",
    before: `${EMPTY}; ln -s /home lost+found`,
    says: /holds files but no marker/,
  },
  {
    name: "a mount that is read as a pattern",
    before: "mkdir -p $R/mnt/raid.10 $R/mnt/raidX10; mount -t tmpfs -o mode=755 raid $R/mnt/raidX10",
    facts: { path: "/mnt/raid.10/pgdata", mount: "/mnt/raid.10" },
    says: /\/mnt\/raid\.10 is not mounted, so \/mnt\/raid\.10\/pgdata would be on another disk/,
  },
  {
    name: "a mount that is missing altogether",
    before: ":",
    facts: { mount: "/mnt/raid" },
    says: /\/mnt\/raid is not mounted/,
  },
  {
    name: "a mount whose name only begins the same",
    before: "mkdir -p $R/mnt/raid $R/mnt/raid-old; mount -t tmpfs -o mode=755 raid $R/mnt/raid-old",
    facts: { mount: "/mnt/raid" },
    says: /\/mnt\/raid is not mounted/,
  },
  {
    name: "a mount of which only a part of the path is mounted",
    before: "mkdir -p $R/mnt/raid/set; mount -t tmpfs -o mode=755 raid $R/mnt/raid",
    facts: { path: "/mnt/raid/set/pgdata", mount: "/mnt/raid/set" },
    says: /\/mnt\/raid\/set is not mounted/,
  },
  {
    name: "a link below the mount that leads elsewhere",
    before:
      "mkdir -p $R/mnt/raid $R/mnt/elsewhere; mount -t tmpfs -o mode=755 raid $R/mnt/raid; ln -s ../elsewhere $R/mnt/raid/data",
    facts: { path: "/mnt/raid/data/pgdata", mount: "/mnt/raid" },
    says: /\/mnt\/raid\/data is a symbolic link/,
  },
  {
    name: "another file system below the mount",
    before: `mkdir -p $R/mnt/raid; mount -t tmpfs -o mode=755 raid $R/mnt/raid; mkdir $R/mnt/raid/data
      mount -t tmpfs -o mode=755 other $R/mnt/raid/data`,
    facts: { path: "/mnt/raid/data/pgdata", mount: "/mnt/raid" },
    says: /\/mnt\/raid\/data is not on \/mnt\/raid: another file system is mounted at \/mnt\/raid\/data/,
  },
  {
    name: "a parent that everybody may write",
    before: `${EMPTY}; chmod 777 ..`,
    says: /\/mnt\/raid is above \S+ and can be written by everybody/,
  },
  {
    name: "a parent that a group may write",
    before: `${EMPTY}; chgrp 50 ..; chmod 775 ..`,
    says: /\/mnt\/raid is above \S+ and can be written by group 50/,
  },
  {
    name: "a parent of another user",
    before: `${EMPTY}; chown 1000 ..`,
    says: /\/mnt\/raid is above \S+ and belongs to uid 1000.*chown root \/mnt\/raid/,
  },
  {
    name: "a parent of the server's own user",
    before: `${EMPTY}; chown 999 ..`,
    says: /\/mnt\/raid is above \S+ and belongs to uid 999/,
  },
  {
    name: "a directory of another user in a directory of all",
    before: "mkdir -m 1777 $R/mnt/raid; mkdir $R/mnt/raid/pgdata; chown 1000 $R/mnt/raid/pgdata",
    says: /\/mnt\/raid\/pgdata belongs to uid 1000, neither to root nor to the server/,
  },
  {
    name: "a home directory of somebody who did not start it",
    before: "mkdir -p $R/home/anna/state; chown -R 1000:1000 $R/home/anna",
    facts: { path: "/home/anna/state/pgdata" },
    environment: { SUDO_UID: "1001" },
    says: /\/home\/anna is above \S+ and belongs to uid 1000/,
  },
  {
    name: "a file in the directory's place",
    before: "mkdir $R/mnt/raid; echo >$R/mnt/raid/pgdata",
    says: /\/mnt\/raid\/pgdata is not a directory/,
  },
  {
    name: "a disk that is too small",
    before: EMPTY,
    facts: { capacity: "1Gi" },
    says: /bytes free and \d+ in use, together less than the capacity of 1073741824 bytes/,
  },
  {
    name: "the adoption of what is no database",
    before: `${EMPTY}; echo >letters.txt`,
    args: ["adopt"],
    says: /\/mnt\/raid\/pgdata\/pgdata is not the data directory of a PostgreSQL server/,
  },
  {
    name: "the adoption of another deployment's database",
    before: `${OURS}; echo transcript-pipeline/dev >volume.identity`,
    args: ["adopt"],
    says: /belongs to transcript-pipeline\/dev/,
  },
  {
    name: "the adoption of a database behind a link",
    before: `${OURS}; rm volume.identity; mv pgdata $R/mnt/elsewhere; ln -s ../../elsewhere pgdata`,
    args: ["adopt"],
    says: /is not the data directory of a PostgreSQL server/,
  },
  {
    name: "a new database in another deployment's directory",
    before: `${OURS}; rm -r pgdata; echo transcript-pipeline/dev >volume.identity`,
    args: ["new-database"],
    says: /belongs to transcript-pipeline\/dev/,
  },
  {
    name: "a new database where there is one",
    before: OURS,
    args: ["new-database"],
    says: /pgdata exists, and no new database is created next to it/,
  },
  {
    name: "a restore where there is a database",
    before: OURS,
    args: ["restore"],
    says: /pgdata exists, and only an empty directory is restored into\. Move it away first: mv /,
  },
  {
    name: "a restore next to files of nobody knows whom",
    before: `${OURS}; rm -r volume.identity pgdata; echo 1 >notes`,
    args: ["restore"],
    says: /no marker says whose\. Nothing is restored next to them/,
  },
  {
    name: "a restore into another deployment's directory",
    before: `${OURS}; rm -r pgdata; echo transcript-pipeline/dev >volume.identity`,
    args: ["restore"],
    says: /belongs to transcript-pipeline\/dev/,
  },
  {
    name: "a marker that root has copied back, which the server could not read",
    before: `${OURS}; chown 0:0 volume.identity`,
    says: /pgdata\/volume\.identity belongs to uid 0, and the server is uid 999\. Give it all to the server \('chown -R 999:999 \/mnt\/raid\/pgdata' on the node\)/,
  },
  {
    name: "a database that root has copied back, which the server could not read",
    before: `${OURS}; chown -R 0:0 pgdata; chmod 700 pgdata`,
    says: /pgdata\/pgdata belongs to uid 0, and the server is uid 999.*chown -R 999:999 \/mnt\/raid\/pgdata/,
  },
  {
    name: "a database whose files root has copied back",
    before: `${OURS}; chown 0:0 pgdata/PG_VERSION`,
    says: /pgdata\/pgdata\/PG_VERSION belongs to uid 0/,
  },
  {
    name: "files without a marker, for a repository",
    before: `${EMPTY}; mkdir repository`,
    facts: NAS,
    says: /holds files but no marker says whose\. If it holds the backups of transcript-pipeline\/prod\.backup-nas, in \/mnt\/raid\/pgdata\/repository: npm run render -- --stack prod; copy rendered\/prod\/prepare-backup-nas\.sh to the node; there: sudo sh prepare-backup-nas\.sh adopt/,
  },
  {
    name: "the data's own directory, for a repository",
    before: OURS,
    facts: NAS,
    says: /belongs to transcript-pipeline\/prod, and this deployment is transcript-pipeline\/prod\.backup-nas\. Choose another directory: pulumi config set --path backup\.repositories\.nas\.path <path>/,
  },
  {
    name: "another repository's directory",
    before: `${BACKUPS}; echo ${IDENTITY}.backup-cloud >volume.identity`,
    facts: NAS,
    says: /belongs to transcript-pipeline\/prod\.backup-cloud/,
  },
  {
    name: "a repository's directory, for the data",
    before: BACKUPS,
    says: /belongs to transcript-pipeline\/prod\.backup-nas, and .*--path storage\.path/,
  },
  {
    name: "a share that is not mounted, for a repository",
    before: EMPTY,
    facts: { ...NAS, mount: "/mnt/raid" },
    says: /\/mnt\/raid is not mounted, so \/mnt\/raid\/pgdata would be on another disk/,
  },
  {
    name: "a disk that is too small for a repository",
    before: EMPTY,
    facts: { ...NAS, capacity: "1Gi" },
    says: /less than the capacity of 1073741824 bytes\..*--path backup\.repositories\.nas\.capacity/,
  },
  {
    name: "a permission for a new database, for a repository",
    before: BACKUPS,
    facts: NAS,
    args: ["new-database"],
    says: /'new-database' is not a task of this script\. Allowed: none or adopt/,
  },
  {
    name: "the adoption of what is no repository",
    before: `${EMPTY}; echo >letters.txt`,
    facts: NAS,
    args: ["adopt"],
    says: /\/mnt\/raid\/pgdata\/repository is not a directory with backups/,
  },
  {
    name: "backups that root has copied back, which the server could not read",
    before: `${BACKUPS}; chown 0:0 repository`,
    facts: NAS,
    says: /pgdata\/repository belongs to uid 0, and the server is uid 999/,
  },
  {
    name: "a share that takes root for another user",
    before: `${EMPTY}; ${NOT_ROOTS}`,
    environment: NOT_ROOTS_FIRST,
    facts: NAS,
    says: /root cannot change the owner of \/mnt\/raid\/pgdata, .*root_squash.*docs\/backup-directories\.md/,
  },
  {
    name: "a share with one owner for all files, for the data",
    before: `${THEIRS}; ${NOT_ROOTS}`,
    environment: NOT_ROOTS_FIRST,
    says: /root cannot change the owner of \/mnt\/raid\/pgdata/,
  },
  {
    name: "a task that there is not",
    before: OURS,
    args: ["--help"],
    says: /'--help' is not a task of this script\. Allowed: none, adopt, new-database or restore/,
  },
];

const accepted: (Situation & { says: RegExp; after: string; shows: RegExp })[] = [
  {
    name: "a directory that is not there, with its parents",
    before: ":",
    says: /is ready, new, for one new database: transcript-pipeline\/prod/,
    after:
      "stat -c '%n %u:%g %a' $R/mnt/raid $R/mnt/raid/pgdata $R/mnt/raid/pgdata/*; cat $R/mnt/raid/pgdata/v*",
    shows:
      /raid 0:0 755\n\S+pgdata 999:999 700\n\S+initialize\.once 999:999 600\n\S+volume\.identity 999:999 600\ntranscript-pipeline\/prod$/,
  },
  {
    name: "an empty directory of root's",
    before: EMPTY,
    says: /is ready, new/,
    after: "stat -c '%u:%g %a' .; ls",
    shows: /999:999 700\ninitialize\.once\nvolume\.identity/,
  },
  {
    name: "an empty directory of the server's",
    before: THEIRS,
    says: /is ready, new/,
    after: "ls",
    shows: /once/,
  },
  {
    name: "an empty directory of root's, for a repository: without a permission for a database",
    before: EMPTY,
    facts: NAS,
    says: /is ready, new, for backups: transcript-pipeline\/prod\.backup-nas/,
    after: "stat -c '%u:%g %a' . *; ls; cat volume.identity",
    shows: /^999:999 700\n999:999 600\nvolume\.identity\ntranscript-pipeline\/prod\.backup-nas$/,
  },
  {
    name: "a repository with backups, as on a share that another node has written",
    before: `${BACKUPS}; echo >repository/kept`,
    facts: NAS,
    says: /is ready, with what is there: transcript-pipeline\/prod\.backup-nas/,
    after: "ls . repository",
    shows: /^\.:\nrepository\nvolume\.identity\n\nrepository:\nkept$/,
  },
  {
    name: "a share on which every file is the server's, for a repository",
    before: `${THEIRS}; ${NOT_ROOTS}`,
    environment: NOT_ROOTS_FIRST,
    facts: NAS,
    says: /is ready, new, for backups/,
    after: "stat -c '%n %u:%g %a' . *",
    shows: /^\. 999:999 700\nvolume\.identity 999:999 600$/,
  },
  {
    name: "backups without a marker, to adopt",
    before: `${BACKUPS}; rm volume.identity`,
    facts: NAS,
    args: ["adopt"],
    says: /is ready, with the repository that is there/,
    after: "ls; cat volume.identity",
    shows: /^repository\nvolume\.identity\ntranscript-pipeline\/prod\.backup-nas$/,
  },
  {
    name: "a directory in which it was interrupted",
    before: `${EMPTY}; : >initialize.once; echo transcript- >volume.identity.new; chmod 600 *`,
    says: /is ready, new/,
    after: "ls; cat volume.identity",
    shows: /^initialize\.once\nvolume\.identity\ntranscript-pipeline\/prod$/,
  },
  {
    name: "this deployment's directory, with its database, and without a permission for another",
    before: OURS,
    says: /is ready, with what is there/,
    after: "ls; stat -c '%u:%g %a' .",
    shows: /^pgdata\nvolume\.identity\n999:999 700$/,
  },
  {
    name: "this deployment's directory, copied back by root",
    before: `${OURS}; chown 0:0 .; chmod 755 .`,
    says: /is ready, with what is there/,
    after: "stat -c '%u:%g %a' .",
    shows: /^999:999 700$/,
  },
  {
    name: "a mount point itself, as mkfs leaves it",
    before: "mkdir $R/mnt/raid; mount -t tmpfs -o mode=755 raid $R/mnt/raid; mkdir $R/mnt/raid/lost+found",
    facts: { path: "/mnt/raid", mount: "/mnt/raid" },
    says: /\/mnt\/raid is ready, new/,
    after: "stat -c '%u' $R/mnt/raid $R/mnt/raid/lost+found",
    shows: /^999\n0$/,
  },
  {
    name: "a directory below a mount with a point in its name",
    before: "mkdir $R/mnt/raid.10; mount -t tmpfs -o mode=755 raid $R/mnt/raid.10",
    facts: { path: "/mnt/raid.10/a/pgdata", mount: "/mnt/raid.10" },
    says: /is ready, new/,
    after: "ls $R/mnt/raid.10/a/pgdata",
    shows: /volume\.identity/,
  },
  {
    name: "a mount over an older one",
    before:
      "mkdir $R/mnt/raid; mount -t tmpfs -o mode=755 old $R/mnt/raid; mount -t tmpfs -o mode=755 raid $R/mnt/raid",
    facts: { mount: "/mnt/raid" },
    says: /is ready, new/,
    after: "umount $R/mnt/raid; ls $R/mnt/raid",
    shows: /^$/,
  },
  {
    name: "a directory of root's in a directory of all, such as /tmp",
    before: "mkdir -m 1777 $R/mnt/raid; mkdir -m 700 $R/mnt/raid/mine",
    facts: { path: "/mnt/raid/mine/pgdata" },
    says: /is ready, new/,
    after: "ls $R/mnt/raid/mine/pgdata",
    shows: /volume\.identity/,
  },
  {
    name: "a directory in the home of the user behind sudo, whose group is a group of one",
    before: "mkdir -p $R/home/anna/state; chown -R 1000:1000 $R/home/anna; chmod 775 $R/home/anna/state",
    facts: { path: "/home/anna/state/pgdata" },
    environment: { SUDO_UID: "1000" },
    says: /is ready, new/,
    after: "ls $R/home/anna/state/pgdata",
    shows: /volume\.identity/,
  },
  {
    name: "a parent whose group keeps its files together",
    before: `${EMPTY}; cd ..; rmdir pgdata; chmod 2755 .`,
    says: /is ready, new/,
    after: "stat -c '%u:%g %a' $R/mnt/raid/pgdata",
    shows: /^999:999 700$/,
  },
  {
    name: "a permission that is another name of root's file, without touching that file",
    before: `${THEIRS}; echo kept >$R/mnt/root-file; chmod 600 $R/mnt/root-file; ln $R/mnt/root-file initialize.once`,
    says: /is ready, new/,
    after: "cat $R/mnt/root-file; stat -c '%u %a %h' $R/mnt/root-file; stat -c '%u %s' initialize.once",
    shows: /^kept\n0 600 1\n999 0$/,
  },
  {
    name: "a database without a marker, to adopt, without a permission for another",
    before: `${OURS}; rm volume.identity; : >initialize.once`,
    args: ["adopt"],
    says: /is ready, with the database that is there/,
    after: "ls; cat volume.identity; stat -c '%u %a' volume.identity",
    shows: /^pgdata\nvolume\.identity\ntranscript-pipeline\/prod\n999 600$/,
  },
  {
    name: "a new database, once, where the old one was moved away",
    before: `${OURS}; mv pgdata $R/mnt/elsewhere`,
    args: ["new-database"],
    says: /is ready, for one new database/,
    after: "stat -c '%n %u %a %s' initialize.once",
    shows: /^initialize\.once 999 600 0$/,
  },
  {
    name: "a restore, once, where the database was moved away",
    before: `${OURS}; mv pgdata $R/mnt/elsewhere`,
    args: ["restore"],
    says: /is ready, for one restore: pulumi config set --path backup\.restoreFrom/,
    after: "stat -c '%n %u %a' initialize.once; cat initialize.once",
    shows: /^initialize\.once 999 600\nrestore$/,
  },
  {
    name: "a restore into a directory that is new",
    before: ":",
    args: ["restore"],
    says: /is ready, for one restore/,
    after: "cat $R/mnt/raid/pgdata/initialize.once $R/mnt/raid/pgdata/volume.identity",
    shows: /^restoretranscript-pipeline\/prod$/,
  },
];

for (const flavour of Object.keys(flavours) as Flavour[]) {
  describe(`the preparation of a directory, with ${flavour}`, function () {
    this.timeout(120_000);
    let node: NodeRoot;
    before(function () {
      const obstacle = obstacleTo(flavour);
      if (obstacle !== undefined) {
        skip(this, obstacle);
      }
      node = new NodeRoot(flavour);
    });
    after(() => node?.remove());

    // A second shell on the same tools would refuse with the same words.
    for (const { name, facts = {}, says, ...situation } of flavour.startsWith("bash")
      ? []
      : refused.filter((situation) => isSeenBy(flavour, situation))) {
      it(`refuses ${name}, and changes nothing`, () => {
        const ran = node.run(scriptFor(facts), situation);
        assert.equal(ran.status, 1, ran.output);
        assert.match(ran.output, says);
        assert.match(ran.output, /^storage on \S+: [^\n]*\n$/);
        assert.ok(!ran.output.includes("NotForAnybodysEyes"), ran.output);
        assert.ok(ran.untouched, "something was changed");
      });
    }

    for (const { name, facts = {}, says, shows, ...situation } of accepted.filter((situation) =>
      isSeenBy(flavour, situation),
    )) {
      it(`takes ${name}`, () => {
        const ran = node.run(scriptFor(facts), situation);
        assert.equal(ran.status, 0, ran.output);
        assert.match(ran.output, says);
        assert.match(ran.seen, shows);
      });
    }

    it("refuses every directory of the system, as the configuration does", () => {
      const paths = [
        ...SYSTEM_DIRECTORIES,
        "/etc/pgdata",
        "/usr/lib/pgdata",
        "/dev/shm/pgdata",
        "/usr/local/lib/x",
      ];
      const scripts = paths.map((path) => `(${scriptFor({ path })}\n) && echo accepted ${path}`);
      const { output } = node.run(`${scripts.join("\n")}\ntrue`);
      const refusals = output.trim().split("\n");
      assert.equal(refusals.length, paths.length, output);
      for (const [index, path] of paths.entries()) {
        assert.ok(refusals[index]?.includes(`: ${path} belongs to the operating system`), refusals[index]);
        assert.match(objectionToDirectory(path, true) ?? "", /belongs to the operating system/, path);
      }
      const fit = ["/data", "/mnt/raid", "/srv/db", "/var/lib/db", "/usr/local/db", "/root/db"];
      for (const path of fit) {
        assert.equal(objectionToDirectory(path, false), undefined, path);
        const ran = node.run(scriptFor({ path }), { after: `rm -r $R${path}` });
        assert.match(ran.output, /is ready, new/, path);
      }
    });

    // The kernel's word, and a chcon of the test's own: no policy is loaded here.
    it("labels the directory for containers where SELinux is enforcing, once", () => {
      const chcon = "/bin/chcon";
      try {
        node.place("sys/fs/selinux/enforce", "1");
        const refused = node.run(scriptFor(), { before: EMPTY });
        assert.equal(refused.status, 1, refused.output);
        assert.match(
          refused.output,
          /SELinux is enforcing, and \S+ cannot be labelled .*'chcon -R -t container_file_t \/mnt\/raid\/pgdata'/,
        );

        node.place(chcon, `#!/bin/sh\necho "chcon $*"\n`);
        assert.match(
          node.run(scriptFor(), { before: EMPTY }).output,
          /^chcon -R -t container_file_t \.\n\S+ is ready/,
        );
        node.place("sys/fs/selinux/enforce", "0");
        assert.match(node.run(scriptFor(), { before: EMPTY }).output, /^\S+ is ready/);
      } finally {
        node.place("sys/fs/selinux/enforce", undefined);
        node.place(chcon, undefined);
      }
    });

    it("is moved by the commands in docs/moving.md for the node", () => {
      const [runbook] = allRunbooks().filter(({ name }) => name === "move-path");
      const lines = (runbook?.blocks ?? []).join("\n").split("\n");
      const typed = lines.filter((line) => line !== "" && !/^(kubectl|pulumi|npm) /.test(line));
      assert.equal(typed.length, 4);
      const moved = node.run(`set -e; OLD=/mnt/raid/pgdata NEW=/mnt/other/pgdata\n${typed.join("\n")}\n`, {
        before: `${OURS}; chmod 700 .; touch -d 2020-01-01 pgdata/PG_VERSION; ln -s PG_VERSION pgdata/link`,
        after: `cat $R/mnt/raid/pgdata/volume.identity; cd $R/mnt/other/pgdata
          stat -c '%n %u:%g %a %Y' . volume.identity pgdata pgdata/PG_VERSION | sed 's/ [0-9]*$//;2q'; readlink pgdata/link
          stat -c '%U %Y' pgdata/PG_VERSION; ls $R/mnt/raid/pgdata`,
      });
      assert.equal(moved.status, 0, moved.output);
      assert.match(
        moved.seen,
        /^transcript-pipeline\/prod, moved to \/mnt\/other\/pgdata\n\. 999:999 700\nvolume\.identity 999:999 600\nPG_VERSION\n\S+ 1577836800\npgdata\.moved\nvolume\.identity$/,
      );
      const again = node.run(scriptFor({ path: "/mnt/raid/pgdata" }), {
        before: `${OURS}; printf '%s\\n' "$(cat volume.identity), moved to /mnt/other/pgdata" >volume.identity`,
      });
      assert.match(again.output, /belongs to transcript-pipeline\/prod, moved to \/mnt\/other\/pgdata/);
    });

    it("is inspected on a full disk by the commands in docs/full-disk.md", () => {
      const [runbook] = allRunbooks().filter(({ name }) => name === "look-at-disk");
      const ran = node.run(`DIRECTORY=${PATH}\n${runbook?.blocks.join("\n")}`, {
        before: `${OURS}; mkdir pgdata/pg_wal; head -c 300000 /dev/zero >pgdata/pg_wal/1; mkdir pgdata/base`,
      });
      assert.equal(ran.status, 0, ran.output);
      assert.match(
        ran.output,
        /\d+\s+\S*\/pgdata\/pgdata\/base\n[^]*\/pgdata\/pg_wal\n[^]*\/mnt\/raid\/pgdata\n$/,
      );
    });

    it("refuses a path that climbs or that a shell would split", () => {
      for (const path of [
        "/mnt/raid/../../etc",
        "/mnt/./raid",
        "/mnt//raid",
        "/mnt/raid/a b",
        "mnt/raid",
        "/mnt/$(id)",
      ])
        assert.match(node.run(scriptFor({ path })).output, /is not an absolute path of letters/, path);
    });

    it("shows and changes nothing of root's while the directory's owner exchanges what is in it", () => {
      const before = `${THEIRS}; ${HIDDEN}
        chroot --userspec=999:999 $R /bin/sh -c 'cd ${PATH}; exec 2>/dev/null
          while :; do printf ${IDENTITY} >volume.identity; rm -f volume.identity; ln -s /home/shadow volume.identity
          ln -s /home/shadow initialize.once; ls; ls; rm -f volume.identity initialize.once; done' >/dev/null & attacker=$!`;
      const script = scriptFor();
      const twenty = Array.from({ length: 20 }, () => `(${script}\n)`).join("\n");
      const ran = node.run(twenty, {
        before,
        after: "kill $attacker; wait $attacker || true; stat -c '%u %a' $R/home/shadow; cat $R/home/shadow",
      });
      assert.ok(!ran.output.includes("NotForAnybodysEyes"), ran.output);
      // Otherwise nothing was exchanged while it ran.
      assert.match(ran.output, /is a symbolic link/);
      assert.equal(ran.seen, `0 600\n${SECRET}`);
    });
  });
}
