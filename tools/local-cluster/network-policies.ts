/** Enforces NetworkPolicies in a local cluster as K3s does: kube-router's firewall, and a DNS server that is a pod. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { compilerMemory } from "./build.ts";
import { makeWhole, requireSpace } from "./disk.ts";
import { postgresImage } from "./images.ts";
import { dnsServiceAddress } from "./network.ts";
import { cacheRoot, digest } from "./paths.ts";
import { withLock } from "../lock.ts";
import { run } from "../processes.ts";

/** The program's package, of the module in kube-router/go.mod. */
export const kubeRouterPackage = "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router";
const moduleFolder = join(import.meta.dirname, "kube-router");

/** On two cores, from scratch. */
const MINUTES = 4;
/** Peak use of Go's caches plus the result. */
const SPACE_MIB = 1500;

/** As for the node's other programs: no debugging data, no inlining. */
const buildArguments = [
  "build",
  "-mod=readonly",
  "-trimpath",
  "-buildvcs=false",
  "-gcflags=all=-dwarf=false -l",
  "-ldflags",
  "-s -w",
];

/** Changes with everything that could change the program. */
function target(): string {
  const files = ["go.mod", "go.sum"].map((file) => readFileSync(join(moduleFolder, file), "utf8"));
  return join(
    cacheRoot(),
    "binaries",
    `kube-router-${digest([...buildArguments, ...files].join("\0")).slice(0, 12)}`,
  );
}

/** Whether it is compiled. */
export function kubeRouterIsBuilt(): boolean {
  return existsSync(target());
}

/**
 * Builds kube-router if the cache does not have it: only for a cluster that enforces policies.
 *
 * @returns the folder with the program
 */
export async function buildKubeRouter(log: (line: string) => void): Promise<string> {
  await withLock(join(cacheRoot(), "kube-router.lock"), log, async () => {
    if (kubeRouterIsBuilt()) return;
    requireSpace(cacheRoot(), SPACE_MIB, "building kube-router");
    log(`building kube-router, which enforces network policies: about ${MINUTES} min on 2 cores, once…`);
    await makeWhole(target(), async (temporary) => {
      mkdirSync(temporary);
      await run("go", [...buildArguments, "-o", `${temporary}/`, kubeRouterPackage], {
        cwd: moduleFolder,
        env: { CGO_ENABLED: "0", ...compilerMemory(process.availableMemory() / 2 ** 20, 2) },
      });
    });
  });
  return target();
}

/** The name of the DNS server's configuration. */
export const COREFILE = "Corefile";
const DNS_NAME = "kube-dns";
/** K3s's, by which policies let pods resolve names. */
const labels = { "k8s-app": DNS_NAME };

/** What the DNS server's pod takes from the node. */
export interface DnsFiles {
  /** The folder with the program `coredns`. */
  binaries: string;
  /** The folder with the Corefile and the kubeconfig that it names. */
  config: string;
}

/**
 * The DNS server as K3s has it: a pod in kube-system behind the Service kube-dns. In the pods' network, because
 * kube-router takes no pod in the node's network for a peer. The image only has the libraries that the program needs.
 */
export function dnsObjects({ binaries, config }: DnsFiles): object[] {
  const metadata = { name: DNS_NAME, namespace: "kube-system", labels };
  const folders = { binaries, config };
  return [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: {
        clusterIP: dnsServiceAddress,
        selector: labels,
        ports: [
          { name: "dns", port: 53, protocol: "UDP" },
          { name: "dns-tcp", port: 53, protocol: "TCP" },
        ],
      },
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { ...metadata, name: "coredns" },
      spec: {
        replicas: 1,
        strategy: { type: "Recreate" },
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 1,
            priorityClassName: "system-cluster-critical",
            // Its own names are the node's.
            dnsPolicy: "Default",
            enableServiceLinks: false,
            automountServiceAccountToken: false,
            tolerations: [{ operator: "Exists" }],
            containers: [
              {
                name: "coredns",
                image: postgresImage,
                imagePullPolicy: "Never",
                command: [join(binaries, "coredns"), "-conf", join(config, COREFILE)],
                readinessProbe: { httpGet: { path: "/ready", port: 8181 }, periodSeconds: 1 },
                volumeMounts: Object.entries(folders).map(([name, mountPath]) => ({
                  name,
                  mountPath,
                  readOnly: true,
                })),
              },
            ],
            volumes: Object.entries(folders).map(([name, path]) => ({
              name,
              hostPath: { path, type: "Directory" },
            })),
          },
        },
      },
    },
  ];
}
