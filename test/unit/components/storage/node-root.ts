/** A node's file system for a test: a root directory with one set of tools, entered in its own mount namespace. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** The result of a script. */
export interface Outcome {
  status: number | null;
  output: string;
  /** The output of the commands that checked the result. */
  seen: string;
  /** Whether every file is unchanged, with its owner, mode and content. */
  untouched: boolean;
}

/** Programs that scripts and people on the node may use: POSIX's, with options that each flavour has. */
const TOOLS = [
  ...["cat", "chmod", "chown", "df", "du", "head", "id", "ln", "ls", "mkdir", "mv", "printf", "pwd"],
  ...["readlink", "rm", "sort", "sync", "tail", "tr", "true", "uname"],
];

/** No coreutils. */
const OTHER_TOOLS = ["diff", "grep", "sed", "tar"];

/** Sets of tools: what is /bin/sh, and what is everything else. */
export const flavours = {
  "dash and GNU coreutils": { shell: "dash", multi: undefined },
  "bash and GNU coreutils": { shell: "bash", multi: undefined },
  BusyBox: { shell: "busybox", multi: "busybox" },
  "dash and uutils coreutils": { shell: "dash", multi: "coreutils" },
} as const;

export type Flavour = keyof typeof flavours;

function which(program: string): string | undefined {
  const found = spawnSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).stdout.trim();
  return found.startsWith("/") ? found : undefined;
}

/** Why a flavour cannot be tested here, or undefined. */
export function obstacleTo(flavour: Flavour): string | undefined {
  if (process.platform !== "linux") return "it needs Linux";
  if (process.getuid?.() !== 0) return "only root can enter another root directory";
  const namespaces = spawnSync("unshare", ["--mount", "--propagation", "private", "true"]);
  if (namespaces.status !== 0) return "this machine allows no mount namespaces";
  const { shell, multi } = flavours[flavour];
  for (const program of [shell, multi ?? "ls"]) {
    if (which(program) === undefined) return `${program} is not on PATH`;
  }
  // GNU coreutils can also be one program.
  if (multi === "coreutils" && !/uutils|multi-call/.test(String(spawnSync("coreutils", ["--help"]).stdout)))
    return "coreutils on PATH is not that of uutils";
  return undefined;
}

/** A root directory with a flavour's tools. */
export class NodeRoot {
  private readonly root = mkdtempSync(join(tmpdir(), "node-root-"));

  constructor(flavour: Flavour) {
    const { shell, multi } = flavours[flavour];
    chmodSync(this.root, 0o755);
    for (const directory of ["bin", "proc", "mnt", "etc", "dev", "home", "tmp", "root", "var/lib", "srv"])
      mkdirSync(join(this.root, directory), { recursive: true });
    execFileSync("mknod", ["-m", "666", join(this.root, "dev/null"), "c", "1", "3"]);
    this.install(shell, "sh");
    for (const tool of TOOLS) this.install(multi ?? tool, tool);
    for (const tool of OTHER_TOOLS) this.install(multi === "busybox" ? multi : tool, tool);
  }

  /** Puts a script of the test's own among the programs; undefined removes it. */
  place(name: string, script: string | undefined): void {
    const path = join(this.root, name);
    rmSync(path, { force: true });
    if (script === undefined) return;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, script, { mode: 0o755 });
  }

  private install(program: string, name: string): void {
    const source = which(program);
    if (source === undefined) return;
    const real = realpathSync(source);
    const target = join(this.root, "bin", program);
    if (!existsSync(target)) {
      copyFileSync(real, target);
      const libraries = String(spawnSync("ldd", [real]).stdout).matchAll(/(\/\S+\.so\S*)/g);
      for (const [, library = ""] of libraries) {
        const copy = join(this.root, library);
        mkdirSync(dirname(copy), { recursive: true });
        if (!existsSync(copy)) copyFileSync(library, copy);
      }
    }
    if (name !== program) symlinkSync(program, join(this.root, "bin", name));
  }

  /**
   * Runs a script as root.
   *
   * @param before commands on this machine that make the situation, below $R; what they make lies on disks in memory
   *   at $R/mnt and $R/home, and is gone afterwards
   * @param after commands that look at the result
   */
  run(
    script: string,
    {
      before = "",
      after = "",
      args = [],
      environment = {},
    }: { before?: string; after?: string; args?: string[]; environment?: Record<string, string> } = {},
  ): Outcome {
    const state = `find $R/mnt $R/home -printf '%p %y %U %G %m %l\\n' | sort; find $R/mnt $R/home -type f -exec md5sum {} + || true`;
    const program = `
      set -e; R=$1; shift
      mount --bind $R $R
      mount -t proc proc $R/proc
      mount -t tmpfs -o mode=755,size=64m disk $R/mnt
      mount -t tmpfs -o mode=755 homes $R/home
      ${before}
      first=$(${state})
      set +e
      chroot $R /bin/sh /script "$@" 2>&1
      status=$?
      set -e
      printf '\\0%s\\0' $status
      if [ "$first" = "$(${state})" ]; then printf same; fi
      printf '\\0'
      ${after}`;
    writeFileSync(join(this.root, "script"), script);
    const ran = spawnSync(
      "unshare",
      ["--mount", "--propagation", "private", "bash", "--norc", "-c", program, "bash", this.root, ...args],
      { encoding: "utf8", env: { PATH: `${process.env.PATH}:/bin`, ...environment } },
    );
    if (ran.error) throw ran.error;
    const [output = "", status, same, seen = ""] = ran.stdout.split("\0");
    if (status === undefined || ran.status !== 0)
      throw new Error(`the situation could not be made, or not looked at: ${ran.stderr}`);
    return { status: Number(status), output, untouched: same === "same", seen: seen.trim() };
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
