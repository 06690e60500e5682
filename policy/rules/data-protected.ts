import { objectsOf, subjectOf } from "../resources.ts";
import { resourceRule } from "../rule.ts";

interface Config {
  kinds: string[];
}

export const dataProtected = resourceRule<Config>({
  name: "data-protected",
  asks: "volume, claim and password protected from deletion; `storage.protect: false` is refused in prod",
  description:
    "Deploying a volume, claim or password without protection loses it to one wrong `pulumi destroy`",
  level: "mandatory",
  schema: {
    properties: {
      kinds: {
        type: "array",
        items: { type: "string" },
        default: ["PersistentVolume", "PersistentVolumeClaim", "RandomPassword"],
        description: "Kinds whose resources must be protected; empty where data may be lost",
      },
    },
  },
  check: (resource, { kinds }) => {
    if (resource.protect) return [];
    const own = resource.type.split(":").at(-1) ?? "";
    const found = [
      own,
      ...objectsOf(resource)
        .filter(({ patch }) => !patch)
        .map(({ kind }) => kind),
    ];
    if (!found.some((kind) => kinds.includes(kind))) return [];
    return [
      {
        subject: subjectOf(resource),
        why: "the option protect is not set; a destroy, or a rename in the program, deletes it",
        remedy: "{ protect: true } in its options or its parent's; in this project storage.protect sets it",
      },
    ];
  },
});
