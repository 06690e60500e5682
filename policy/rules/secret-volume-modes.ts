import { volumesOf } from "../pods.ts";
import { podRule } from "../rule.ts";
import { field, hasUnknown, isMap, listAt, textAt, UNKNOWN } from "../values.ts";

/** Modes of a Secret's files in a volume, with the path to each. */
function modesOf(volume: Record<string, unknown>): { path: string; mode: unknown }[] {
  const modes: { path: string; mode: unknown }[] = [];
  const add = (path: string, source: Record<string, unknown>, fallback: unknown) => {
    const items = listAt(source, "items").filter(isMap);
    const usual = hasUnknown(source.items) ? UNKNOWN : 0o644;
    if (items.length === 0 || items.some(({ mode }) => mode === undefined)) {
      modes.push({ path: `${path}.defaultMode`, mode: source.defaultMode ?? fallback ?? usual });
    }
    items.forEach(({ mode }, index) => {
      if (mode !== undefined) modes.push({ path: `${path}.items[${index}].mode`, mode });
    });
  };
  if (isMap(volume.secret)) add("secret", volume.secret, undefined);
  listAt(volume, "projected", "sources").forEach((source, index) => {
    const secret = field(source, "secret");
    if (isMap(secret))
      add(`projected.sources[${index}].secret`, secret, field(volume, "projected", "defaultMode"));
  });
  return modes;
}

export const secretVolumeModes = podRule({
  name: "secret-volume-modes",
  asks: "Secrets' files not readable by everybody",
  description:
    "Mounting a Secret that everybody can read shows the password to every process in the container",
  level: "mandatory",
  check: (pod) =>
    volumesOf(pod).flatMap((volume) =>
      modesOf(volume).flatMap(({ path, mode }) => {
        if (typeof mode === "number" && (mode & 0o007) === 0) return [];
        return [
          {
            subject: pod.object.subject,
            why: `volume ${textAt(volume, "name")} has ${path} ${typeof mode === "number" ? `0${mode.toString(8)}` : "not known"}, and the default is 0644`,
            remedy: `${path}: 0o440 or less, with the pod's fsGroup to read it`,
          },
        ];
      }),
    ),
});
