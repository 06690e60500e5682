import { containerText, podRule } from "../rule.ts";
import { field, shown, UNKNOWN } from "../values.ts";

/** Tag of an image, undefined when it has none. A colon before a slash is a registry's port. */
function tagOf(image: string): string | undefined {
  return /:([\w][\w.-]*)$/.exec(image.replace(/@.*$/, ""))?.[1];
}

export const imageTag = podRule({
  name: "image-tag",
  asks: "a tag that is not latest",
  description:
    "Running whatever `latest` is brings another server version, and with it another sort order, at the next restart",
  level: "mandatory",
  check: (pod) =>
    pod.containers.flatMap((container) => {
      const image = field(container.body, "image");
      // Judged again, with its value, before it is deployed.
      if (image === UNKNOWN) return [];
      const tag = typeof image === "string" ? tagOf(image) : undefined;
      if (tag !== undefined && tag !== "latest") return [];
      return [
        {
          subject: pod.object.subject,
          why: `${containerText(container)} has the image ${shown(image)}, ${tag === undefined ? "without a tag" : "whose tag moves"}`,
          remedy: "<repository>:<version>, such as pgvector/pgvector:0.8.6-pg16-bookworm",
        },
      ];
    }),
});
