import { posix } from "node:path";
import { MOUNTS } from "../declarations.ts";
import { type Declared, declarationOf, declaredSchema, isDeclared } from "../declared.ts";
import { type Pod, volumesOf } from "../pods.ts";
import { containerText, type Finding, podRule } from "../rule.ts";
import { field, hasUnknown, isMap, listAt, textAt, UNKNOWN } from "../values.ts";

const NAME = "declared-mounts";

/** Types of volumes that do nothing unless mounted. */
const PLAIN = ["configMap", "secret", "emptyDir", "persistentVolumeClaim", "downwardAPI", "projected"];

/** The parts of a source that do not say what is in it. */
const INCIDENTAL = ["name", "secretName", "claimName", "defaultMode", "optional", "sizeLimit", "medium"];

/** Which files of a source are where. */
function itemsText(items: unknown): string {
  return listAt({ items }, "items")
    .map((item) => `${textAt(item, "key")}:${textAt(item, "path")}`)
    .join(",");
}

/** A volume's source, as declarations write it. */
function sourceText(volume: Record<string, unknown>): string {
  const type = Object.keys(volume).find((key) => key !== "name") ?? "nothing";
  const source = volume[type];
  const named = textAt(source, "name") ?? textAt(source, "secretName") ?? textAt(source, "claimName");
  if (type === "projected") {
    const parts = listAt(source, "sources")
      .filter(isMap)
      .map((part) => sourceText(part));
    return `projected ${parts.join(" and ")}`;
  }
  const more = isMap(source)
    ? Object.entries(source).filter(([key, value]) => !INCIDENTAL.includes(key) && value !== undefined)
    : [];
  return [
    type,
    type === "emptyDir" ? textAt(volume, "name") : named,
    ...more.map(([key, value]) => `${key}=${key === "items" ? itemsText(value) : JSON.stringify(value)}`),
  ]
    .filter((part) => part !== undefined)
    .join(" ");
}

/** What a mount says besides its path: which part of the volume, and how it propagates. */
function mountText(mount: Record<string, unknown>): string {
  return Object.entries(mount)
    .filter(([key]) => !["name", "mountPath", "readOnly"].includes(key))
    .map(([key, value]) => ` ${key}=${JSON.stringify(value)}`)
    .join("");
}

function findingsIn(pod: Pod, config: Declared): Finding[] {
  const { subject, body } = pod.object;
  const volumes = volumesOf(pod);
  const templates = listAt(body, "spec", "volumeClaimTemplates");
  const judged = new Set<unknown>();
  const findings: Finding[] = [];
  for (const container of pod.containers) {
    for (const mount of listAt(container.body, "volumeMounts").filter(isMap)) {
      const volume = volumes.find(({ name }) => name === mount.name);
      const isTemplate = templates.some((template) => field(template, "metadata", "name") === mount.name);
      // A mount without a volume is refused by the cluster; what is not known yet is judged again before it is deployed.
      if (
        (!volume && !isTemplate) ||
        hasUnknown(volume) ||
        hasUnknown(mount) ||
        container.body.name === UNKNOWN
      )
        continue;
      const source =
        volume && !isTemplate ? sourceText(volume) : `volumeClaimTemplate ${textAt(mount, "name")}`;
      const path = textAt(mount, "mountPath") ?? "";
      const line = `${subject} ${container.name} ${path} ${source}${mountText(mount)}`;
      const readOnly = line.replace(` ${source}`, ` read-only ${source}`);
      if (
        isDeclared(line, MOUNTS, config) ||
        (mount.readOnly === true && isDeclared(readOnly, MOUNTS, config))
      ) {
        continue;
      }
      const covered = coveredBy(path);
      findings.push({
        subject,
        why: `${containerText(container)} mounts ${source}${mountText(mount)} on ${path}, which is not declared${covered === undefined ? "" : `; it covers ${covered}`}`,
        remedy: declarationOf(NAME, mount.readOnly === true ? readOnly : line),
      });
    }
  }
  for (const volume of volumes) {
    const type = Object.keys(volume).find((key) => key !== "name") ?? "nothing";
    if (PLAIN.includes(type) || judged.has(volume.name) || hasUnknown(volume)) continue;
    findings.push({
      subject,
      why: `volume ${textAt(volume, "name")} is of type ${type}, which is not declared: ${sourceText(volume)}`,
      remedy: "a configMap, secret, emptyDir or persistentVolumeClaim, or a mount that is declared",
    });
  }
  return findings;
}

/** The server's directory that a mount at or above it would hide. */
function coveredBy(path: string): string | undefined {
  const normal = posix.normalize(`${path}/`);
  return [
    "/etc/postgresql/",
    "/usr/local/lib/",
    "/var/run/postgresql/",
    "/var/lib/postgresql/data/",
    "/usr/bin/",
  ].find((place) => place.startsWith(normal));
}

export const declaredMounts = podRule<Declared>({
  name: NAME,
  asks: "what is mounted where: only as declared",
  description:
    "An undeclared mount can put other files under the server, move its data, or show Secrets to another container",
  level: "mandatory",
  schema: declaredSchema("Mounts, `<kind>/<name> <container> <path> <source>`"),
  check: findingsIn,
});
