/** Converts registered resources to files for `kubectl apply -k`, Argo CD and Flux. */
import { stringify } from "yaml";
import { type Registration, unwrapped } from "./recorder.ts";

/** A Kubernetes object. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; [field: string]: unknown };
  [field: string]: unknown;
}

/** One object and the file it goes to. */
export interface RenderedFile {
  file: string;
  manifest: Manifest;
}

/** Whether a resource is an object in the cluster. */
export function isKubernetes({ type }: Pick<Registration, "type">): boolean {
  return type.startsWith("kubernetes:");
}

/** An object's identity: its kind, without the version, its namespace and its name. */
export function objectId({ apiVersion, kind, metadata: { namespace = "", name } }: Manifest): string {
  const group = apiVersion.includes("/") ? apiVersion.split("/")[0] : "";
  return [group, kind, namespace, name].join("/");
}

/** Number and suffix of a kind's files, as in the guide. Kinds that the guide does not have get 10. */
const KINDS: Readonly<Record<string, { number: string; ending: string }>> = {
  Secret: { number: "01", ending: "" },
  // In the Secret's place.
  SealedSecret: { number: "01", ending: "" },
  ConfigMap: { number: "02", ending: "" },
  // Before anything that runs.
  NetworkPolicy: { number: "03", ending: "" },
  PersistentVolume: { number: "04", ending: "" },
  PersistentVolumeClaim: { number: "05", ending: "" },
  StatefulSet: { number: "06", ending: "-statefulset" },
  Service: { number: "07", ending: "-service" },
  Job: { number: "08", ending: "-job" },
};

/**
 * Names that predate the rule. They are an interface (people commit these files), so they stay; a new object needs no
 * line here.
 */
const EARLIER_NAMES: Readonly<Record<string, string>> = {
  "Namespace/transcript-pipeline": "00-namespace",
  "ConfigMap/postgres-settings-files": "02-check-settings-files",
  "ConfigMap/postgres-settings-scripts": "02-check-settings-scripts",
  "Job/postgres-settings": "02-check-settings-job",
  "ConfigMap/postgres-scripts": "03-postgres-scripts",
  "ConfigMap/postgres-init-scripts": "08-init-db-scripts",
  "ConfigMap/postgres-init-bootstrap": "08-init-db-bootstrap",
  "ConfigMap/postgres-init-migrations": "08-init-db-migrations",
  "Job/postgres-init": "08-init-db-job",
  "ConfigMap/postgres-upgrade-scripts": "09-upgrade-scripts",
  "ConfigMap/postgres-upgrade-sql": "09-upgrade-sql",
  "Job/postgres-upgrade": "09-upgrade-job",
};

/**
 * The file's name without its suffix. It depends only on the object, so an object that is added or removed never
 * renames another one's file.
 */
export function fileOf({ kind, metadata: { name } }: Manifest): string {
  const { number, ending } = KINDS[kind] ?? { number: "10", ending: `-${kind.toLowerCase()}` };
  // A name may contain dots; names of files that the next rendering replaces do not.
  return EARLIER_NAMES[`${kind}/${name}`] ?? `${number}-${name.replaceAll(/[^a-z0-9-]/g, "-")}${ending}`;
}

/**
 * The Kubernetes objects among the registered resources with their files, by file name.
 *
 * @throws if two objects would be written into one file
 */
export function manifestsOf(registrations: readonly Pick<Registration, "type" | "inputs">[]): RenderedFile[] {
  const files = registrations
    .filter(isKubernetes)
    .map(({ inputs }) => {
      const manifest = unwrapped(inputs) as Manifest;
      return { file: `${fileOf(manifest)}.yaml`, manifest };
    })
    .sort((a, b) => (a.file < b.file ? -1 : 1));
  for (const [index, { file, manifest }] of files.entries()) {
    const before = files[index - 1];
    if (before?.file !== file) continue;
    const names = [before.manifest, manifest].map(({ kind, metadata: { name } }) => `${kind} ${name}`);
    throw new Error(`${names.join(" and ")} would both be written to ${file}: give one of them another name`);
  }
  return files;
}

/** The text of a manifest's file. */
export function manifestText(manifest: Manifest): string {
  return stringify(manifest, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** The text of kustomization.yaml. */
export function kustomizationText(files: readonly RenderedFile[]): string {
  return stringify({
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: files.map(({ file }) => file),
  });
}
