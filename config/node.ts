/** The section `node`: the node with the GPU and the RAID, and access to its file system. */
import type { Problem } from "../problem.ts";
import {
  defaulted,
  dnsName,
  flag,
  host,
  hostKey,
  integer,
  oneOf,
  required,
  text,
  tolerations,
} from "./fields.ts";
import { commandToSet, type Section, type ValuesOf } from "./reader.ts";

export const node = {
  hostname: required(
    dnsName({
      description:
        "The node with the GPU and the RAID, by its label: `kubectl get nodes -L kubernetes.io/hostname`",
    }),
  ),
  gpuResource: defaulted(
    "nvidia.com/gpu",
    text(/^[a-z0-9.-]+\/[a-z0-9.-]+$/, "a resource name with its domain, such as nvidia.com/gpu", {
      description: "Resource that a node with a GPU offers",
    }),
  ),
  requireGpu: defaulted(false, flag({ description: "Whether the node must offer the GPU resource" })),
  tolerations: defaulted([], tolerations({ description: "Tolerations of the pods, for a tainted node" })),
  connection: defaulted(
    "none",
    oneOf(["none", "local", "ssh"], {
      description:
        "How the node's storage is prepared and checked. `ssh`: over SSH. `local`: on this machine. `none`: by hand, with the commands that `up` prints",
    }),
  ),
  sshHost: host({ description: "Host for `connection: ssh`" }),
  sshPort: defaulted(22, integer(1, 65535, "port", { description: "SSH port" })),
  sshUser: defaulted(
    "root",
    text(/^[a-z_][a-z0-9_-]*$/, "a user name", {
      description: "SSH user: root, or a user that may run `sudo -n`",
    }),
  ),
  sshHostKey: hostKey({ description: "Public host key of `sshHost`. SSH is refused without it" }),
} as const satisfies Section;

/** Checks what a connection over SSH needs. */
export function nodeProblems({ node: written }: { node: ValuesOf<typeof node> }): Problem[] {
  if (written.connection !== "ssh") return [];
  return (["sshHost", "sshHostKey"] as const)
    .filter((name) => written[name] === undefined)
    .map((name) => ({
      key: `node.${name}`,
      message: `is missing, but node.connection is ssh. Set it: ${commandToSet(`node.${name}`, false)}`,
    }));
}
