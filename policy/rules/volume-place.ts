import { posix } from "node:path";
import { objectRule } from "../rule.ts";
import { field, shown } from "../values.ts";

/** The node's own directories and those that get emptied, with everything below them. */
const SYSTEMS = (
  "bin boot dev etc lib lib32 lib64 libx32 lost+found nix opt/cni opt/containerd proc run sbin snap sys tmp usr " +
  "var/cache var/lock var/log var/mail var/run var/spool var/tmp"
).split(" ");
/** The same below /var/lib: of the system, and of what runs containers. */
const STATES = (
  "NetworkManager apt buildkit calico cloud cni containerd containers crio dbus docker dpkg etcd flannel kube-proxy " +
  "kube-router kubelet pam polkit-1 rancher rpm snapd sudo systemd"
).split(" ");
const OWN = [...SYSTEMS, ...STATES.map((name) => `var/lib/${name}`)];
/** Shared directories, including the root: a volume may be below them. */
const SHARED = ["", ..."home media mnt opt root srv var var/backups var/lib var/local var/opt".split(" ")];
/** Where a login of the node keeps its keys. */
const KEYS = /\/\.(ssh|kube|gnupg|pulumi|aws|docker|config)(\/|$)/;

/** Whether a volume may not be at a path; a relative one may be anywhere. */
function isUnfit(written: string): boolean {
  const path = posix.normalize(written).replace(/(?<=.)\/$/, "");
  const below = (directory: string) => path === `/${directory}` || path.startsWith(`/${directory}/`);
  if (!path.startsWith("/") || /^\/home\/[^/]+$/.test(path)) return true;
  return KEYS.test(path) || SHARED.some((name) => path === `/${name}`) || OWN.some(below);
}

export const volumePlace = objectRule({
  name: "volume-place",
  asks: "volumes in a place that outlives a reboot and is not the node's own",
  description:
    "A volume where a reboot empties it loses the data; one among the node's own files damages the node",
  level: "mandatory",
  check: ({ kind, body, subject }) => {
    if (kind !== "PersistentVolume") return [];
    return ["hostPath", "local"].flatMap((source) => {
      const path = field(body, "spec", source, "path");
      // Not known yet: judged again before it is deployed.
      if (typeof path !== "string" || !isUnfit(path)) return [];
      return [
        {
          subject,
          why: `spec.${source}.path is ${shown(path)}`,
          remedy: "a directory on a disk of its own; in this project storage.path",
        },
      ];
    });
  },
});
