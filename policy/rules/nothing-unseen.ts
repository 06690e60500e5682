import { resourceRule } from "../rule.ts";

/** Resources that make objects in the cluster which the engine, and so these rules, never see. */
const UNSEEN: Readonly<Record<string, string>> = {
  "kubernetes:helm.sh/v3:Release": "new k8s.helm.v4.Chart, whose objects are resources of the stack",
};

export const nothingUnseen = resourceRule({
  name: "nothing-unseen",
  asks: "nothing that installs objects past the engine",
  description: "Who lets something else make the objects deploys what no rule has looked at",
  level: "mandatory",
  check: ({ type, name }) => {
    const remedy = UNSEEN[type];
    if (remedy === undefined) return [];
    return [
      {
        subject: `${type.split(":").at(-1)}/${name}`,
        why: `a ${type} installs its objects by itself`,
        remedy,
      },
    ];
  },
});
