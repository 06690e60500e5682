import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Handover, SEGMENT } from "./handover-run.ts";

/** As pgBackRest 2.55 words it. */
const MISSING_STANZA =
  "P00  ERROR: [103]: unable to find a valid repository:\n  repo1: [FileMissingError] unable to load info file '/x/archive.info'";
const AWAY = "P00  ERROR: [049]: unable to connect to 's3.example:443': [111] Connection refused";

describe("the handover between the server and the backup agent", function () {
  this.timeout(60_000);
  let at: Handover;
  afterEach(() => {
    at.remove();
  });
  const push = (seconds: number, segment = SEGMENT) =>
    at.run("pgbackrest-wal.sh", ["push", segment, String(seconds)]);
  const get = (segment: string) => at.run("pgbackrest-wal.sh", ["get", segment, "pg_wal/RECOVERYXLOG"]);
  const restoring = (...args: string[]) =>
    at.begin("restore-database.sh", args, { DIRECTORY: `${at.pgdata}.initializing` });

  describe("archiving a segment", () => {
    it("waits for the agent, succeeds, and leaves nothing behind", async () => {
      at = new Handover();
      await at.agent();
      assert.deepEqual(await push(10), { status: 0, stdout: "", stderr: "" });
      assert.match(at.calls().join("\n"), new RegExp(`archive-push ${at.pgdata}/pg_wal/${SEGMENT}$`));
      assert.deepEqual(
        at.files().filter((name) => name.startsWith("push.")),
        [],
      );
    });

    it("fails within its seconds when there is no agent, and says which pod to look at", async () => {
      at = new Handover();
      const began = Date.now();
      const { status, stderr } = await push(2);
      assert.equal(status, 1);
      assert.ok(Date.now() - began < 5000);
      assert.match(
        stderr,
        /is not archived after 2 s; it stays on the disk.*agent does not answer: kubectl .*postgres-backup-0/,
      );
      assert.deepEqual(at.files(), []);
    });

    it("says so when the agent cannot be asked, as on a full disk", async () => {
      at = new Handover();
      writeFileSync(at.handover, "no directory");
      const { status, stderr } = await push(30);
      assert.equal(status, 1);
      assert.match(stderr, /cannot be asked: nothing can be written to/);
    });

    it("does not take the answer to an earlier request for its own", async () => {
      at = new Handover();
      const begun = at.begin("pgbackrest-wal.sh", ["push", SEGMENT, "3"]);
      const ended = at.ended(begun);
      await at.until(() => at.file(`push.${SEGMENT}.wanted`) !== undefined);
      writeFileSync(join(at.handover, `push.${SEGMENT}.done`), "another word\n");
      assert.equal((await ended).status, 1);
    });

    it("repeats the agent's words about a repository that fails, with what to do", async () => {
      at = new Handover();
      at.pgbackrest(
        `echo "P00  ERROR: [039]: HTTP request failed with 403: <Code>SignatureDoesNotMatch</Code>"; exit 39`,
      );
      await at.agent();
      const { status, stderr } = await push(3);
      assert.equal(status, 1);
      assert.match(
        stderr,
        /SignatureDoesNotMatch.* The store refuses these keys, or they have no right to the bucket: pulumi config set --secret --path secrets\.repositories/,
      );
    });

    it("goes on trying through a short fault, whose words are said once", async () => {
      at = new Handover();
      at.pgbackrest(`[ -e ${at.folder}/back ] || { echo "${AWAY}"; exit 49; }`);
      await at.agent();
      const pushed = push(20);
      await at.until(() => at.calls("archive-push").length >= 2);
      writeFileSync(join(at.folder, "back"), "");
      assert.equal((await pushed).status, 0);
      assert.equal(at.said.split("Connection refused").length, 2, at.said);
    });

    it("makes the place in a repository that is new, and archives into it at once", async () => {
      at = new Handover();
      at.pgbackrest(
        `case $command in stanza-create) touch ${at.folder}/made ;; archive-push) [ -e ${at.folder}/made ] || { echo "${MISSING_STANZA}"; exit 103; } ;; esac`,
      );
      await at.agent();
      assert.equal((await push(10)).status, 0);
      assert.equal(at.calls("stanza-create").length, 1);
    });

    it("reaches pgBackRest, which archives elsewhere and drops WAL, although a repository without its place is away", async () => {
      at = new Handover("1:cloud:volume 2:rack:volume");
      at.pgbackrest(
        `[ $command = stanza-create ] && { echo "${AWAY}"; exit 49; }\necho "P00   WARN: dropped WAL file '${SEGMENT}' because archive queue exceeded 1GB"`,
      );
      await at.agent();
      assert.equal((await push(10)).status, 0);
      assert.match(at.said, /WAL IS MISSING FROM THE ARCHIVE.*npm run backup -- --stack prod now/);
      await push(10);
      assert.equal(at.said.split("WAL IS MISSING").length, 2, "it is said twice");
      at.pgbackrest("exit 0");
      await push(10);
      at.pgbackrest(`echo "P00   WARN: dropped WAL file"`);
      await push(10);
      assert.equal(at.said.split("WAL IS MISSING").length, 3, "the second gap is not said");
    });

    describe("with two repositories, one of which is away", () => {
      const LATER = [2, 3, 4].map((n) => SEGMENT.replace(/1$/, String(n)));
      /** What waits on the server's disk. */
      const waiting = (...names: string[]) => {
        mkdirSync(join(at.pgdata, "pg_wal/archive_status"), { recursive: true });
        for (const name of names) {
          writeFileSync(join(at.pgdata, "pg_wal", name), name);
          writeFileSync(join(at.pgdata, "pg_wal/archive_status", `${name}.ready`), "");
        }
      };
      /** Fails while it knows repository 2, and takes a file where it knows 1 alone; notes its configuration. */
      const oneAway = () => {
        for (const number of [1, 2])
          writeFileSync(
            join(at.folder, `secrets/repo${number}-passphrase.conf`),
            `[global]\nrepo${number}-cipher-pass=p${number}\n`,
          );
        writeFileSync(
          join(at.folder, "conf/pgbackrest.conf"),
          "[global]\nrepo1-path=/one\nrepo2-path=/two\nprocess-max=2\n\n[main]\npg1-path=/data\n",
        );
        at.pgbackrest(
          `[ "$command" = archive-push ] || exit 0
          echo "$(cat "$PGBACKREST_CONFIG" "$PGBACKREST_CONFIG_INCLUDE_PATH"/*.conf | grep -oE '^(repo|pg)[0-9]-[a-z-]+' | sort -u | paste -sd,) \${words##*/}" >>${at.folder}/known
          [ ! -e ${at.folder}/away ] || ! grep -qs repo2 "$PGBACKREST_CONFIG" || { echo "${AWAY}"; exit 49; }`,
        );
      };
      const known = (repositories: string) =>
        readFileSync(join(at.folder, "known"), "utf8")
          .split("\n")
          .filter((line) => line.startsWith(`${repositories} `))
          .map((line) => line.split(" ")[1]);
      const ALONE = "pg1-path,repo1-cipher-pass,repo1-path";

      it("the other gets all WAL that waits, once, and what it was asked for still fails", async () => {
        at = new Handover("1:near:volume 2:far:volume");
        oneAway();
        writeFileSync(join(at.folder, "away"), "");
        waiting(SEGMENT, ...LATER);
        await at.agent();
        const { status, stderr } = await push(3);
        assert.equal(status, 1);
        assert.match(stderr, /Connection refused/);
        assert.deepEqual(known(ALONE), [SEGMENT, ...LATER]);
        const later = SEGMENT.replace(/1$/, "5");
        waiting(later);
        assert.equal((await push(3)).status, 1);
        assert.deepEqual(known(ALONE), [SEGMENT, ...LATER, later]);
        for (const call of at.calls("archive-push"))
          if (call.includes("queue-max")) assert.match(call, /--archive-push-queue-max=4PiB/);
      });

      it("the one that is back gets everything, in the order of PostgreSQL's requests", async () => {
        at = new Handover("1:near:volume 2:far:volume");
        oneAway();
        writeFileSync(join(at.folder, "away"), "");
        waiting(SEGMENT, ...LATER);
        await at.agent();
        await push(2);
        rmSync(join(at.folder, "away"));
        for (const segment of [SEGMENT, ...LATER]) assert.equal((await push(5, segment)).status, 0);
        const both = "pg1-path,repo1-cipher-pass,repo1-path,repo2-cipher-pass,repo2-path";
        assert.deepEqual(known(both).slice(-4), [SEGMENT, ...LATER]);
      });

      it("the place in the other is made, where the one that is away kept it from being made", async () => {
        at = new Handover("1:far:volume 2:near:volume");
        oneAway();
        const missing =
          "P00  ERROR: [103]: unable to find a valid repository:\n  repo2: [FileMissingError] unable to load info file '/x/archive/main/archive.info'";
        at.pgbackrest(
          `grep -qs repo1 "$PGBACKREST_CONFIG" && { echo "${AWAY}"; exit 49; }
          case $command in
            stanza-create) touch ${at.folder}/made ;;
            archive-push) [ -e ${at.folder}/made ] || { echo "${missing}"; exit 103; }; echo "\${words##*/}" >>${at.folder}/known ;;
          esac`,
        );
        waiting(SEGMENT, ...LATER);
        await at.agent();
        assert.equal((await push(3)).status, 1);
        assert.deepEqual(readFileSync(join(at.folder, "known"), "utf8").trim().split("\n"), [
          SEGMENT,
          ...LATER,
        ]);
      });

      it("nothing that is not the name of WAL is sent", async () => {
        at = new Handover("1:near:volume 2:far:volume");
        oneAway();
        writeFileSync(join(at.folder, "away"), "");
        waiting(SEGMENT, "--repo", `$(touch ran)`);
        await at.agent();
        await push(2);
        assert.deepEqual(known(ALONE), [SEGMENT]);
      });

      it("with one repository, nothing is sent ahead", async () => {
        at = new Handover("1:cloud:volume");
        at.pgbackrest(`[ "$command" != archive-push ] || { echo "${AWAY}"; exit 49; }`);
        waiting(SEGMENT, ...LATER);
        await at.agent();
        await push(2);
        assert.ok(!at.calls("archive-push").some((call) => LATER.some((segment) => call.includes(segment))));
      });
    });

    it("does a request once, however long nobody reads its answer", async () => {
      at = new Handover();
      await at.agent();
      at.ask(`push.${SEGMENT}`, "word");
      await at.until(() => at.file(`push.${SEGMENT}.done`) === "word");
      await pause(1500);
      assert.equal(at.calls("archive-push").length, 1);
    });

    it("forgets what a server that was killed has asked for", async () => {
      at = new Handover();
      at.pgbackrest(`case $words in *9) echo "${AWAY}"; exit 49 ;; esac`);
      at.ask("push.000000010000000000000009", "word");
      await at.agent();
      await at.until(() => at.file("push.000000010000000000000009.error") !== undefined);
      assert.equal((await push(10)).status, 0);
      assert.deepEqual(
        at.files().filter((name) => name.startsWith("push.")),
        [],
      );
    });

    it("archives the names that PostgreSQL gives, and gives pgBackRest no other", async () => {
      at = new Handover();
      await at.agent();
      for (const name of [`${SEGMENT}.partial`, "00000002.history", `${SEGMENT}.00000028.backup`])
        assert.equal((await push(10, name)).status, 0, name);
      for (const name of ["--config=x", `${SEGMENT}.new`, "postgresql.conf"]) {
        const { status, stderr } = await push(2, name);
        assert.equal(status, 1, name);
        assert.match(stderr, /is not the name of a WAL file/);
      }
      assert.equal(at.calls("archive-push").length, 3);
    });
  });

  describe("an agent that cannot work", () => {
    it("says that its configuration or its Secret is missing, and works when they come", async () => {
      at = new Handover();
      rmSync(join(at.folder, "secrets/secrets.conf"));
      await at.agent();
      const { stderr } = await push(2);
      assert.match(stderr, /Secret postgres-backup is missing\. Deploy again: pulumi up/);
      assert.deepEqual(at.calls(), []);
      rmSync(join(at.folder, "conf/pgbackrest.conf"));
      assert.match((await push(3)).stderr, /ConfigMap postgres-backup-config is missing/);
      writeFileSync(join(at.folder, "secrets/secrets.conf"), "[global]\n");
      writeFileSync(join(at.folder, "conf/pgbackrest.conf"), "[global]\n");
      assert.equal((await push(10)).status, 0);
    });

    it("keeps pgBackRest out of a directory that is not mounted, and archives into the other repository", async () => {
      at = new Handover("1:cloud:volume 2:nas:directory");
      mkdirSync(join(at.folder, "repository/nas"));
      at.pgbackrest(
        "case $words in *--repo2-path=/dev/null/none*) echo 'P00  ERROR: [104]: repo2: [FileOpenError] unable to open'; exit 104 ;; esac",
      );
      await at.agent();
      const { status, stderr } = await push(3);
      assert.equal(status, 1);
      assert.match(
        stderr,
        /repository nas: .*has no marker volume\.identity, so the disk or share is not mounted/,
      );
      assert.ok(at.calls("archive-push").length > 0);
      for (const call of at.calls()) assert.match(call, /--repo2-path=\/dev\/null\/none/);
      assert.ok(!at.calls().some((call) => call.includes("--repo1-path")));
      writeFileSync(
        join(at.folder, "repository/nas/volume.identity"),
        "transcript-pipeline/other.backup-nas\n",
      );
      assert.match((await push(3)).stderr, /belongs to transcript-pipeline\/other\.backup-nas/);
      writeFileSync(
        join(at.folder, "repository/nas/volume.identity"),
        "transcript-pipeline/prod.backup-nas\n",
      );
      assert.equal((await push(10)).status, 0);
    });

    it("gives signs of life during what takes long, and none once it is gone", async () => {
      at = new Handover();
      at.pgbackrest("sleep 8");
      const agent = await at.agent();
      at.ask(`push.${SEGMENT}`, "word");
      await at.until(() => at.calls().length > 0);
      at.forgetHeartbeat();
      await at.until(() => statSync(at.heartbeat).mtimeMs > 1000, 4);
      // Only the agent itself, as when the kernel takes its memory.
      agent.kill("SIGKILL");
      await pause(500);
      at.forgetHeartbeat();
      await pause(2500);
      assert.equal(statSync(at.heartbeat).mtimeMs, 1000);
    });
  });

  describe("fetching WAL", () => {
    it("brings a segment to where the server wants it", async () => {
      at = new Handover();
      at.pgbackrest('[ $command != archive-get ] || echo segment >"${@: -1}"');
      await at.agent();
      assert.equal((await get(SEGMENT)).status, 0);
      assert.equal(readFileSync(join(at.pgdata, "pg_wal/RECOVERYXLOG"), "utf8"), "segment\n");
      assert.deepEqual(at.files(), []);
    });

    it("says that there is no such segment when no repository has it", async () => {
      at = new Handover();
      at.pgbackrest("exit 1");
      await at.agent();
      assert.equal((await get(SEGMENT)).status, 1);
    });

    it("says so when one repository has no archive at all", async () => {
      at = new Handover("1:cloud:volume 2:new:volume");
      at.pgbackrest(
        "echo \"P00   WARN: repo2: [FileMissingError] unable to load info file '/a/archive.info'\"; exit 1",
      );
      await at.agent();
      assert.equal((await get(SEGMENT)).status, 1);
    });

    for (const [what, words, status] of [
      ["no repository answers", AWAY, 49],
      [
        "one does not have it and the other does not answer",
        "P00   WARN: repo1: [HostConnectError] unable to connect",
        1,
      ],
      [
        "one does not have it and the other cannot be read",
        "P00   WARN: repo1: [CryptoError] unable to flush",
        1,
      ],
    ] as const) {
      it(`waits as long as ${what}: the recovery would end before its time`, async () => {
        at = new Handover("1:cloud:volume 2:rack:volume");
        at.pgbackrest(`[ -e ${at.folder}/back ] && exit 1; echo "${words}"; exit ${status}`);
        await at.agent();
        const got = get(SEGMENT);
        await at.until(() => at.calls("archive-get").length >= 2);
        assert.equal(at.file(`get.${SEGMENT}.missing`), undefined);
        writeFileSync(join(at.folder, "back"), "");
        assert.equal((await got).status, 1);
      });
    }
  });

  describe("restoring", () => {
    /** Writes a database as pgBackRest does: its manifest is there until it is done. */
    const RESTORE = (folder: string, last: string) => `
      [ "$command" = restore ] || exit 0
      for word; do case $word in --pg1-path=*) to=\${word#*=} ;; esac; done
      touch $to/backup.manifest; echo 16 >$to/PG_VERSION
      printf '%s\\n' "work_mem = '1GB'" '# Recovery settings generated by pgBackRest restore' "restore_command = 'x'" >$to/postgresql.auto.conf
      ${last}
      rm $to/backup.manifest; touch ${folder}/restored-once`;

    it("fills the directory once, and tells the server how to recover", async () => {
      at = new Handover();
      at.pgbackrest(RESTORE(at.folder, ""));
      await at.agent();
      const { status, stderr } = await at.ended(restoring("1"));
      assert.equal(status, 0, stderr);
      const directory = `${at.pgdata}.initializing`;
      assert.equal(readFileSync(join(directory, "postgresql.auto.conf"), "utf8"), "work_mem = '1GB'\n");
      const options = readFileSync(join(directory, "recovery.options"), "utf8").split("\n");
      assert.match(options[0] ?? "", /^restore_command=bash .*\/pgbackrest-wal\.sh get %f %p$/);
      assert.deepEqual(options.slice(1), ["hot_standby=off", "recovery_target_timeline=latest", ""]);
      assert.ok(!existsSync(join(directory, "restored")));
      assert.equal(at.calls(" restore").length, 1);
    });

    it("says what the image lacks of what the backup's database has, and brings the database back all the same", async () => {
      at = new Handover();
      const extension = join(at.folder, "share/extension");
      mkdirSync(extension, { recursive: true });
      for (const [name, version] of Object.entries({ vector: "0.7.4", pg_trgm: "1.6", newer: "1.10" }))
        writeFileSync(join(extension, `${name}.control`), `comment = 'x'\ndefault_version = '${version}'\n`);
      const held = "other:postgis=3.4.2;transcripts_db:newer=1.9,pg_trgm=1.6,vector=0.8.0,%2e%2e%2fx=1,..=1";
      at.pgbackrest(
        `if [ "$command" = info ]; then printf '%s\\n' '    database list: x' '     annotation(s)' '       extensions: ${held}' '       image: pgvector/pgvector:0.8.0-pg16'; exit 0; fi\n` +
          RESTORE(
            at.folder,
            "echo 'P00   INFO: repo1: restore backup set 20261129-013000F_20261130-013000I, recovery will start at x'",
          ),
      );
      await at.agent();
      const { status, stderr } = await at.ended(
        at.begin("restore-database.sh", ["1"], {
          DIRECTORY: `${at.pgdata}.initializing`,
          SHARE: join(at.folder, "share"),
        }),
      );
      assert.equal(status, 0, stderr);
      assert.match(at.calls(" info")[0] ?? "", /--repo=1 --set=20261129-013000F_20261130-013000I info/);
      assert.match(
        stderr,
        /restore: THE IMAGE LACKS WHAT THE DATABASE NEEDS: extension postgis 3\.4\.2 of database other is not in it; database transcripts_db has vector 0\.8\.0, and it has vector 0\.7\.4\. What uses them fails\. The backup was made with pgvector\/pgvector:0\.8\.0-pg16: pulumi config set --path database\.image pgvector\/pgvector:0\.8\.0-pg16$/m,
      );
    });

    it("says nothing of extensions that the image has, nor of backups that say nothing", async () => {
      for (const held of ["extensions: transcripts_db:pg_trgm=1.6", "image: x"]) {
        at = new Handover();
        mkdirSync(join(at.folder, "share/extension"), { recursive: true });
        writeFileSync(join(at.folder, "share/extension/pg_trgm.control"), "default_version = '1.6'\n");
        at.pgbackrest(
          `if [ "$command" = info ]; then printf '%s\\n' ' annotation(s)' '   ${held}'; exit 0; fi\n` +
            RESTORE(
              at.folder,
              "echo 'P00   INFO: restore backup set 20261129-013000F, recovery will start at x'",
            ),
        );
        await at.agent();
        const { status, stderr } = await at.ended(
          at.begin("restore-database.sh", ["1"], {
            DIRECTORY: `${at.pgdata}.initializing`,
            SHARE: join(at.folder, "share"),
          }),
        );
        assert.equal(status, 0, stderr);
        assert.doesNotMatch(stderr, /LACKS/);
        at.remove();
      }
    });

    it("to a moment, given as one argument", async () => {
      at = new Handover();
      at.pgbackrest(RESTORE(at.folder, ""));
      await at.agent();
      assert.equal((await at.ended(restoring("1", "2026-11-28 14:30:00+01"))).status, 0);
      assert.match(
        at.calls(" restore")[0] ?? "",
        /--type=time --target=2026-11-28 14:30:00\+01 --target-action=promote/,
      );
      const options = readFileSync(`${at.pgdata}.initializing/recovery.options`, "utf8");
      assert.match(
        options,
        /^recovery_target_time=2026-11-28 14:30:00\+01\nrecovery_target_action=promote$/m,
      );
    });

    it("goes on where it was when the agent was killed", async () => {
      at = new Handover();
      at.pgbackrest(RESTORE(at.folder, "sleep 30"));
      const agent = await at.agent();
      const ended = at.ended(restoring("1"));
      await at.until(() => existsSync(`${at.pgdata}.initializing/backup.manifest`));
      at.kill(agent);
      at.pgbackrest(RESTORE(at.folder, ""));
      await at.agent();
      assert.equal((await ended).status, 0);
      assert.deepEqual(
        at.calls(" restore").map((call) => call.includes("--delta")),
        [false, true],
      );
    });

    it("is not done again for a server that was restarted meanwhile, as its start took too long", async () => {
      at = new Handover();
      at.pgbackrest(RESTORE(at.folder, "sleep 2"));
      await at.agent();
      const first = restoring("1");
      await at.until(() => existsSync(`${at.pgdata}.initializing/backup.manifest`));
      at.kill(first);
      await at.until(() => at.file("restore.done") !== undefined);
      assert.equal((await at.ended(restoring("1"))).status, 0);
      assert.equal(at.calls(" restore").length, 1);
      assert.match(at.said, /it is restored already/);
    });

    it("is done again for another moment", async () => {
      at = new Handover();
      at.pgbackrest(RESTORE(at.folder, ""));
      await at.agent();
      at.ask("restore", "word", `${at.pgdata}.initializing`, "1");
      await at.until(() => at.file("restore.done") !== undefined);
      assert.equal((await at.ended(restoring("1", "2026-11-28 14:30:00Z"))).status, 0);
      assert.equal(at.calls(" restore").length, 2);
    });

    it("tries again when it fails, and says why", async () => {
      at = new Handover();
      at.pgbackrest(
        RESTORE(at.folder, `[ -e ${at.folder}/back ] || { echo '${AWAY.replaceAll("'", "")}'; exit 49; }`),
      );
      await at.agent();
      const ended = at.ended(restoring("1"));
      await at.until(() => at.file("restore.error") !== undefined);
      assert.match(at.file("restore.error") ?? "", /unable to connect/);
      writeFileSync(join(at.folder, "back"), "");
      assert.equal((await ended).status, 0);
    });

    it("ends with its server", async () => {
      at = new Handover();
      const begun = restoring("1");
      const ended = at.ended(begun);
      await at.until(() => at.file("restore.wanted") !== undefined);
      begun.kill("SIGTERM");
      assert.equal((await ended).status, 143);
    });

    it("never touches the data, the handover, or what is not on the volume", async () => {
      at = new Handover();
      writeFileSync(join(at.pgdata, "PG_VERSION"), "16\n");
      mkdirSync(join(at.folder, "outside"));
      writeFileSync(join(at.folder, "outside/file"), "");
      mkdirSync(join(at.volume, "other"));
      await at.agent();
      let word = 0;
      for (const directory of [
        ...[at.pgdata, `${at.pgdata}/base`, at.handover, `${at.volume}/backup`, at.volume, `${at.volume}/`],
        ...[
          `${at.folder}/outside`,
          `${at.volume}/../outside`,
          `${at.volume}/other/..`,
          `${at.volume}/./pgdata`,
        ],
        ...[`${at.volume}//pgdata`, "", "--delta"],
      ]) {
        rmSync(join(at.handover, "restore.error"), { force: true });
        at.ask("restore", `word-${++word}`, directory, "1");
        await at.until(() => at.file("restore.error") !== undefined);
        assert.match(
          at.file("restore.error") ?? "",
          /is in use|not a place for it|not a plain path/,
          directory,
        );
      }
      assert.deepEqual(at.calls(" restore"), []);
      for (const kept of [join(at.pgdata, "PG_VERSION"), join(at.folder, "outside/file")])
        assert.ok(existsSync(kept));
    });

    it("runs nothing that a request holds, whatever its repository is called", async () => {
      at = new Handover();
      await at.agent();
      for (const number of [`a[$(touch ${at.folder}/ran)]`, "7", "", "-1"]) {
        rmSync(join(at.handover, "restore.error"), { force: true });
        at.ask("restore", `word ${number}`, `${at.volume}/new`, number);
        await at.until(() => at.file("restore.error") !== undefined);
        assert.match(at.file("restore.error") ?? "", /there is no repository/);
      }
      assert.ok(!existsSync(join(at.folder, "ran")));
    });
  });

  describe("a base backup", () => {
    const backup = (wait: number) =>
      at.run("backup.sh", [], { TYPE: "full", WAIT: String(wait), IMAGE: "pgvector/pgvector:pg16" });

    it("is made in each repository, annotated with image and identity", async () => {
      at = new Handover("1:cloud:volume 2:rack:volume");
      const { status, stdout } = await backup(0);
      assert.equal(status, 0, stdout);
      const calls = at.calls(" backup");
      assert.deepEqual(
        calls.map((call) => /--repo=(\d)/.exec(call)?.[1]),
        ["1", "2"],
      );
      assert.match(
        calls[0] ?? "",
        /--type=full .*--annotation=image=pgvector\/pgvector:pg16 --annotation=identity=transcript-pipeline\/prod/,
      );
    });

    const DESCRIBED = "extensions=a%3db:pg_trgm=1.6;transcripts_db:vector=0.8.0";
    const describedBy = (...lines: string[]) => {
      mkdirSync(at.handover, { recursive: true });
      writeFileSync(join(at.handover, "description"), `${lines.join("\n")}\n`);
    };
    const annotations = () => (at.calls(" backup")[0] ?? "").match(/--annotation=\S+/g) ?? [];

    it("is annotated with what the server has written down, once that is whole", async () => {
      at = new Handover();
      describedBy(DESCRIBED);
      const ended = backup(5);
      await pause(700);
      assert.deepEqual(at.calls(" backup"), [], "it did not wait for the end");
      describedBy(DESCRIBED, "version=16.14", "settings=max_connections=100", "end");
      assert.equal((await ended).status, 0);
      assert.deepEqual(annotations().slice(2), [
        `--annotation=${DESCRIBED}`,
        "--annotation=version=16.14",
        "--annotation=settings=max_connections=100",
      ]);
    });

    it("is made without what the server has not said for long, and says so", async () => {
      at = new Handover();
      describedBy(DESCRIBED, "end");
      const old = Date.now() / 1000 - 3600;
      utimesSync(join(at.handover, "description"), old, old);
      const { status, stdout } = await backup(0);
      assert.equal(status, 0);
      assert.equal(annotations().length, 2);
      assert.match(stdout, /has not said which extensions it has in the last 10 minutes/);
    });

    it("takes nothing from the server's words that could mean something else to pgBackRest or to the shell", async () => {
      at = new Handover();
      describedBy(
        ...[`extensions=$(touch ${at.folder}/ran)`, "extensions=a b --repo=7", "other=1", "--repo=7"],
        ...[`version=16\`touch ${at.folder}/ran\``, `settings=${"x".repeat(20_000)}`, "version=16.14", "end"],
      );
      const { status, stdout } = await backup(0);
      assert.equal(status, 0, stdout);
      assert.deepEqual(annotations().slice(2), ["--annotation=version=16.14"]);
      assert.ok(!existsSync(join(at.folder, "ran")));
      assert.equal(stdout.match(/too long or not plain/g)?.length, 6, stdout);
    });

    it("is made in the others when one repository is away, and its last line says which and why", async () => {
      at = new Handover("1:cloud:volume 2:nas:directory 3:rack:volume");
      at.pgbackrest(
        `[ $command = stanza-create ] && { echo "${AWAY}"; exit 49; }; case "$words" in *--repo=1*) echo "${AWAY}"; exit 49 ;; esac; exit 0`,
      );
      const { status, stdout } = await backup(0);
      assert.equal(status, 1);
      const last = stdout.trim().split("\n").at(-1) ?? "";
      assert.match(
        last,
        /^backup: FAILED: repository cloud: .*Connection refused.*repository nas: .*not mounted/,
      );
      assert.doesNotMatch(last, /repository rack/);
      assert.ok(!at.calls(" backup").some((call) => call.includes("--repo=2 ")));
    });

    it("is made at once in the other repository, before the one that is away is tried again", async () => {
      at = new Handover("1:far:volume 2:near:volume");
      describedBy(DESCRIBED, "end");
      at.pgbackrest(
        `[ "$command" = backup ] || exit 0; case "$words" in *--repo=1*) [ -e ${at.folder}/back ] || { echo "${AWAY}"; exit 49; } ;; *) touch ${at.folder}/back ;; esac`,
      );
      const { status, stdout } = await backup(30);
      assert.equal(status, 0, stdout);
      assert.deepEqual(
        at.calls(" backup").map((call) => /--repo=(\d)/.exec(call)?.[1]),
        ["1", "2", "1"],
      );
      assert.match(stdout, /repository far: .*Connection refused.*; trying again/);
    });

    it("waits for a repository that is away for a moment", async () => {
      at = new Handover();
      describedBy(DESCRIBED, "end");
      at.pgbackrest(
        `[ "$command" = backup ] || exit 0; [ -e ${at.folder}/tried ] && exit 0; touch ${at.folder}/tried; echo "${AWAY}"; exit 49`,
      );
      const { status, stdout } = await backup(30);
      assert.equal(status, 0);
      assert.match(stdout, /repository cloud: .*Connection refused.*; trying again/);
    });
  });

  it("never repeats a key or the passphrase, whatever pgBackRest is told", async () => {
    at = new Handover();
    writeFileSync(
      join(at.folder, "secrets/secrets.conf"),
      "[global]\nrepo1-cipher-pass=correct-horse\nrepo1-s3-key-secret=battery\n",
    );
    symlinkSync("secrets", join(at.folder, "conf/..data"));
    at.pgbackrest("env; exit 1");
    await at.agent();
    const { stderr } = await push(2);
    const { stdout } = await at.run("backup.sh", [], { TYPE: "full", WAIT: "0", IMAGE: "x:1" });
    for (const text of [stderr, stdout, at.said, ...at.calls()])
      assert.doesNotMatch(text, /correct-horse|battery/);
  });
});
