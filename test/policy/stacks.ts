/** The real resources of dev and prod, and changes of them. */
import assert from "node:assert/strict";
import type { PackConfig } from "../../policy/configuration.ts";
import { judgeOne, judgeWhole, type Violation } from "../../policy/judgement.ts";
import { objectsOf, type Resource, subjectOf } from "../../policy/resources.ts";
import { rules } from "../../policy/rules/index.ts";
import { field, isMap, listAt } from "../../policy/values.ts";
import { projectFile } from "../../tools/cli.ts";
import { packConfigOf, withNode } from "../../tools/evaluation/policy-config.ts";
import { evaluate } from "../../tools/evaluation/evaluate.ts";
import { resourcesOf } from "../../tools/evaluation/policy-stack.ts";
import { readStackFile } from "../../tools/stack-file/stack-file.ts";

export type Name = "dev" | "prod";

/** A day on which the waivers hold; the tests do not depend on the day they run. */
export const DAY = "2026-12-01";

/** A stack with the pack's configuration for it. */
export interface Judged {
  name: Name;
  resources: readonly Resource[];
  config: PackConfig;
}

const loaded = new Map<Name, Promise<Judged>>();

async function load(name: Name): Promise<Judged> {
  const { config } = readStackFile(projectFile(`Pulumi.${name}.yaml`));
  return {
    name,
    resources: resourcesOf(await evaluate(name, withNode(name, config))),
    config: packConfigOf(name, undefined),
  };
}

/** A stack as it is committed. One evaluation at a time: they share the SDK's state. */
export async function stackOf(name: Name): Promise<Judged> {
  if (!loaded.has(name)) {
    const before = [...loaded.values()];
    loaded.set(
      name,
      Promise.all(before).then(() => load(name)),
    );
  }
  return (await loaded.get(name)) as Judged;
}

/** Violations of a resource alone, remembered: mutants share all but one of theirs. */
const remembered = new WeakMap<PackConfig, WeakMap<Resource, Violation[]>>();

function violationsOfOne(resource: Resource, config: PackConfig): Violation[] {
  const known = remembered.get(config) ?? new WeakMap<Resource, Violation[]>();
  remembered.set(config, known);
  const found = known.get(resource) ?? judgeOne(rules, resource, config, DAY);
  known.set(resource, found);
  return found;
}

/** All violations of a stack. */
export function allViolationsOf({ resources, config }: Pick<Judged, "resources" | "config">): Violation[] {
  return [
    ...resources.flatMap((resource) => violationsOfOne(resource, config)),
    ...judgeWhole(rules, resources, config, DAY),
  ];
}

/** Mandatory violations of a stack. */
export function violationsOf(stack: Pick<Judged, "resources" | "config">): Violation[] {
  return allViolationsOf(stack).filter(({ rule }) => rule.level === "mandatory");
}

/** The parts of a pointer, `spec/ports/0`; `~1` is a slash in a name. */
function partsOf(pointer: string): string[] {
  return pointer.split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** A copy, which structuredClone would refuse to make of an unknown value. */
export function copyOf<Value>(value: Value): Value {
  if (Array.isArray(value)) return value.map(copyOf) as Value;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, copyOf(entry)])) as Value;
}

/** Sets the value at a pointer, creating the maps above it; undefined removes it. */
export function setAt(target: Record<string, unknown>, pointer: string, value: unknown): void {
  const parts = partsOf(pointer);
  const last = parts.pop() ?? "";
  let current: Record<string, unknown> = target;
  for (const part of parts) {
    if (typeof current[part] !== "object" || current[part] === null) current[part] = {};
    current = current[part] as Record<string, unknown>;
  }
  if (value !== undefined) current[last] = copyOf(value);
  else if (Array.isArray(current)) current.splice(Number(last), 1);
  else delete current[last];
}

/** A change of a stack. */
export type Change = (resources: Resource[]) => void;

/** Whether a resource is the one with this subject, or holds it. */
function is(resource: Resource, subject: string): boolean {
  // Components have the names of what they hold.
  if (resource.type.startsWith("transcript-pipeline:")) return false;
  return subjectOf(resource) === subject || objectsOf(resource).some((object) => object.subject === subject);
}

/** Changes one resource, given as `<kind>/<name>`. A patch of it that another change added is left alone. */
export function edit(subject: string, change: (resource: Resource) => void): Change {
  return (resources) => {
    const found = resources.filter((resource) => !resource.type.endsWith("Patch") && is(resource, subject));
    assert.equal(found.length, 1, `${found.length} resources are ${subject}`);
    for (const resource of found) change(resource);
  };
}

/** Sets one field of one resource. */
export function set(subject: string, pointer: string, value: unknown): Change {
  return edit(subject, (resource) => setAt(resource.inputs, pointer, value));
}

/** Removes one field of one resource. */
export function drop(subject: string, pointer: string): Change {
  return set(subject, pointer, undefined);
}

/** Adds a Kubernetes object. */
export function add(type: string, body: Record<string, unknown>, more: Partial<Resource> = {}): Change {
  return (resources) => {
    const metadata = isMap(body.metadata) ? body.metadata : {};
    const name = typeof metadata.name === "string" ? metadata.name : "added";
    const kind = type.split(":").at(-1);
    resources.push({
      urn: `urn:pulumi:${resources[0]?.urn.split(":")[2]}::transcript-pipeline::${type}::${name}`,
      type,
      name,
      inputs: type.startsWith("kubernetes:") ? { kind, ...copyOf(body) } : copyOf(body),
      protect: true,
      secretOutputs: ["data", "stringData"],
      dependencies: [],
      ...more,
    });
  };
}

/** A stack with changes. The original stays as it is. */
export function changed(stack: Judged, ...changes: Change[]): Judged {
  const resources: Resource[] = copyOf([...stack.resources]);
  for (const change of changes) change(resources);
  return { ...stack, resources };
}

/**
 * Has the Job postgres-settings try what the server gets after the changes before it, as the program would: the same files,
 * image and bound. Otherwise every change of the server's configuration would break settings-tried, and nothing else would
 * count.
 */
export const triedAlike: Change = (resources) => {
  const find = (subject: string) => resources.find((resource) => is(resource, subject))?.inputs;
  const containersOf = (inputs: Record<string, unknown> | undefined) =>
    listAt(inputs, "spec", "template", "spec", "containers").concat(
      listAt(inputs, "spec", "template", "spec", "initContainers"),
    );
  const files = find("ConfigMap/postgres-settings-files");
  const config = find("ConfigMap/postgres-config");
  if (files && config) setAt(files, "data", config.data);
  const server = containersOf(find("StatefulSet/postgres")).find(
    (container) => field(container, "name") === "postgres",
  );
  const bound = listAt(server, "env").find((entry) => field(entry, "name") === "ADDRESS_SPACE");
  for (const container of containersOf(find("Job/postgres-settings"))) {
    if (!isMap(container) || !isMap(server)) continue;
    setAt(container, "image", server.image);
    if (container.env !== undefined) setAt(container, "env", bound === undefined ? undefined : [bound]);
  }
};

/** Recommended labels, for objects that tests add. */
export const labels = {
  "app.kubernetes.io/name": "added",
  "app.kubernetes.io/instance": "transcript-pipeline",
  "app.kubernetes.io/component": "added",
  "app.kubernetes.io/part-of": "transcript-pipeline",
  "app.kubernetes.io/managed-by": "pulumi",
};

/** Metadata of an object that a test adds. */
export function metadata(name: string): Record<string, unknown> {
  return { name, namespace: "transcript-pipeline", labels };
}

/** A pod that keeps to every rule. */
export function decentPod(): Record<string, unknown> {
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
    containers: [decentContainer()],
  };
}

/** A container that keeps to every rule. */
export function decentContainer(): Record<string, unknown> {
  return {
    name: "api",
    image: `ghcr.io/example/api:1.2.3@sha256:${"0123456789abcdef".repeat(4)}`,
    resources: {
      requests: { cpu: "50m", memory: "64Mi", "ephemeral-storage": "64Mi" },
      limits: { cpu: "500m", memory: "128Mi", "ephemeral-storage": "256Mi" },
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      readOnlyRootFilesystem: true,
    },
    readinessProbe: { httpGet: { path: "/ready", port: 8080 } },
    livenessProbe: { httpGet: { path: "/live", port: 8080 } },
    ports: [{ name: "http", containerPort: 8080 }],
  };
}

/** A Deployment that keeps to every rule. */
export function decentDeployment(name = "api"): Record<string, unknown> {
  return {
    metadata: metadata(name),
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { ...labels, app: name } }, spec: decentPod() },
    },
  };
}
