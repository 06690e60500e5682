/** A stack as the rules see it: the engine's resources and the rendered ones alike. */
import { field, hasUnknown, isMap, listAt, mapAt, textAt, UNKNOWN } from "./values.ts";

/** A registered resource. */
export interface Resource {
  urn: string;
  /** Type token, `kubernetes:core/v1:Secret`. */
  type: string;
  /** Logical name. */
  name: string;
  /** Plain values; `UNKNOWN` where one is not known yet. */
  inputs: Record<string, unknown>;
  protect: boolean;
  /** Top-level fields that the state keeps encrypted because the program says so. */
  secretOutputs: readonly string[];
  /** URNs of what was named in dependsOn and of what the inputs are made from. */
  dependencies: readonly string[];
}

/** A Kubernetes object: a resource, or an item of a resource of a List kind. */
export interface KubernetesObject {
  resource: Resource;
  apiVersion: string;
  /** Kind, without the `Patch` of Pulumi's patch resources. */
  kind: string;
  /** Whether it patches somebody else's object. */
  patch: boolean;
  name: string;
  /** `<kind>/<name>`, as in waivers and messages. */
  subject: string;
  body: Record<string, unknown>;
}

/** Type of the stack itself: the first resource of every deployment. */
export const STACK_TYPE = "pulumi:pulumi:Stack";

/** `<kind>/<name>` of any resource. */
export function subjectOf(resource: Resource): string {
  return `${kindOf(resource.type)}/${textAt(resource.inputs, "metadata", "name") ?? resource.name}`;
}

function kindOf(type: string): string {
  return type.split(":").at(-1) ?? type;
}

const LIST = /^(.*)List$/;
const PATCH = /^(.+)Patch$/;

function objectOf(
  resource: Resource,
  apiVersion: string,
  kind: string,
  body: Record<string, unknown>,
): KubernetesObject[] {
  const list = LIST.exec(kind);
  if (list) {
    const items = field(body, "items");
    // An unseen item is an object of which nothing is known, so that no rule takes it for good.
    const unseen = { metadata: UNKNOWN, spec: UNKNOWN, data: UNKNOWN };
    return (
      items === UNKNOWN ? [unseen] : listAt(body, "items").map((item) => (item === UNKNOWN ? unseen : item))
    )
      .filter(isMap)
      .flatMap((item) =>
        objectOf(
          resource,
          textAt(item, "apiVersion") ?? apiVersion,
          textAt(item, "kind") ?? list[1] ?? "",
          item,
        ),
      );
  }
  const patched = PATCH.exec(kind);
  const plainKind = patched?.[1] ?? kind;
  const name = textAt(body, "metadata", "name") ?? resource.name;
  return [
    {
      resource,
      apiVersion,
      kind: plainKind,
      patch: patched !== null,
      name,
      subject: `${plainKind}/${name}`,
      body,
    },
  ];
}

/** The Kubernetes objects of a resource: one, or as many as a List kind has items. */
export function objectsOf(resource: Resource): KubernetesObject[] {
  const [provider, group = "", kind] = resource.type.split(":");
  // Charts, ConfigFiles and the like are components: their children come as resources of their own.
  if (provider !== "kubernetes" || kind === undefined || /^(helm\.sh|yaml|kustomize)(\/|$)/.test(group))
    return [];
  const apiVersion = textAt(resource.inputs, "apiVersion") ?? group.replace(/^core\//, "");
  return objectOf(resource, apiVersion, kind, resource.inputs);
}

/** Type token of an object as a resource of its own: `kubernetes:core/v1:Secret`. */
export function tokenOf({
  apiVersion,
  kind,
  patch,
}: Pick<KubernetesObject, "apiVersion" | "kind" | "patch">): string {
  const group = apiVersion.includes("/") ? apiVersion : `core/${apiVersion}`;
  return `kubernetes:${group}:${kind}${patch ? "Patch" : ""}`;
}

/** All Kubernetes objects of a stack. */
export function objectsIn(stack: readonly Resource[]): KubernetesObject[] {
  return stack.flatMap(objectsOf);
}

/** Labels of an object. */
export function labelsOf(body: unknown): Record<string, unknown> {
  return mapAt(body, "metadata", "labels");
}

/**
 * Whether labels match a selector, as far as both are known before the deployment; an empty selector selects
 * everything.
 */
export function maySelect(selector: unknown, labels: unknown): boolean {
  const matched = Object.entries(mapAt(selector, "matchLabels")).every(([key, wanted]) => {
    const value = field(labels, key);
    return value === wanted || value === UNKNOWN || wanted === UNKNOWN;
  });
  return (
    matched &&
    listAt(selector, "matchExpressions").every((expression) => {
      const value = field(labels, textAt(expression, "key") ?? "");
      const values = listAt(expression, "values");
      if (value === UNKNOWN || hasUnknown(expression)) return true;
      switch (field(expression, "operator")) {
        case "In":
          return value !== undefined && values.includes(value);
        case "NotIn":
          return value === undefined || !values.includes(value);
        case "Exists":
          return value !== undefined;
        default:
          return value === undefined;
      }
    })
  );
}

/** Whether two objects can be in one namespace; where one is not known before the deployment, they can. */
export function mayShareNamespace(one: KubernetesObject, other: KubernetesObject): boolean {
  const [first, second] = [one, other].map(({ body }) => field(body, "metadata", "namespace"));
  return first === second || first === UNKNOWN || second === UNKNOWN;
}

const CLUSTER_WIDE =
  /^(Namespace|Node|PersistentVolume|StorageClass|CSIDriver|CSINode|VolumeSnapshotClass|VolumeSnapshotContent|PriorityClass|RuntimeClass|IngressClass|GatewayClass|ClusterRole|ClusterRoleBinding|CustomResourceDefinition|APIService|(Mutating|Validating)(WebhookConfiguration|AdmissionPolicy|AdmissionPolicyBinding)|DeviceClass|ResourceSlice|FlowSchema|PriorityLevelConfiguration|CertificateSigningRequest|Cluster[A-Z].*)$/;

/** Whether a kind is outside namespaces. */
export function isClusterWide(kind: string): boolean {
  return CLUSTER_WIDE.test(kind);
}

/** URNs of everything that a resource waits for, directly or not. */
export function waitsFor(resource: Resource, stack: readonly Resource[]): Set<string> {
  const byUrn = new Map(stack.map((other) => [other.urn, other]));
  const reached = new Set<string>();
  const visit = ({ dependencies }: Resource) => {
    for (const urn of dependencies) {
      if (reached.has(urn)) continue;
      reached.add(urn);
      const next = byUrn.get(urn);
      if (next) visit(next);
    }
  };
  visit(resource);
  return reached;
}
