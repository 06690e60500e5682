import { bytesOfQuantity, readableBytes } from "../../quantities.ts";
import { volumesOf } from "../pods.ts";
import { containerText, type Finding, podRule } from "../rule.ts";
import { field, listAt, shown, textAt } from "../values.ts";

export const volumeSizes = podRule({
  name: "volume-sizes",
  asks: "a size on every emptyDir; those in memory below the container's limit",
  description:
    "An emptyDir without a size lets one pod fill the node's disk or memory, and the database's with it",
  level: "mandatory",
  check: (pod) => {
    const findings: Finding[] = [];
    const sizes = new Map<string, number>();
    for (const volume of volumesOf(pod)) {
      if (volume.emptyDir === undefined) continue;
      const size = bytesOfQuantity(textAt(volume, "emptyDir", "sizeLimit") ?? "");
      if (size === undefined || size === 0) {
        findings.push({
          subject: pod.object.subject,
          why: `volume ${textAt(volume, "name")} is an emptyDir with sizeLimit ${shown(field(volume, "emptyDir", "sizeLimit"))}`,
          remedy: `emptyDir.sizeLimit: what is needed, with its unit, such as "64Mi"`,
        });
      } else if (field(volume, "emptyDir", "medium") === "Memory") {
        sizes.set(textAt(volume, "name") ?? "", size);
      }
    }
    for (const container of pod.containers) {
      const limit = bytesOfQuantity(textAt(container.body, "resources", "limits", "memory") ?? "");
      const mounted = new Set(
        listAt(container.body, "volumeMounts").map((mount) => textAt(mount, "name") ?? ""),
      );
      const inMemory = [...sizes]
        .filter(([name]) => mounted.has(name))
        .reduce((sum, [, size]) => sum + size, 0);
      if (limit === undefined || inMemory < limit) continue;
      findings.push({
        subject: pod.object.subject,
        why: `${containerText(container)} mounts memory volumes of ${readableBytes(inMemory)}, which count against its memory limit of ${readableBytes(limit)}`,
        remedy: "smaller sizeLimits, or a memory limit well above their sum",
      });
    }
    return findings;
  },
});
