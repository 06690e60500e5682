import { podsOf } from "../pods.ts";
import { type KubernetesObject, labelsOf } from "../resources.ts";
import { type Finding, objectRule } from "../rule.ts";
import { field, shown, textAt, UNKNOWN } from "../values.ts";

interface Config {
  partOf: string;
}

const PREFIX = "app.kubernetes.io/";
const NAMES = ["name", "instance", "component", "part-of", "managed-by"];

/** A label's value: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/ */
const VALUE = /^[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$/;

export const recommendedLabels = objectRule<Config>({
  name: "recommended-labels",
  asks: "Kubernetes' recommended labels",
  description: "Leaving an object without labels hides it from dashboards, policies and clean-ups by label",
  level: "mandatory",
  schema: {
    properties: {
      partOf: {
        type: "string",
        default: "transcript-pipeline",
        description: `Value of the label ${PREFIX}part-of`,
      },
    },
  },
  check: (object: KubernetesObject, { partOf }) => {
    // A Patch adds to an object whose labels are its owner's.
    if (object.patch) return [];
    const { subject } = object;
    const wanted: Readonly<Record<string, string>> = { "part-of": partOf, "managed-by": "pulumi" };
    const labelled = [
      { where: "metadata", body: object.body },
      ...podsOf(object)
        .filter(() => object.kind !== "Pod")
        .map(({ metadata }) => ({ where: "the pod template's metadata", body: { metadata } })),
    ];
    return labelled.flatMap(({ where, body }) => {
      if (field(body, "metadata", "labels") === UNKNOWN || field(body, "metadata") === UNKNOWN) return [];
      const labels = labelsOf(body);
      return NAMES.flatMap((name): Finding[] => {
        const value = labels[PREFIX + name];
        if (value === UNKNOWN) return [];
        if (
          wanted[name] === undefined
            ? VALUE.test(textAt(labels, PREFIX + name) ?? "")
            : value === wanted[name]
        )
          return [];
        return [
          {
            subject,
            why: `${where}.labels["${PREFIX}${name}"] is ${shown(value)}`,
            remedy: `"${PREFIX}${name}": "${wanted[name] ?? `<its ${name}>`}"; in this project labelsOf(part) of components/kubernetes/labels.ts`,
          },
        ];
      });
    });
  },
});
