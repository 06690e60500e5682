import { containerText, podRule } from "../rule.ts";
import { field, shown, UNKNOWN } from "../values.ts";

interface Config {
  required: boolean;
}

export const imageDigest = podRule<Config>({
  name: "image-digest",
  asks: "a digest after the tag",
  description:
    "Deploying an image without its digest runs whatever its publisher, or a thief of their login, puts under the tag",
  level: "mandatory",
  schema: {
    properties: {
      required: { type: "boolean", default: true, description: "Whether every image must have a digest" },
    },
  },
  check: (pod, { required }) =>
    pod.containers.flatMap((container) => {
      const image = field(container.body, "image");
      if (image === UNKNOWN) return [];
      const text = typeof image === "string" ? image : "";
      const pinned = /@sha256:[0-9a-f]{64}$/.test(text);
      // A malformed digest is refused by the node, even where digests are optional.
      if (pinned || (!required && !text.includes("@"))) return [];
      return [
        {
          subject: pod.object.subject,
          why: `${containerText(container)} has the image ${shown(image)}, without a digest`,
          remedy:
            "<repository>:<version>@sha256:<digest>; npm run resolve-digests -- --stack <name> reads it from the registry and writes it",
        },
      ];
    }),
});
