/**
 * PostgreSQL's own programs on scratch directories: the local cluster's stand-in, or those in a directory. Servers
 * listen only on a unix socket, and everything is below one temporary directory.
 */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresLayer } from "./local-cluster/images.ts";
import { attempt, run, type RunResult } from "./processes.ts";

/** Nobody: PostgreSQL does not start as root. */
const UNPRIVILEGED = 65534;

/** Stack that containerd gives to a container by default, in kB; max_stack_depth is checked against it. */
const STACK = 8192;

/** PostgreSQL's programs, and a directory to use them in. */
export interface Programs {
  /** Runs a program to its end, not as root. */
  run: (
    program: string,
    args: readonly string[],
    options?: { timeout?: number; addressSpace?: number },
  ) => Promise<RunResult>;
  /** A directory that the programs may write to. */
  scratch: string;
  /** The folder with the programs. */
  bin: string;
  /** The folder with the libraries that a server can load. */
  libraries: string;
  /** Removes the scratch directory. */
  remove: () => void;
}

/**
 * Prepares programs for use.
 *
 * @param bin their folder. Default: the stand-in's, unpacked, and built first if it is missing
 * @throws if the stand-in cannot be built
 */
export async function postgresPrograms(
  bin: string | undefined,
  log: (line: string) => void,
): Promise<Programs> {
  const layer = bin === undefined ? await postgresLayer(log) : undefined;
  // Short, because a socket's path is limited to 107 bytes.
  const root = mkdtempSync(join(tmpdir(), "pg-"));
  chmodSync(root, 0o755);
  const remove = () => rmSync(root, { recursive: true, force: true });
  try {
    const prefix = join(root, "usr/lib/postgresql/16");
    if (layer !== undefined) await run("tar", ["-xf", layer, "-C", root, "./usr"]);
    const folder = bin ?? join(prefix, "bin");
    const scratch = join(root, "scratch");
    mkdirSync(scratch);
    const isRoot = process.getuid?.() === 0;
    if (isRoot) chownSync(scratch, UNPRIVILEGED, UNPRIVILEGED);
    const output = await run(join(folder, "pg_config"), ["--pkglibdir"]);
    return {
      bin: folder,
      // The stand-in's pg_config is from another build than its server.
      libraries: bin === undefined ? join(prefix, "lib/postgresql") : output.trim(),
      scratch,
      remove,
      run: (program, args, { timeout = 60_000, addressSpace } = {}) => {
        const limits = `ulimit -S -s ${STACK}${addressSpace === undefined ? "" : ` && ulimit -v ${addressSpace}`}`;
        const identity = ["--reuid", String(UNPRIVILEGED), "--regid", String(UNPRIVILEGED), "--clear-groups"];
        const command = [...(isRoot ? ["setpriv", ...identity] : []), join(folder, program), ...args];
        return attempt("bash", ["-c", `${limits} && exec "$@"`, "bash", ...command], {
          cwd: scratch,
          timeout,
          // Nothing of the caller's own PostgreSQL.
          // Only built-in locales, wherever this runs.
          env: {
            LOCPATH: join(root, "locales"),
            PGHOST: scratch,
            PGUSER: "postgres",
            PGDATABASE: "postgres",
            PGOPTIONS: undefined,
            LC_ALL: "C",
          },
        });
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Creates an empty data directory, as start-server.sh does, and returns its path. */
export async function makeDataDirectory(programs: Programs, name: string): Promise<string> {
  const path = join(programs.scratch, name);
  const made = await programs.run("initdb", [
    ...[
      "--no-instructions",
      `--pgdata=${path}`,
      "--username=postgres",
      "--encoding=UTF8",
      "--locale=C.UTF-8",
    ],
    ...["--data-checksums", "--auth=trust", "--no-sync", "-c", "huge_pages=off"],
  ]);
  if (!made.ok) throw new Error(`initdb failed: ${made.errors}`);
  return path;
}

/** A server that was started, or why it was not. */
export interface Start {
  ready: boolean;
  /** What it wrote to its log. */
  log: string;
}

/**
 * Starts a server on a data directory with a text as its postgresql.conf; its socket is in the scratch directory.
 *
 * @param addressSpace kB that one process may use. Default: no limit
 */
export async function startServer(
  programs: Programs,
  data: string,
  conf: string,
  options: { addressSpace?: number; seconds?: number } = {},
): Promise<Start> {
  const { addressSpace, seconds = 60 } = options;
  const file = join(programs.scratch, "postgresql.conf");
  const log = join(programs.scratch, "server.log");
  rmSync(log, { force: true });
  writeFileSync(file, conf, { mode: 0o644 });
  const here = [
    `config_file=${file}`,
    `unix_socket_directories=${programs.scratch}`,
    "listen_addresses=",
    `hba_file=${data}/pg_hba.conf`,
    `ident_file=${data}/pg_ident.conf`,
  ];
  const started = await programs.run(
    "pg_ctl",
    [
      ...["start", "--wait", `--timeout=${seconds}`, `--pgdata=${data}`, `--log=${log}`],
      ...["--options", here.map((setting) => `-c ${setting}`).join(" ")],
    ],
    { timeout: (seconds + 10) * 1000, ...(addressSpace !== undefined && { addressSpace }) },
  );
  const written = await attempt("tail", ["-c", "4000", log]);
  return { ready: started.ok, log: `${started.errors}${written.output}` };
}

/** Stops the server of a data directory, without a checkpoint. */
export async function stopServer(programs: Programs, data: string): Promise<void> {
  await programs.run("pg_ctl", ["stop", "--wait", "--mode=immediate", `--pgdata=${data}`]);
}

/**
 * Runs statements in one session and returns the last one's only value.
 *
 * @throws with psql's message if a statement fails
 */
export async function query(programs: Programs, ...statements: string[]): Promise<string> {
  const commands = statements.flatMap((statement) => ["-c", statement]);
  const { ok, output, errors } = await programs.run("psql", ["-XAtq", "-v", "ON_ERROR_STOP=1", ...commands]);
  if (!ok) throw new Error(`psql failed: ${errors}`);
  return output.trim();
}

/** The answer of `postgres -C <name>` with these settings: the value as understood, or its objection. */
export async function understood(
  programs: Programs,
  data: string,
  name: string,
  settings: readonly string[],
): Promise<{ value: string } | { objection: string }> {
  const given = settings.flatMap((setting) => ["-c", setting]);
  const { ok, output, errors } = await programs.run("postgres", ["-C", name, "-D", data, ...given]);
  if (ok) return { value: output.replace(/\n$/, "") };
  return { objection: /(?:FATAL|ERROR): {2}(.*)/.exec(errors)?.[1] ?? errors };
}
