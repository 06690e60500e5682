import { mkdirSync, readFileSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Certificates, REQUEST_HEADER_AUTHORITY } from "./certificates.ts";
import { pauseImage } from "./images.ts";
import type { Addresses } from "./network.ts";
import { apiServiceAddress, dnsServiceAddress, podRange } from "./network.ts";
import { COREFILE } from "./network-policies.ts";
import type { ClusterPaths } from "./paths.ts";

/**
 * Writes certificates, kubeconfigs and the components' settings into the cluster's state folder.
 *
 * @param binaries the folder of the node's programs
 */
export async function writeNodeConfig(
  paths: ClusterPaths,
  addresses: Addresses,
  binaries: string,
): Promise<void> {
  const server = `https://${addresses.node}:6443`;
  const certificates = new Certificates(join(paths.state, "certificates"));
  await certificates.prepare(paths.fullName);
  const inCluster = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"];
  await certificates.issue("api-server", {
    user: "kube-apiserver",
    addresses: [
      ...inCluster,
      `kubernetes.default.svc.${paths.domain}`,
      addresses.node,
      apiServiceAddress,
      "127.0.0.1",
    ],
  });
  await certificates.issue("api-server-client", {
    user: "kube-apiserver-kubelet-client",
    group: "system:masters",
  });
  await certificates.issue("auth-proxy", {
    user: "system:auth-proxy",
    authority: REQUEST_HEADER_AUTHORITY,
  });
  await certificates.issue("kubelet-server", {
    user: `system:node:${paths.nodeName}`,
    group: "system:nodes",
    addresses: [paths.nodeName, addresses.node],
  });

  const folder = join(paths.state, "config");
  mkdirSync(join(folder, "cni"), { recursive: true });
  const write = (file: string, content: string | object): void =>
    writeFileSync(
      join(folder, file),
      typeof content === "string" ? content : JSON.stringify(content, undefined, 2),
      {
        mode: 0o600,
      },
    );

  // Kubernetes binds the rights of its own components to these user names.
  const users = {
    admin: { user: "admin", group: "system:masters" },
    "controller-manager": { user: "system:kube-controller-manager" },
    scheduler: { user: "system:kube-scheduler" },
    kubelet: { user: `system:node:${paths.nodeName}`, group: "system:nodes" },
    "kube-proxy": { user: "system:kube-proxy" },
    coredns: { user: "coredns", group: "system:masters" },
    "kube-router": { user: "kube-router", group: "system:masters" },
  };
  for (const [name, subject] of Object.entries(users)) {
    await certificates.issue(name, subject);
    write(`${name}.kubeconfig`, certificates.kubeconfig(name, paths.fullName, server));
  }
  writeFileSync(paths.kubeconfig, certificates.kubeconfig("admin", paths.fullName, server), { mode: 0o600 });

  write("kubelet.json", kubelet(paths, addresses, certificates, join(folder, "resolv.conf")));
  write("kube-proxy.json", kubeProxy(join(folder, "kube-proxy.kubeconfig")));
  write("containerd.toml", containerd(paths, binaries, join(folder, "cni")));
  write("cni/10-pods.conflist", podNetwork());
  write("Corefile", corefile(paths.domain, addresses.node, join(folder, "coredns.kubeconfig")));
  // What node-init.sh starts.
  write("network-policies", paths.networkPolicies ? "enforced\n" : "none\n");
  const dns = dnsFolder(paths);
  mkdirSync(dns, { recursive: true });
  const inPod = join(dns, "kubeconfig");
  writeFileSync(inPod, certificates.kubeconfig("coredns", paths.fullName, server), { mode: 0o600 });
  writeFileSync(join(dns, COREFILE), corefile(paths.domain, "0.0.0.0", inPod), { mode: 0o600 });
  write("resolv.conf", `nameserver ${addresses.node}\n`);
  writeApiServerFlags(paths);
}

/** Writes the flags that the API server gets in addition at its next start. */
export function writeApiServerFlags({ state, apiServerFlags }: ClusterPaths): void {
  writeFileSync(join(state, "config/api-server.flags"), apiServerFlags.map((flag) => `${flag}\n`).join(""));
}

function kubelet(
  paths: ClusterPaths,
  { node }: Addresses,
  certificates: Certificates,
  resolvConf: string,
): object {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: certificates.path("ca.crt") },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: certificates.path("kubelet-server.crt"),
    tlsPrivateKeyFile: certificates.path("kubelet-server.key"),
    containerRuntimeEndpoint: `unix://${paths.containerdSocket}`,
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${paths.fullName}`,
    failCgroupV1: false,
    failSwapOn: false,
    clusterDomain: paths.domain,
    clusterDNS: [paths.networkPolicies ? dnsServiceAddress : node],
    resolvConf,
    // Without a registry images cannot be pulled again, and a full disk is the machine's concern.
    imageGCHighThresholdPercent: 100,
    evictionHard: { "memory.available": "50Mi", "nodefs.available": "0%", "imagefs.available": "0%" },
    // Everything runs with the machine's default: lowering it requires a capability that is not always available.
    oomScoreAdj: 0,
  };
}

function kubeProxy(kubeconfig: string): object {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "iptables",
    clusterCIDR: podRange,
    clientConnection: { kubeconfig },
    oomScoreAdj: 0,
    // The table's size and timeouts belong to the whole machine: 0 leaves them alone.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
  };
}

function containerd(paths: ClusterPaths, binaries: string, cniConfig: string): string {
  const text = JSON.stringify; // A JSON string is a TOML string.
  return `version = 3
root = ${text(join(paths.state, "containerd"))}
state = ${text(join(paths.runtime, "containerd"))}
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.image-verifier.v1.bindir"]

[grpc]
address = ${text(paths.containerdSocket)}

[plugins."io.containerd.cri.v1.images"]
snapshotter = ${text(canOverlay(paths.state) ? "overlayfs" : "native")}
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = ${text(pauseImage)}

[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = ${!hasCapability(24)}
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = [${text(binaries)}]
conf_dir = ${text(cniConfig)}
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = ${text(join(binaries, "runc"))}
SystemdCgroup = false
`;
}

/** One cable per pod, no bridge: so Services need no bridge filter module in the kernel. */
function podNetwork(): object {
  return {
    cniVersion: "1.0.0",
    name: "pods",
    plugins: [
      {
        type: "ptp",
        ipMasq: true,
        ipam: {
          type: "host-local",
          // At every start, addresses are forgotten with the pods that held them.
          dataDir: "/run/cni-addresses",
          ranges: [[{ subnet: podRange }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
}

/** What the DNS server's pod gets of the node. */
export function dnsFolder(paths: ClusterPaths): string {
  return join(paths.state, "config", "dns");
}

/** Resolves the cluster's own names; every other name is answered at once as nonexistent. */
export function corefile(domain: string, address: string, kubeconfig: string): string {
  return `${domain} in-addr.arpa ip6.arpa {
  bind ${address}
  errors
  ready ${address}:8181
  kubernetes {
    kubeconfig ${JSON.stringify(kubeconfig)}
    pods insecure
    ttl 5
  }
}
. {
  bind ${address}
  template ANY ANY {
    rcode NXDOMAIN
  }
}
`;
}

/** An overlay cannot lie on another overlay, such as a container's own files. */
function canOverlay(folder: string): boolean {
  const overlay = 0x794c7630;
  return statfsSync(folder).type !== overlay;
}

/** Whether root here has the capability of this number; 24 is CAP_SYS_RESOURCE. */
function hasCapability(bit: number): boolean {
  const [, effective = "0"] = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return ((BigInt(`0x${effective}`) >> BigInt(bit)) & 1n) === 1n;
}
