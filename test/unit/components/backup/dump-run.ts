/** The scripts of dumps, run for real in a folder, with stand-ins for PostgreSQL's programs and for rclone. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../../../tools/cli.ts";

const SCRIPTS = [
  ...["handover.sh", "repositories.sh", "owner.sh", "dump.sh", "dump-transfer.sh"].map(
    (name) => `backup/scripts/${name}`,
  ),
  "server/scripts/superuser.sh",
  "kubernetes/scripts/clock.sh",
];

/** The passphrase in the Secret. It has what a shell or a file of options could take apart. */
export const PASSPHRASE = `pass "phrase" $HOME #;\\ \`x\``;

/** rclone, with a folder as the store: `obscure` reverses, so that a test can tell who has seen what. */
const RCLONE = `while :; do case $1 in --contimeout | --timeout | --retries | --low-level-retries | --stats | --log-level) shift 2 ;; *) break ;; esac; done
for object; do :; done
name=\${object#*:} store=$FOLDER/store/\${object%%:*}
mkdir -p "$store"
echo "$*" >>"$FOLDER/calls"
tr '\\0' '\\n' </proc/$$/environ | grep ^RCLONE_ >>"$FOLDER/environment"
[ ! -e "$FOLDER/break" ] || . "$FOLDER/break"
case $1 in
  obscure) rev ;;
  lsf) (cd "$store" && for name in *; do [ ! -e "$name" ] || echo "$(stat -c %s "$name");$name"; done) ;;
  rcat) cat >"$store/$name" ;;
  cat) cat "$store/$name" ;;
  deletefile) rm "$store/$name" ;;
  backend) ;;
  *) exit 9 ;;
esac
`;

/** psql: what the scripts ask for, by the file or by what standard input says. */
const PSQL = `case " $* " in
  *dump-snapshot.sql*)
    [ ! -e "$FOLDER/refusal" ] || { cat "$FOLDER/refusal" >&2; exit 3; }
    echo '[]' >"$FOLDER/tmp/tables.json"; echo 00000003-1 >"$FOLDER/tmp/snapshot"
    until [ -e "$FOLDER/tmp/dumped" ]; do sleep 0.05; done ;;
  *drill-count.sql*) echo '{"rows": {}}' ;;
  *) if grep -q json_build_object; then echo '{"a": "proof"}'; else cat "$FOLDER/rows"; fi ;;
esac
`;

/** A database, repositories and the two containers of a dump. */
export class DumpRun {
  readonly folder = mkdtempSync(join(tmpdir(), "dump-"));
  private readonly repositories: string;

  /** @param repositories as in the environment REPOSITORIES */
  constructor(repositories = "1:cloud:s3") {
    this.repositories = repositories;
    for (const name of ["bin", "tmp", "scripts", "conf", "secrets", "repository", "dump", "store", "socket"])
      mkdirSync(join(this.folder, name));
    for (const path of SCRIPTS) {
      // The containers' own places, and less patience.
      const text = readFileSync(projectFile(`components/${path}`), "utf8")
        .replaceAll("/tmp/", `${this.folder}/tmp/`)
        .replaceAll("/etc/pgbackrest-secrets", `${this.folder}/secrets`)
        .replaceAll("/etc/pgbackrest", `${this.folder}/conf`)
        .replaceAll("/repository/", `${this.folder}/repository/`)
        .replaceAll("/dev/termination-log", `${this.folder}/termination-log`)
        .replaceAll("sleep 10", "sleep 0.2");
      this.write(`scripts/${path.split("/").at(-1)}`, text);
    }
    this.write("conf/rclone.conf", "[dumps1]\nremote = repo1:bucket/prod-dumps\n");
    for (const number of [1, 2]) {
      this.write(
        `secrets/repo${number}-passphrase.conf`,
        `[global]\nrepo${number}-cipher-pass=${PASSPHRASE}\n`,
      );
      this.write(
        `secrets/repo${number}-keys.conf`,
        `[global]\nrepo${number}-s3-key=AKIA\nrepo${number}-s3-key-secret=secret+/=\n`,
      );
    }
    this.program("rclone", RCLONE);
    this.program("psql", PSQL);
    this.program("pg_dump", 'cat "$FOLDER/dump.sql"');
    this.program("pg_dumpall", "echo 'CREATE ROLE r;'; echo '-- PostgreSQL database cluster dump complete'");
    // The stand-in's archive is its text.
    this.program("pg_restore", "exec cat");
    this.has({ "public.a": ["1", "2"], 'public."b c"': [] });
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text);
  }

  program(name: string, text: string): void {
    writeFileSync(join(this.folder, "bin", name), `#!/bin/bash\nFOLDER=${this.folder}\n${text}\n`, {
      mode: 0o755,
    });
  }

  /** Has rclone do something else first, such as to end. $1 is its command, $name the object's and $store its folder. */
  rclone(text: string): void {
    this.write("break", text);
  }

  /** The rows of the database, by table; pg_dump writes the same, or what a test says. */
  has(rows: Record<string, string[]>, dumped: Record<string, string[]> = rows): void {
    const lines = Object.entries(rows).map(([table, { length }]) => `${length}\t${table}\n`);
    this.write("rows", lines.join(""));
    const blocks = Object.entries(dumped).map(
      ([table, values]) =>
        `COPY ${table} (x, "y FROM stdin;") FROM stdin;\n${values.map((value) => `${value}\n`).join("")}\\.\n\n`,
    );
    this.write("dump.sql", `SET x;\n${blocks.join("")}`);
  }

  /** The objects of a repository; what is written by hand is there already. */
  objects(repository = "dumps1"): string[] {
    return readdirSync(join(this.folder, "store", repository)).sort();
  }

  put(name: string, repository = "dumps1"): void {
    mkdirSync(join(this.folder, "store", repository), { recursive: true });
    this.write(`store/${repository}/${name}`, "something");
  }

  text(name: string): string {
    return readFileSync(join(this.folder, name), "utf8");
  }

  /** Both containers, until the dump has ended. */
  async run(
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ status: number | null; lines: string[]; last: string }> {
    const shared = {
      PATH: `${this.folder}/bin:/usr/bin:/bin`,
      VOLUME: join(this.folder, "dump"),
      REPOSITORIES: this.repositories,
      IDENTITY: "transcript-pipeline/prod",
    };
    const transfer = spawn("sh", [join(this.folder, "scripts/dump-transfer.sh")], {
      env: { ...shared, RCLONE_CONFIG: join(this.folder, "conf/rclone.conf") },
      stdio: "inherit",
      detached: true,
    });
    const dump = spawn("bash", [join(this.folder, "scripts/dump.sh")], {
      env: {
        ...shared,
        SUPERUSER_SOCKET: join(this.folder, "socket"),
        ...{ OWNER: "transcript_user", DATABASE: "transcripts_db", KEEP: "2", WAIT: "0", TIME: "30", ...env },
      },
    });
    let said = "";
    for (const stream of [dump.stdout, dump.stderr])
      stream.setEncoding("utf8").on("data", (data: string) => (said += data));
    const [status] = (await once(dump, "close")) as [number | null];
    process.kill(-(transfer.pid ?? 0), "SIGKILL");
    await once(transfer, "close");
    const lines = said.trimEnd().split("\n");
    return { status, lines, last: lines.at(-1) ?? "" };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Whether a shell without bash's features reads the script. */
export function isPortable(script: string): boolean {
  const checked = spawnSync("sh", ["-n", projectFile(`components/backup/scripts/${script}`)]);
  return checked.status === 0;
}
