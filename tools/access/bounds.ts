/**
 * What an identity may not write although its roles name the object. Kubernetes' roles know no content: each bound is a
 * ValidatingAdmissionPolicy for the identity alone.
 */
import type { Manifest } from "../evaluation/manifests.ts";
import { accessName, userName } from "./names.ts";
import { groupOf, resourceOf, type Use } from "./rights.ts";

/** One bound. */
export interface Bound {
  /** Name of the policy and of its binding. */
  name: string;
  /** What it looks at: `matchConstraints.resourceRules[0]`. */
  matches: {
    apiGroups: string[];
    apiVersions: string[];
    operations: string[];
    resources: string[];
  };
  /** In CEL; what must be true. */
  expression: string;
  /** What a refusal says. */
  message: string;
}

/** A value in CEL, whose literals are JSON's. */
const literal = (value: string | readonly string[]) => JSON.stringify(value);

const WRITES = ["CREATE", "UPDATE"];
const everything = { apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*/*"] };

/** Roles cannot tell a dry run from a write. Also refuses `exec` and `portforward`, for which there are no dry runs. */
function dryRunsOnly(): Bound {
  return {
    name: accessName("preview"),
    matches: everything,
    expression: "has(request.dryRun) && request.dryRun",
    message: "the identity of previews may write only as a dry run",
  };
}

/**
 * In CEL, that a map of the object holds these values and is otherwise as it was.
 *
 * @param map a field of the metadata
 */
function holds(map: "labels" | "annotations", values: Readonly<Record<string, string>>): string {
  const names = Object.keys(values).sort();
  const [its, was] = ["object", "oldObject"].map((object) => `${object}.metadata.?${map}.orValue({})`);
  const isKept = (name: string, of: string | undefined) => `(${of})[?${name}].orValue("") == `;
  return [
    ...names.map((name) => `(${its})[?${literal(name)}].orValue("") == ${literal(values[name] ?? "")}`),
    `(${its}).all(k, k in ${literal(names)} || ${isKept("k", was)}(${its})[k])`,
    `(${was}).all(k, k in ${literal(names)} || ${isKept("k", its)}(${was})[k])`,
  ].join(" && ");
}

/**
 * The namespace keeps the labels that restrict its pods: without them, whoever may create pods takes over the node, and
 * the cluster. It gets no others either, by which policies of other namespaces and add-ons would let it in.
 */
function namespaceBound(namespaces: readonly Manifest[]): Bound[] {
  return namespaces.map(({ metadata }) => {
    const { labels = {}, annotations = {} } = metadata as Record<string, Record<string, string> | undefined>;
    return {
      name: `${accessName("deploy")}-namespace`,
      // No deployment creates it.
      matches: { apiGroups: [""], apiVersions: ["*"], operations: ["UPDATE"], resources: ["namespaces"] },
      expression: `${holds("labels", labels)} && ${holds("annotations", annotations)}`,
      message:
        "the namespace must keep its labels and annotations, among them pod-security.kubernetes.io/enforce; a " +
        "deployment sets only those of the program",
    };
  });
}

/** A volume shows a directory of the node to a pod. */
function volumeBound(volumes: readonly Manifest[]): Bound[] {
  const paths = volumes.flatMap(
    ({ spec }) => (spec as { hostPath?: { path?: string } }).hostPath?.path ?? [],
  );
  if (volumes.length === 0) return [];
  return [
    {
      name: `${accessName("deploy")}-volumes`,
      matches: {
        apiGroups: [""],
        apiVersions: ["*"],
        operations: WRITES,
        resources: ["persistentvolumes"],
      },
      expression: `has(object.spec.hostPath) && object.spec.hostPath.path in ${literal([...paths].sort())}`,
      message: `a volume must show ${[...paths].sort().join(" or ")} of the node`,
    },
  ];
}

/** A Service can be opened on every node, and take over addresses that others use (CVE-2020-8554). */
function serviceBound(services: readonly Manifest[]): Bound[] {
  const types = services.map(({ spec }) => (spec as { type?: string }).type ?? "ClusterIP");
  if (services.length === 0) return [];
  const allowed = [...new Set(types)].sort();
  return [
    {
      name: `${accessName("deploy")}-services`,
      matches: { apiGroups: [""], apiVersions: ["*"], operations: WRITES, resources: ["services"] },
      expression:
        `object.spec.type in ${literal(allowed)} && ` +
        "(!has(object.spec.externalIPs) || size(object.spec.externalIPs) == 0)",
      message: `a Service must be of the type ${allowed.join(" or ")}, without externalIPs`,
    },
  ];
}

/** The bounds of an identity. */
export function boundsFor(use: Use, manifests: readonly Manifest[]): Bound[] {
  if (use === "preview") return [dryRunsOnly()];
  const of = (resource: string) =>
    manifests.filter((manifest) => groupOf(manifest) === "" && resourceOf(manifest.kind) === resource);
  return [
    ...namespaceBound(of("namespaces")),
    ...volumeBound(of("persistentvolumes")),
    ...serviceBound(of("services")),
  ];
}

/** A bound's policy and its binding. */
export function boundObjects(use: Use, bound: Bound, metadata: object): Manifest[] {
  const common = {
    apiVersion: "admissionregistration.k8s.io/v1",
    metadata: { ...metadata, name: bound.name },
  };
  return [
    {
      ...common,
      kind: "ValidatingAdmissionPolicy",
      spec: {
        failurePolicy: "Fail",
        matchConstraints: { resourceRules: [bound.matches] },
        matchConditions: [
          { name: "identity", expression: `request.userInfo.username == ${literal(userName(use))}` },
        ],
        validations: [{ expression: bound.expression, message: bound.message, reason: "Forbidden" }],
      },
    },
    {
      ...common,
      kind: "ValidatingAdmissionPolicyBinding",
      spec: { policyName: bound.name, validationActions: ["Deny"] },
    },
  ];
}
