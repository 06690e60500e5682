import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cacheRoot } from "./paths.ts";
import { makeWhole, requireSpace } from "./disk.ts";
import { withLock } from "../lock.ts";
import { run } from "../processes.ts";

/** One go.mod under go/: a part of the node whose dependencies are pinned together. */
interface Component {
  folder: string;
  title: string;
  module: string;
  binaries: string;
  /** On two cores, from nothing. */
  minutes: number;
  /** Peak use of Go's caches plus the result. */
  spaceMiB: number;
  tags?: string;
  /** Linker variable that gets the version with a leading v. */
  versionVariable?: string;
}

const components: Component[] = [
  {
    folder: "kubernetes",
    title: "Kubernetes",
    module: "k8s.io/kubernetes",
    binaries: "6 binaries",
    minutes: 7,
    spaceMiB: 5000,
    versionVariable: "k8s.io/component-base/version.gitVersion",
  },
  {
    folder: "containerd",
    title: "containerd",
    module: "github.com/containerd/containerd/v2",
    binaries: "3 binaries",
    minutes: 2,
    spaceMiB: 1500,
  },
  {
    folder: "runc",
    title: "runc",
    module: "github.com/opencontainers/runc",
    binaries: "1 binary",
    minutes: 1,
    spaceMiB: 500,
    tags: "seccomp",
  },
  {
    folder: "kine",
    title: "kine",
    module: "github.com/k3s-io/kine",
    binaries: "1 binary",
    minutes: 3,
    spaceMiB: 1500,
  },
  {
    folder: "coredns",
    title: "CoreDNS",
    module: "github.com/coredns/coredns",
    binaries: "1 binary",
    minutes: 3,
    spaceMiB: 2000,
  },
  {
    folder: "cni",
    title: "CNI plugins",
    module: "github.com/containernetworking/plugins",
    binaries: "4 binaries",
    minutes: 1,
    spaceMiB: 300,
  },
];

/** Folders with the node's programs. */
export interface Binaries {
  kubernetes: string;
  containerd: string;
  runc: string;
  kine: string;
  coredns: string;
  cni: string;
  /** Every one of these folders, in the form of PATH. */
  path: string;
}

/** True when nothing is left to be compiled. */
export function binariesAreBuilt(): boolean {
  return components.every((component) => existsSync(target(component)));
}

/** Builds what the cache does not hold yet; a second caller waits for the first and finds it done. */
export async function buildBinaries(log: (line: string) => void): Promise<Binaries> {
  if (!binariesAreBuilt()) {
    await withLock(join(cacheRoot(), "binaries.lock"), log, async () => {
      for (const component of components) {
        if (!existsSync(target(component))) await build(component, log);
      }
    });
  }
  const folder = Object.fromEntries(components.map((one) => [one.folder, target(one)]));
  return { ...(folder as Omit<Binaries, "path">), path: Object.values(folder).join(":") };
}

/** The folder of the Kubernetes module's sources, which also hold the C source of `pause`. */
export async function kubernetesSources(): Promise<string> {
  const cwd = moduleFolder("kubernetes");
  // Not needed for compiling when all its packages are in Go's build cache, hence not necessarily there.
  await run("go", ["mod", "download", "k8s.io/kubernetes"], { cwd });
  return (await run("go", ["list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes"], { cwd })).trim();
}

/** The version that go.mod pins, without the leading v. */
export function pinnedVersion(folder: string): string {
  const component = components.find((one) => one.folder === folder);
  const lines = readFileSync(join(moduleFolder(folder), "go.mod"), "utf8").split("\n");
  for (const line of lines) {
    const [module, version] = line.replace("require", "").trim().split(" ");
    if (module === component?.module && version?.startsWith("v")) return version.slice(1);
  }
  throw new Error(`${join(moduleFolder(folder), "go.mod")} requires no ${component?.module}`);
}

async function build(component: Component, log: (line: string) => void): Promise<void> {
  const version = pinnedVersion(component.folder);
  const what = `${component.title} ${version} (${component.binaries})`;
  requireSpace(cacheRoot(), component.spaceMiB, `building ${what}`);
  log(`building ${what}: about ${component.minutes} min on 2 cores, once…`);
  const begun = Date.now();
  const elapsed = (): number => Math.round((Date.now() - begun) / 1000);
  const notice = setInterval(() => log(`  …${elapsed()} s`), 30_000);
  await makeWhole(target(component), async (temporary) => {
    mkdirSync(temporary);
    await run("go", [...buildArguments(component), "-o", `${temporary}/`, "tool"], {
      cwd: moduleFolder(component.folder),
    });
  }).finally(() => clearInterval(notice));
  log(`built ${what} in ${elapsed()} s`);
}

function buildArguments(component: Component): string[] {
  const version =
    component.versionVariable && ` -X ${component.versionVariable}=v${pinnedVersion(component.folder)}`;
  return [
    "build",
    "-mod=readonly",
    "-trimpath",
    "-buildvcs=false",
    ...(component.tags ? [`-tags=${component.tags}`] : []),
    "-ldflags",
    `-s -w${version ?? ""}`,
  ];
}

function target(component: Component): string {
  const hash = createHash("sha256").update(buildArguments(component).join("\n"));
  for (const file of ["go.mod", "go.sum"]) {
    hash.update(readFileSync(join(moduleFolder(component.folder), file)));
  }
  const version = pinnedVersion(component.folder);
  return join(cacheRoot(), "binaries", `${component.folder}-${version}-${hash.digest("hex").slice(0, 12)}`);
}

function moduleFolder(folder: string): string {
  return join(import.meta.dirname, "go", folder);
}
