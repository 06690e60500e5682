import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { cacheRoot, digest } from "./paths.ts";
import { makeWhole, requireSpace } from "./disk.ts";
import { withLock } from "../lock.ts";
import { run } from "../processes.ts";

/** The module path in go/go.mod. */
const MODULE = "transcript-pipeline.local/node";
const KUBERNETES = "k8s.io/kubernetes";

const moduleFolder = join(import.meta.dirname, "go");

/** A part of the node, as the benchmark measures it: its packages, each of which becomes one program. */
export interface Part {
  title: string;
  packages: readonly string[];
  /** The file of module versions under go/. */
  versions: "go.mod" | "containerd.mod";
}

/**
 * The parts of a node, all in the module under go/, so that what they share (client-go, gRPC, OpenTelemetry, the
 * standard library) has one version and is compiled once. containerd.mod differs in one line: containerd uses the CRI's
 * next release, whose Go interfaces the kubelet's client does not implement. Packages that start with a dot are this
 * project's own mains, which leave out what the node does not use.
 */
export const parts: readonly Part[] = [
  { title: "Kubernetes", packages: ["./kubernetes", "k8s.io/kubernetes/cmd/kubectl"], versions: "go.mod" },
  { title: "kine", packages: ["./kine"], versions: "go.mod" },
  { title: "CoreDNS", packages: ["./coredns"], versions: "go.mod" },
  { title: "runc", packages: ["github.com/opencontainers/runc"], versions: "go.mod" },
  {
    title: "CNI plugins",
    packages: ["ipam/host-local", "main/loopback", "main/ptp", "meta/portmap"].map(
      (plugin) => `github.com/containernetworking/plugins/plugins/${plugin}`,
    ),
    versions: "go.mod",
  },
  {
    title: "containerd",
    packages: [
      "./containerd",
      "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
      "github.com/containerd/containerd/v2/cmd/ctr",
    ],
    versions: "containerd.mod",
  },
];

/** Names under which go/kubernetes is started: links to it. */
export const kubernetesPrograms = [
  "kube-apiserver",
  "kube-controller-manager",
  "kube-proxy",
  "kube-scheduler",
  "kubelet",
] as const;

/** On two cores, from scratch: bench/results/build.md, rounded up. */
const MINUTES = 6;
/** Peak use of Go's caches plus the result. */
const SPACE_MIB = 5000;

/**
 * SQLite is C. Half of gcc's optimization takes half of its time, and a node's database is small. The node's other C
 * code is glue.
 */
const buildEnvironment = { CGO_ENABLED: "1", CGO_CFLAGS: "-O1" };

/** Whether everything is compiled. */
export function binariesAreBuilt(): boolean {
  return existsSync(target());
}

/**
 * Builds the node's programs that the cache does not have; a second caller waits for the first and finds them.
 *
 * @returns the folder with all of them
 */
export async function buildBinaries(log: (line: string) => void): Promise<string> {
  if (!binariesAreBuilt()) {
    await withLock(join(cacheRoot(), "binaries.lock"), log, async () => {
      if (!binariesAreBuilt()) await build(log);
    });
  }
  return target();
}

/** Downloads the sources of parts and of what they import, as a build otherwise does. */
export async function download(chosen: readonly Part[]): Promise<void> {
  for (const { packages, versions } of chosen) {
    await run("go", ["list", `-modfile=${versions}`, "-tags=seccomp", "-deps", ...packages], {
      cwd: moduleFolder,
    });
  }
}

/** A part's package as Go calls it. */
export function importPath(packageOfPart: string): string {
  return packageOfPart.replace(/^\.(?=\/)/, MODULE);
}

/**
 * Compiles parts into a folder, those with the same versions at once: while one program is being linked, the other core
 * compiles.
 *
 * @param more further arguments of `go build`, by the file of versions
 * @param env added to this process's environment
 */
export async function compile(
  folder: string,
  chosen: readonly Part[],
  more: (versions: Part["versions"]) => readonly string[] = () => [],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  for (const versions of new Set(chosen.map((part) => part.versions))) {
    const packages = chosen.filter((part) => part.versions === versions).flatMap((part) => part.packages);
    const how = [...buildArguments(), `-modfile=${versions}`, ...more(versions)];
    await run("go", [...how, "-o", `${folder}/`, ...packages], {
      cwd: moduleFolder,
      env: {
        ...buildEnvironment,
        ...compilerMemory(process.availableMemory() / 2 ** 20, availableParallelism()),
        ...env,
      },
    });
  }
}

/**
 * How much memory Go's compiler and linker may use before they collect garbage. By default they collect whenever the
 * heap has doubled, which takes a fifth of the time of a build whose processes end within seconds.
 *
 * @param availableMiB what this machine, or this container, has
 * @param cores the number of compilers that run at once
 * @returns environment variables; none if memory is short, and Go decides
 */
export function compilerMemory(availableMiB: number, cores: number): Record<string, string> {
  const share = Math.floor(Math.min(1500, (0.6 * availableMiB) / cores));
  return share < 500 ? {} : { GOGC: "off", GOMEMLIMIT: `${share}MiB` };
}

/** The folder of the Kubernetes module's sources, which also hold the C source of `pause`. */
export async function kubernetesSources(): Promise<string> {
  const cwd = moduleFolder;
  // May be missing: compiling does not need it if all its packages are in Go's build cache.
  await run("go", ["mod", "download", KUBERNETES], { cwd });
  return (await run("go", ["list", "-m", "-f", "{{.Dir}}", KUBERNETES], { cwd })).trim();
}

/** The version of Kubernetes that go.mod pins, without the leading v. */
export function kubernetesVersion(): string {
  const file = join(moduleFolder, "go.mod");
  const [, version] = /^\s*k8s\.io\/kubernetes v(\S+)$/m.exec(readFileSync(file, "utf8")) ?? [];
  if (version === undefined) throw new Error(`${file} does not require ${KUBERNETES}`);
  return version;
}

async function build(log: (line: string) => void): Promise<void> {
  const what = `Kubernetes ${kubernetesVersion()}, containerd and the rest of a node`;
  requireSpace(cacheRoot(), SPACE_MIB, `building ${what}`);
  log(`building ${what}: about ${MINUTES} min on 2 cores, once…`);
  const begun = Date.now();
  const elapsed = (): number => Math.round((Date.now() - begun) / 1000);
  const notice = setInterval(() => log(`  …${elapsed()} s`), 30_000);
  await makeWhole(target(), async (temporary) => {
    mkdirSync(temporary);
    await compile(temporary, parts);
    for (const name of kubernetesPrograms) symlinkSync("kubernetes", join(temporary, name));
  }).finally(() => clearInterval(notice));
  log(`built ${what} in ${elapsed()} s`);
}

/**
 * Nobody debugs these programs, so the compiler writes no DWARF either, not only the linker. Without inlining (-l) a
 * package costs a quarter less to compile, and a request to the API server about a tenth more.
 */
function buildArguments(): string[] {
  return [
    "build",
    "-mod=readonly",
    "-trimpath",
    "-buildvcs=false",
    "-tags=seccomp",
    "-gcflags=all=-dwarf=false -l",
    "-ldflags",
    `-s -w -X k8s.io/component-base/version.gitVersion=v${kubernetesVersion()}`,
  ];
}

/** Changes with everything that could change the programs. */
function target(): string {
  const inputs = [...buildArguments(), JSON.stringify([buildEnvironment, parts, kubernetesPrograms])];
  const files = readdirSync(moduleFolder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const file of files) inputs.push(relative(moduleFolder, file), readFileSync(file, "utf8"));
  return join(
    cacheRoot(),
    "binaries",
    `node-${kubernetesVersion()}-${digest(inputs.join("\0")).slice(0, 12)}`,
  );
}
