import { posix } from "node:path";
import { objectRule } from "../rule.ts";
import { field, shown } from "../values.ts";

/** Places that a reboot empties, or that are the node's own. */
const UNFIT =
  /^\/($|(tmp|run|var\/run|var\/tmp|dev|proc|sys|boot|etc|usr|bin|sbin|lib|lib64)(\/|$)|var\/lib\/(kubelet|rancher|containerd)(\/|$))/;

export const volumePlace = objectRule({
  name: "volume-place",
  description:
    "Who puts a volume where a reboot empties it, or among the node's own files, loses one or the other",
  level: "mandatory",
  check: ({ kind, body, subject }) => {
    if (kind !== "PersistentVolume") return [];
    return ["hostPath", "local"].flatMap((source) => {
      const path = field(body, "spec", source, "path");
      // Not known yet: judged again before it is deployed.
      if (typeof path !== "string" || !UNFIT.test(posix.normalize(path))) return [];
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
