/**
 * The server's container without a cluster: start-server.sh as process 1 in its own namespaces, with PostgreSQL's own
 * programs, the volume, the ConfigMap and the folder that it shares with the reconciler.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { pgHba, pgIdent } from "../../../../components/server/client-authentication.ts";
import { postgresqlConf } from "../../../../postgres/settings.ts";
import { projectFile } from "../../../../tools/cli.ts";
import { postgresLayer } from "../../../../tools/local-cluster/images.ts";
import { skip } from "../../../skip.ts";

/** The image's user. */
const SERVER = 999;
const IDENTITY = "transcript-pipeline/test";
/** Where the test's files are, in the container. */
const INSIDE = "/mnt";

/** Why this machine cannot run the container, or undefined. */
function containerObstacle(): string | undefined {
  if (process.platform !== "linux") return "it needs Linux";
  if (process.getuid?.() !== 0) return "only root can make the namespaces of a container";
  const made = spawnSync("unshare", ["--mount", "--pid", "--net", "--ipc", "--fork", "true"]);
  return made.status === 0 ? undefined : "this machine allows no namespaces";
}

/** For a suite's `before`: a container, or the suite is skipped where this machine cannot run one. */
export async function containerFor(context: Mocha.Context): Promise<ServerContainer> {
  const obstacle = containerObstacle();
  if (obstacle !== undefined) {
    skip(context, obstacle);
  }
  context.timeout(600_000);
  return ServerContainer.make();
}

/** What process 1 of the container must find. */
const ENTER = `
  set -e
  mount --make-rprivate /
  mount --bind "$1" ${INSIDE}
  mount -t proc proc /proc
  awk=$(readlink -f "$(command -v awk)")
  mount -t tmpfs etc /etc
  # Debian's awk is a link to here.
  mkdir /etc/alternatives
  ln -s "$awk" /etc/alternatives/awk
  printf 'root:x:0:0::/:/bin/sh\\npostgres:x:${SERVER}:${SERVER}::/:/bin/bash\\n' >/etc/passwd
  printf 'root:x:0:\\npostgres:x:${SERVER}:\\n' >/etc/group
  mkdir /etc/postgresql
  mount --bind ${INSIDE}/config /etc/postgresql
  mount -t tmpfs run /run
  mkdir /run/reconcile
  mount --bind ${INSIDE}/state /run/reconcile
  mount -t tmpfs -o mode=1777 tmp /tmp
  mount -t tmpfs -o mode=1777 shm /dev/shm
  exec setpriv --reuid ${SERVER} --regid ${SERVER} --clear-groups bash ${INSIDE}/scripts/start-server.sh
`;

/** One run of the container. */
export class Run {
  private readonly child: ChildProcess;
  /** Everything that it has printed so far. */
  log = "";
  /** Its status, once it has ended. */
  readonly ended: Promise<number | null>;

  constructor(root: string) {
    this.child = spawn(
      "unshare",
      [
        ...["--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child", "--propagation", "private"],
        ...["bash", "--norc", "-c", ENTER, "bash", root],
      ],
      {
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          PATH: `${INSIDE}/programs/usr/lib/postgresql/16/bin:/usr/bin:/bin:/usr/sbin:/sbin`,
          VOLUME: `${INSIDE}/volume`,
          PGDATA: `${INSIDE}/volume/pgdata`,
          IDENTITY,
          ADDRESS_SPACE: "unlimited",
        },
      },
    );
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.setEncoding("utf8").on("data", (data: string) => (this.log += data));
    this.ended = once(this.child, "close").then(([status]: unknown[]) => status as number | null);
  }

  /** Process 1 of the container, as this machine numbers it. */
  private get processOne(): number {
    const children = readFileSync(`/proc/${this.child.pid}/task/${this.child.pid}/children`, "utf8");
    return Number(children.trim().split(" ")[0]);
  }

  /** Sends process 1 a signal and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    try {
      process.kill(this.processOne, signal);
    } catch {
      // It has already ended.
    }
    return this.ended;
  }

  /** Waits until it has printed something, or has ended. Returns whether it was printed. */
  async says(words: RegExp, milliseconds = 30_000): Promise<boolean> {
    let over = false;
    void this.ended.then(() => (over = true));
    for (const deadline = Date.now() + milliseconds; Date.now() < deadline; await pause(10)) {
      if (words.test(this.log)) return true;
      if (over) break;
    }
    return words.test(this.log);
  }
}

/** A volume, a ConfigMap and the programs: what survives a container. */
export class ServerContainer {
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  /** Unpacks the programs, which takes some seconds; the volume is prepared for a first start. */
  static async make(): Promise<ServerContainer> {
    const root = mkdtempSync(join(tmpdir(), "server-"));
    chmodSync(root, 0o755);
    mkdirSync(join(root, "programs"));
    execFileSync("tar", ["-xf", await postgresLayer(() => undefined), "-C", join(root, "programs"), "./usr"]);
    mkdirSync(join(root, "scripts"));
    for (const folder of ["kubernetes", "server", "migration"])
      execFileSync("cp", ["-r", `${projectFile(`components/${folder}/scripts`)}/.`, join(root, "scripts")]);
    const container = new ServerContainer(root);
    container.renewEmpty();
    return container;
  }

  /** The volume as it is now is what `renew` makes from here on. */
  takeAsTemplate(): void {
    execFileSync("cp", ["-a", join(this.root, "volume"), join(this.root, "template")]);
  }

  /** The template's volume, and an empty folder of the reconciler's. */
  renew(): void {
    this.renewEmpty();
    rmSync(join(this.root, "volume"), { recursive: true });
    execFileSync("cp", ["-a", join(this.root, "template"), join(this.root, "volume")]);
  }

  /** An empty volume that may be initialised once, and an empty folder of the reconciler's. */
  renewEmpty(): void {
    for (const folder of ["volume", "state", "config", "socket"]) {
      rmSync(join(this.root, folder), { recursive: true, force: true });
      mkdirSync(join(this.root, folder));
      chownSync(join(this.root, folder), SERVER, SERVER);
    }
    writeFileSync(join(this.root, "volume/volume.identity"), `${IDENTITY}\n`);
    writeFileSync(join(this.root, "volume/initialize.once"), "");
    for (const file of ["volume.identity", "initialize.once"])
      chownSync(join(this.root, "volume", file), SERVER, SERVER);
    this.deploy({});
  }

  /** Writes the ConfigMap: the program's own files with lines added to postgresql.conf, and others replaced or added. */
  deploy({ settings = "", ...files }: Partial<Record<string, string>>): void {
    const small = `shared_buffers = 16MB\nunix_socket_directories = '${INSIDE}/socket'\n`;
    const all: Partial<Record<string, string>> = {
      "postgresql.conf": `${postgresqlConf({})}${small}${settings}\n`,
      "pg_hba.conf": pgHba(),
      "pg_ident.conf": pgIdent("transcript_user"),
      "sessions.conf": "",
      ...files,
    };
    for (const [name, text = ""] of Object.entries(all)) writeFileSync(join(this.root, "config", name), text);
  }

  run(): Run {
    return new Run(this.root);
  }

  /** Runs until the real server answers. */
  started(): Promise<Run> {
    return this.startedFor((sql) => this.query(sql).status === 0);
  }

  /** Runs until the real server answers a query of the caller's own. */
  async startedFor(answers: (sql: string) => boolean): Promise<Run> {
    const run = this.run();
    for (const deadline = Date.now() + 30_000; Date.now() < deadline; await pause(20)) {
      if (answers("select 1")) return run;
    }
    await run.end("SIGKILL");
    throw new Error(`the server did not start:\n${run.log}`);
  }

  /** SQL over the socket, as the image's user. */
  query(statement: string): { status: number | null; output: string } {
    const psql = join(this.root, "programs/usr/lib/postgresql/16/bin/psql");
    const who = ["--reuid", String(SERVER), "--regid", String(SERVER), "--clear-groups"];
    const options = ["-X", "-q", "-At", "-h", join(this.root, "socket"), "-U", "postgres", "-d", "postgres"];
    const ran = spawnSync("setpriv", [...who, psql, ...options, "-c", statement], { encoding: "utf8" });
    return { status: ran.status, output: `${ran.stdout}${ran.stderr}`.trim() };
  }

  /** A file of the test, or undefined. */
  read(path: string): string | undefined {
    const file = join(this.root, path);
    return existsSync(file) ? readFileSync(file, "utf8") : undefined;
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
