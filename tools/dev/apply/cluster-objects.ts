/** Objects of any kind in a cluster, through kubectl, which knows the address of each kind. */
import { type ClusterContext, contextFlags } from "../../../cluster/kubectl.ts";
import { withoutDumps } from "../../../cluster/kubectl-errors.ts";
import { type Manifest, objectId } from "../../evaluation/manifests.ts";
import { attempt, CommandFailed, type RunResult } from "../../processes.ts";

/** An object as the cluster has it. */
export type LiveObject = Manifest & {
  metadata: { generation?: number; ownerReferences?: unknown[]; managedFields?: { manager?: string }[] };
};

/** The name under which objects are applied, by which those are known that an earlier rendering made. */
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

/** What applying a rendering asks of a cluster. */
export type Objects = Pick<
  ClusterObjects,
  "read" | "apply" | "takesChange" | "takesNew" | "delete" | "logs" | "labelled"
>;

/** What is done to the objects of a cluster. */
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

  /** Those of the objects that the cluster has, by {@link objectId}. */
  async read(objects: readonly Manifest[]): Promise<Map<string, LiveObject>> {
    if (objects.length === 0) return new Map();
    const args = ["get", "-f", "-", "--ignore-not-found", "-o", "json"];
    const found = itemsIn(await this.run(args, listOf(objects.map(reference))));
    return new Map(found.map((object) => [objectId(object), object]));
  }

  /**
   * Makes the objects, or makes those that are there what they should be, one after the other.
   *
   * @returns a line for each
   */
  async apply(objects: readonly Manifest[]): Promise<string> {
    return objects.length === 0 ? "" : this.run(APPLY, listOf(objects));
  }

  /** Whether the cluster would make the object that is there into this one. */
  async takesChange(object: Manifest): Promise<boolean> {
    return (await this.attempt([...APPLY, "--dry-run=server"], JSON.stringify(object))).ok;
  }

  /** Whether the cluster would take the object if none of its name were there. */
  async takesNew(object: Manifest): Promise<boolean> {
    // A name that only this question uses; it is as valid as the object's own.
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

  /** The last lines of what an object's pods have said. */
  logs({ kind, metadata: { name, namespace = "" } }: Manifest): Promise<string> {
    const which = ["-n", namespace, `${kind.toLowerCase()}/${name}`];
    return this.run(["logs", ...which, "--all-containers", "--tail=20"]);
  }

  /**
   * Every object with a label, of whatever kind the cluster knows, in a namespace or in none.
   *
   * @param scope a namespace, or the objects that are in none
   */
  async labelled(selector: string, scope: { namespace: string } | "cluster"): Promise<LiveObject[]> {
    const isCluster = scope === "cluster";
    // It names what it knows also where an aggregated API does not answer, and fails then.
    const known = await this.attempt([
      ...["api-resources", "--verbs=list,delete", "-o", "name", `--namespaced=${!isCluster}`],
    ]);
    const kinds = known.output.split("\n").filter((kind) => kind !== "");
    if (kinds.length === 0) throw new CommandFailed("kubectl api-resources", known.status, known.errors);
    const found = await this.attempt([
      ...["get", kinds.join(","), "-l", selector, "-o", "json", "--show-managed-fields"],
      ...(isCluster ? [] : ["-n", scope.namespace]),
    ]);
    // Nothing at all is no answer. Where some kinds cannot be listed, what this user has made is of the others.
    if (!found.ok && found.output.trim() === "")
      throw new CommandFailed("kubectl get", found.status, withoutDumps(found.errors));
    return itemsIn(found.output);
  }
}
