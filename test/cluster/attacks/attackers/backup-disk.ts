import { kubectl } from "../../support.ts";
import { type Deed, inContainer } from "../acts.ts";
import type { Attacker, Attempt } from "../attempt.ts";
import type { Stage } from "../stage.ts";

/** pgBackRest on the repository's files, with nothing of the stack's but what follows. */
const pgbackrest = (environment: string, command: string) =>
  `env -i PATH="$PATH" PGBACKREST_CONFIG=/dev/null PGBACKREST_STANZA=main PGBACKREST_LOCK_PATH=/tmp/mine PGBACKREST_SPOOL_PATH=/tmp/mine ` +
  `PGBACKREST_LOG_LEVEL_FILE=off PGBACKREST_REPO1_PATH=/repository/disk/repository ${environment} pgbackrest ${command}`;

const encrypted = "PGBACKREST_REPO1_CIPHER_TYPE=aes-256-cbc";
const guessed = `${encrypted} PGBACKREST_REPO1_CIPHER_PASS=a-passphrase-that-somebody-guessed`;
const known = `${encrypted} PGBACKREST_REPO1_CIPHER_PASS="$(sed -n 's/^repo1-cipher-pass=//p' /etc/pgbackrest-secrets/repo1-passphrase.conf)"`;

/** The same on a repository that has a backup, which is made in the background. */
const once =
  (line: string, wanted?: RegExp): Deed =>
  async (stage) => {
    const job = ["job/postgres-backup-first", "-n", "transcript-pipeline"];
    await kubectl("wait", "--for=condition=Complete", ...job, "--timeout=300s");
    return inContainer("postgres-backup-0", "pgbackrest", line, wanted)(stage);
  };

const CANNOT = /CryptoError|unable to flush|FormatError|ChecksumError|\[09\d\]|\[031\]|\[055\]/;
/** What can be printed of it. */
const printable = "| tr -cd '[:print:]\\n' | head -c 2000";

const reads = (
  tries: string,
  file: string,
  environment: string,
  refused: RegExp,
  wanted: RegExp,
): Attempt<Stage> => ({
  tries,
  attack: once(`${pgbackrest(environment, `repo-get ${file} 2>&1`)} ${printable}`, wanted),
  refused,
  control: once(`${pgbackrest(known, `repo-get ${file} 2>&1`)} ${printable}`, wanted),
});

const LOOT = "/var/lib/postgresql/data/mine";
const restored = (environment: string) =>
  once(
    `rm -rf ${LOOT}; mkdir -m 700 ${LOOT}; ${pgbackrest(environment, `--pg1-path=${LOOT} --type=none restore`)}; status=$?; cat ${LOOT}/PG_VERSION; rm -rf ${LOOT}; exit $status`,
    /^16$/m,
  );

/** Somebody who has the disk with the backups, and not the passphrase. */
export const backupDisk: Attacker<Stage> = {
  who: "somebody who has the disk with the backups",
  attempts: [
    reads("reads which backups there are", "backup/main/backup.info", "", /^Salted__/, /\[backup:current\]/),
    reads(
      "reads them with a guessed passphrase",
      "backup/main/backup.info",
      guessed,
      CANNOT,
      /\[backup:current\]/,
    ),
    reads("reads which server's WAL it is", "archive/main/archive.info", guessed, CANNOT, /\[db:history\]/),
    {
      tries: "restores a backup without the passphrase",
      attack: restored(""),
      refused: /ERROR: \[\d+\]/,
      control: restored(known),
    },
    {
      tries: "restores a backup with a guessed passphrase",
      attack: restored(guessed),
      refused: CANNOT,
      control: restored(known),
    },
  ],
};
