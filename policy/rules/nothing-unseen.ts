import { resourceRule } from "../rule.ts";

/** Resources whose objects the engine, and so these rules, never see. */
const UNSEEN: Readonly<Record<string, string>> = {
  "kubernetes:helm.sh/v3:Release": "new k8s.helm.v4.Chart, whose objects are resources of the stack",
};

export const nothingUnseen = resourceRule({
  name: "nothing-unseen",
  asks: "nothing that installs objects past the engine",
  description: "Letting something else create the objects deploys what no rule has checked",
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
