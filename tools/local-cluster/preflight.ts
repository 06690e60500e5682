import { existsSync } from "node:fs";
import { binariesAreBuilt } from "./build.ts";
import { imagesAreBuilt } from "./images.ts";
import { metricsServerIsBuilt } from "./metrics-server.ts";
import { kubeRouterIsBuilt } from "./network-policies.ts";
import { attempt, run } from "../processes.ts";

/** A Debian package, and what must exist of it. */
interface Requirement {
  package: string;
  command?: string;
  file?: string;
}

const toRun: Requirement[] = [
  { package: "iproute2", command: "ip" },
  { package: "iptables", command: "iptables" },
  { package: "util-linux", command: "unshare" },
  { package: "util-linux", command: "flock" },
  { package: "mount", command: "mount" },
  { package: "openssl", command: "openssl" },
];

const toEnforcePolicies: Requirement[] = [{ package: "ipset", command: "ipset" }];

const toBuildBinaries: Requirement[] = [
  { package: "gcc", command: "gcc" },
  { package: "libc6-dev", file: "/usr/include/stdio.h" },
  { package: "pkg-config", command: "pkg-config" },
  { package: "libseccomp-dev", file: "/usr/include/seccomp.h" },
];

const toBuildImages: Requirement[] = [
  { package: "gcc", command: "gcc" },
  { package: "libc6-dev", file: "/usr/include/stdio.h" },
  { package: "mmdebstrap", command: "mmdebstrap" },
  { package: "debian-archive-keyring", file: "/usr/share/keyrings/debian-archive-keyring.gpg" },
  { package: "python3-pip", command: "python3 -m pip" },
  { package: "tar", command: "tar" },
];

/**
 * Ensures that this machine can run a node, and build what is not built yet. Installs missing Debian packages with
 * apt-get if it is available, and says so first.
 *
 * @param options.networkPolicies whether the node enforces NetworkPolicies
 * @param options.metrics whether it has a metrics server
 * @throws one line that names what is missing and what to do
 */
export async function preflight(
  log: (line: string) => void,
  { networkPolicies, metrics }: { networkPolicies: boolean; metrics: boolean },
): Promise<void> {
  if (process.platform !== "linux") {
    throw new Error(
      `the local cluster needs Linux, this is ${process.platform}: use the context of a K3s instead`,
    );
  }
  if (process.arch !== "x64") {
    throw new Error(`the local cluster's images exist for x86-64 only, this is ${process.arch}`);
  }
  if (process.getuid?.() !== 0) {
    throw new Error(
      "the local cluster needs root (namespaces, mounts, network interfaces): run it with sudo",
    );
  }
  const building = !binariesAreBuilt();
  const packing = !imagesAreBuilt();
  const adding = (networkPolicies && !kubeRouterIsBuilt()) || (metrics && !metricsServerIsBuilt());
  if (building || packing || adding) await requireGo();
  const required = [
    ...toRun,
    ...(networkPolicies ? toEnforcePolicies : []),
    ...(building ? toBuildBinaries : []),
    ...(packing ? toBuildImages : []),
  ];
  await requirePackages(required, log);
}

async function requireGo(): Promise<void> {
  const { ok, output } = await attempt("go", ["version"]);
  if (!ok) throw new Error("building the local cluster needs Go 1.21 or newer, and `go` is not on PATH");
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(output) ?? [];
  if (Number(major) === 1 && Number(minor) < 21) {
    throw new Error(
      `building the local cluster needs Go 1.21 or newer (it fetches the rest), not ${output.trim()}`,
    );
  }
}

async function requirePackages(required: Requirement[], log: (line: string) => void): Promise<void> {
  const missing = await missingPackages(required);
  if (missing.length === 0) return;
  const list = missing.join(" ");
  if (!(await attempt("apt-get", ["--version"])).ok) {
    throw new Error(
      `the local cluster needs Debian's ${list}: install the equivalent with this system's package manager`,
    );
  }
  log(`installing Debian packages: ${list}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await run("apt-get", ["update", "-qq"], { env });
  await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing], { env });
  const still = await missingPackages(required);
  if (still.length > 0) throw new Error(`still missing after installing Debian packages: ${still.join(" ")}`);
}

async function missingPackages(required: Requirement[]): Promise<string[]> {
  const missing = new Set<string>();
  for (const { package: name, command, file } of required) {
    if (file !== undefined && !existsSync(file)) missing.add(name);
    if (command !== undefined && !(await works(command))) missing.add(name);
  }
  return [...missing];
}

async function works(command: string): Promise<boolean> {
  const probe = command.includes(" ") ? `${command} --version` : `command -v ${command}`;
  return (await attempt("sh", ["-c", probe])).ok;
}
