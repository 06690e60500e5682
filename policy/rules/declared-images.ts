import { IMAGES } from "../declarations.ts";
import { type Declared, declarationOf, declaredSchema, isDeclared } from "../declared.ts";
import { containerText, podRule } from "../rule.ts";
import { textAt, UNKNOWN } from "../values.ts";

const NAME = "declared-images";
/** The workloads that have declared images: they run beside the data or read its Secrets. */
const OWN = new Set(IMAGES.map((line) => line.split(" ")[0]));

/** An image's repository without tag, digest and what Docker Hub's names leave out. */
function repositoryOf(image: string): string {
  return image
    .replace(/@.*$/, "")
    .replace(/:[^:/]*$/, "")
    .replace(/^(index\.)?docker\.io\/(library\/)?/, "");
}

export const declaredImages = podRule<Declared>({
  name: NAME,
  description:
    "Who runs the database from another repository runs a stranger's program on the data, whatever its tag and digest say",
  level: "mandatory",
  schema: declaredSchema("Repositories of images, `<kind>/<name> <container> <repository>`"),
  check: (pod, config) =>
    pod.containers.flatMap((container) => {
      const { subject } = pod.object;
      const image = textAt(container.body, "image");
      // Judged again, with its value, before it is deployed.
      if (!OWN.has(subject) || image === undefined || container.body.name === UNKNOWN) return [];
      const line = `${subject} ${container.name} ${repositoryOf(image)}`;
      if (isDeclared(line, IMAGES, config)) return [];
      return [
        {
          subject,
          why: `${containerText(container)} has an image from ${repositoryOf(image)}, which is not declared`,
          remedy: declarationOf(NAME, line),
        },
      ];
    }),
});
