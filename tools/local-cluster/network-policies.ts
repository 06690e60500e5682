/** Enforces NetworkPolicies in a local cluster as K3s does: kube-router's firewall, and a DNS server that is a pod. */
import { join } from "node:path";
import { areBuilt, buildPrograms, type GoPrograms } from "./go-programs.ts";
import { postgresImage } from "./images.ts";
import { dnsServiceAddress } from "./network.ts";

/** The program's package, of the module in kube-router/go.mod. */
export const kubeRouterPackage = "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router";

const kubeRouter: GoPrograms = {
  name: "kube-router",
  packages: [kubeRouterPackage],
  purpose: "enforces network policies",
  minutes: 4,
  space: 1500,
};

/** Whether it is compiled. */
export const kubeRouterIsBuilt = () => areBuilt(kubeRouter);

/**
 * Builds kube-router if the cache does not have it: only for a cluster that enforces policies.
 *
 * @returns the folder with the program
 */
export const buildKubeRouter = (log: (line: string) => void) => buildPrograms(kubeRouter, log);

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
