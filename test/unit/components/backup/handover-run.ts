/** The scripts of the backups, run for real in a folder, with a pgbackrest that does what a test says. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { projectFile } from "../../../../tools/cli.ts";

const SCRIPTS = [
  ...[
    "handover.sh",
    "repositories.sh",
    "agent.sh",
    "verify.sh",
    "backup.sh",
    "pgbackrest-wal.sh",
    "restore-database.sh",
    "image-lacks.sh",
  ].map((name) => `backup/scripts/${name}`),
  "server/scripts/superuser.sh",
  "kubernetes/scripts/clock.sh",
];

export const SEGMENT = "000000010000000000000001";

/** How a script ended. */
export interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** A volume, the agent's container and a fake pgbackrest, in one folder. */
export class Handover {
  readonly folder = mkdtempSync(join(tmpdir(), "handover-"));
  readonly volume = join(this.folder, "volume");
  readonly pgdata = join(this.volume, "pgdata");
  readonly handover = join(this.volume, "handover");
  readonly heartbeat = join(this.folder, "run/heartbeat");
  private readonly processes: ChildProcess[] = [];
  /** What the agents so far have said. */
  said = "";

  private readonly repositories: string;

  /** @param repositories as in the environment REPOSITORIES */
  constructor(repositories = "1:cloud:volume") {
    this.repositories = repositories;
    for (const name of [
      "bin",
      "run",
      "tmp",
      "scripts",
      "conf",
      "secrets",
      "repository",
      "volume/pgdata/pg_wal",
    ])
      mkdirSync(join(this.folder, name), { recursive: true });
    for (const path of SCRIPTS) {
      // The container's own places, and less patience.
      const text = readFileSync(projectFile(`components/${path}`), "utf8")
        .replaceAll("/tmp/", `${this.folder}/tmp/`)
        .replaceAll("/run/backup/", `${this.folder}/run/`)
        .replaceAll('"/repository/', `"${this.folder}/repository/`)
        .replaceAll("sleep 2;", "sleep 0.2;")
        .replaceAll("sleep 10", "sleep 1");
      writeFileSync(join(this.folder, "scripts", path.split("/").at(-1) ?? ""), text);
    }
    writeFileSync(join(this.folder, "conf/pgbackrest.conf"), "[global]\n");
    writeFileSync(join(this.folder, "secrets/secrets.conf"), "[global]\n");
    this.pgbackrest("exit 0");
  }

  /** What pgbackrest does. $words holds its arguments, $command the last word without a dash before its arguments. */
  pgbackrest(text: string): void {
    const command = "for word; do case $word in -*) ;; *) command=${command:-$word} ;; esac; done";
    writeFileSync(
      join(this.folder, "bin/pgbackrest"),
      `#!/bin/bash\nwords="$*" command=\n${command}\necho "$words" >>${this.folder}/calls\n${text}\n`,
      { mode: 0o755 },
    );
  }

  /** The calls of pgbackrest so far. */
  calls(of = ""): string[] {
    const file = join(this.folder, "calls");
    if (!existsSync(file)) return [];
    return readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== "" && line.includes(of));
  }

  private start(
    script: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ): ChildProcess {
    const started = spawn("bash", [join(this.folder, "scripts", script), ...args], {
      cwd: this.pgdata,
      // With all its processes, to be ended.
      detached: true,
      env: {
        PATH: `${this.folder}/bin:/usr/bin:/bin`,
        VOLUME: this.volume,
        DATA_DIRECTORY: this.pgdata,
        IDENTITY: "transcript-pipeline/prod",
        STANZA: "main",
        REPOSITORIES: this.repositories,
        PGBACKREST_CONFIG: join(this.folder, "conf/pgbackrest.conf"),
        PGBACKREST_CONFIG_INCLUDE_PATH: join(this.folder, "secrets"),
        ...env,
      },
    });
    this.processes.push(started);
    return started;
  }

  /** The agent, until it is killed. */
  async agent(): Promise<ChildProcess> {
    const agent = this.start("agent.sh", [], {});
    for (const stream of [agent.stdout, agent.stderr])
      stream?.setEncoding("utf8").on("data", (data: string) => (this.said += data));
    await this.until(() => this.said.includes("ready"));
    return agent;
  }

  /** A script, until it ends. */
  async run(
    script: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Ended> {
    return this.ended(this.begin(script, args, env));
  }

  begin(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    return this.start(script, args, env);
  }

  async ended(begun: ChildProcess): Promise<Ended> {
    let [stdout, stderr] = ["", ""];
    begun.stdout?.setEncoding("utf8").on("data", (data: string) => (stdout += data));
    begun.stderr?.setEncoding("utf8").on("data", (data: string) => (stderr += data));
    const [status] = (await once(begun, "close")) as [number | null];
    return { status, stdout, stderr };
  }

  /** Asks without a script, as one that was killed meanwhile. */
  ask(request: string, ...lines: string[]): void {
    mkdirSync(this.handover, { recursive: true });
    writeFileSync(join(this.handover, `${request}.wanted`), `${lines.join("\n")}\n`);
  }

  /** A file of the handover, or undefined. */
  file(name: string): string | undefined {
    const path = join(this.handover, name);
    return existsSync(path) ? readFileSync(path, "utf8").trim() : undefined;
  }

  files(): string[] {
    return existsSync(this.handover) ? readdirSync(this.handover) : [];
  }

  /** Makes the last sign of life an old one. */
  forgetHeartbeat(): void {
    utimesSync(this.heartbeat, 1, 1);
  }

  async until(holds: () => boolean, seconds = 20): Promise<void> {
    for (const end = Date.now() + seconds * 1000; !holds(); await pause(50)) {
      if (Date.now() > end) throw new Error(`in vain after ${seconds} s; the agent: ${this.said}`);
    }
  }

  kill(process_: ChildProcess): void {
    try {
      process.kill(-(process_.pid ?? 0), "SIGKILL");
    } catch {
      // It has ended.
    }
  }

  remove(): void {
    for (const started of this.processes) this.kill(started);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
