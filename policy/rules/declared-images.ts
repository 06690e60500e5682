import { IMAGES } from "../declarations.ts";
import { type Declared, declarationOf, declaredSchema, isDeclared } from "../declared.ts";
import { repositoryOf } from "../postgres.ts";
import { containerText, podRule } from "../rule.ts";
import { textAt, UNKNOWN } from "../values.ts";

const NAME = "declared-images";
/** The workloads that have declared images: they run next to the data or read its Secrets. */
const OWN = new Set(IMAGES.map((line) => line.split(" ")[0]));

/** What names of Docker Hub may leave out. */
const HUB = /^(index\.)?docker\.io\/(library\/)?/;

export const declaredImages = podRule<Declared>({
  name: NAME,
  asks: "repositories of the images that run next to the data or read its Secrets: only as declared",
  description:
    "Running the database from another repository runs a stranger's program on the data, whatever its tag and digest",
  level: "mandatory",
  schema: declaredSchema("Repositories of images, `<kind>/<name> <container> <repository>`"),
  check: (pod, config) =>
    pod.containers.flatMap((container) => {
      const { subject } = pod.object;
      const image = textAt(container.body, "image");
      // Judged again, with its value, before it is deployed.
      if (!OWN.has(subject) || image === undefined || container.body.name === UNKNOWN) return [];
      const repository = repositoryOf(image).replace(HUB, "");
      const line = `${subject} ${container.name} ${repository}`;
      if (isDeclared(line, IMAGES, config)) return [];
      return [
        {
          subject,
          why: `${containerText(container)} has an image from ${repository}, which is not declared`,
          remedy: declarationOf(NAME, line),
        },
      ];
    }),
});
