/** Objects of any kind in a cluster, through kubectl, which knows the address of each kind. */
import { type ClusterContext, contextFlags } from "../../../cluster/kubectl.ts";
import { withoutDumps } from "../../../cluster/kubectl-errors.ts";
import { type Manifest, objectId } from "../../evaluation/manifests.ts";
import { attempt, CommandFailed, type RunResult } from "../../processes.ts";

/** An object as the cluster has it. */
export type LiveObject = Manifest & {
  metadata: { generation?: number; ownerReferences?: unknown[]; managedFields?: { manager?: string }[] };
};

/** The field manager of applied objects, which identifies those that an earlier rendering made. */
export const FIELD_MANAGER = "transcript-pipeline";

const APPLY = ["apply", "--server-side", "--force-conflicts", `--field-manager=${FIELD_MANAGER}`, "-f", "-"];

/** Enough of an object to find it. */
const reference = ({ apiVersion, kind, metadata: { name, namespace } }: Manifest): Manifest => ({
  apiVersion,
  kind,
  metadata: { name, ...(namespace !== undefined && { namespace }) },
});

const listOf = (items: readonly Manifest[]) => JSON.stringify({ apiVersion: "v1", kind: "List", items });

function itemsIn(answer: string): LiveObject[] {
  if (answer.trim() === "") return [];
  const object = JSON.parse(answer) as LiveObject & { items?: LiveObject[] };
  return object.items ?? [object];
}

/** What applying a rendering needs from a cluster. */
export type Objects = Pick<
  ClusterObjects,
  "read" | "apply" | "takesChange" | "takesNew" | "delete" | "logs" | "labelled"
>;

/** Operations on a cluster's objects. */
export class ClusterObjects {
  private readonly cluster: ClusterContext;
  constructor(cluster: ClusterContext) {
    this.cluster = cluster;
  }

  private attempt(args: readonly string[], input?: string): Promise<RunResult> {
    const options = input === undefined ? {} : { input };
    return attempt("kubectl", [...contextFlags(this.cluster), ...args], options);
  }

  private async run(args: readonly string[], input?: string): Promise<string> {
    const { ok, status, output, errors } = await this.attempt(args, input);
    if (ok) return output;
    throw new CommandFailed(`kubectl ${args[0]}`, status, withoutDumps(errors));
  }

  /** The objects that exist in the cluster, by {@link objectId}. */
  async read(objects: readonly Manifest[]): Promise<Map<string, LiveObject>> {
    if (objects.length === 0) return new Map();
    const args = ["get", "-f", "-", "--ignore-not-found", "-o", "json"];
    const found = itemsIn(await this.run(args, listOf(objects.map(reference))));
    return new Map(found.map((object) => [objectId(object), object]));
  }

  /**
   * Creates the objects, or updates existing ones, one after the other.
   *
   * @returns a line for each
   */
  async apply(objects: readonly Manifest[]): Promise<string> {
    return objects.length === 0 ? "" : this.run(APPLY, listOf(objects));
  }

  /** Whether the cluster accepts the object as an update of the existing one. */
  async takesChange(object: Manifest): Promise<boolean> {
    return (await this.attempt([...APPLY, "--dry-run=server"], JSON.stringify(object))).ok;
  }

  /** Whether the cluster would accept the object if no object had its name. */
  async takesNew(object: Manifest): Promise<boolean> {
    // A name used only here, as valid as the object's own.
    const name = `${object.metadata.name.slice(0, 40).replace(/[^a-z0-9]+$/, "")}-asked`;
    const asked = { ...object, metadata: { ...object.metadata, name } };
    return (await this.attempt(["create", "--dry-run=server", "-f", "-"], JSON.stringify(asked))).ok;
  }

  /** Deletes the objects, and waits until they are gone. */
  async delete(objects: readonly Manifest[]): Promise<void> {
    if (objects.length === 0) return;
    const args = ["delete", "-f", "-", "--ignore-not-found", "--wait=true"];
    await this.run(args, listOf(objects.map(reference)));
  }

  /** The last lines of the logs of an object's pods. */
  logs({ kind, metadata: { name, namespace = "" } }: Manifest): Promise<string> {
    const which = ["-n", namespace, `${kind.toLowerCase()}/${name}`];
    return this.run(["logs", ...which, "--all-containers", "--tail=20"]);
  }

  /**
   * Every object with a label, of any kind that the cluster has, namespaced or not.
   *
   * @param scope a namespace, or the objects outside of namespaces
   */
  async labelled(selector: string, scope: { namespace: string } | "cluster"): Promise<LiveObject[]> {
    const isCluster = scope === "cluster";
    // If an aggregated API does not answer, this fails and still prints the known kinds.
    const known = await this.attempt([
      ...["api-resources", "--verbs=list,delete", "-o", "name", `--namespaced=${!isCluster}`],
    ]);
    const kinds = known.output.split("\n").filter((kind) => kind !== "");
    if (kinds.length === 0) throw new CommandFailed("kubectl api-resources", known.status, known.errors);
    const found = await this.attempt([
      ...["get", kinds.join(","), "-l", selector, "-o", "json", "--show-managed-fields"],
      ...(isCluster ? [] : ["-n", scope.namespace]),
    ]);
    // Empty output is not an answer. If some kinds cannot be listed, this user's objects are of the others.
    if (!found.ok && found.output.trim() === "")
      throw new CommandFailed("kubectl get", found.status, withoutDumps(found.errors));
    return itemsIn(found.output);
  }
}
