/** From registered resources to files that `kubectl apply -k`, Argo CD and Flux take. */
import { stringify } from "yaml";
import { type Registration, unwrapped } from "./recorder.ts";
import { LOGIN_SECRET_PREFIX } from "../../components/kubernetes/names.ts";

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

/** The files' names; the guide's where it has one. They are an interface: never renumber one. */
const FILES: Readonly<Record<string, string>> = {
  "Namespace/transcript-pipeline": "00-namespace",
  "Secret/postgres-secret": "01-postgres-secret",
  "Secret/postgres-superuser": "01-postgres-superuser",
  "Secret/postgres-logins": "01-postgres-logins",
  "ConfigMap/postgres-settings-files": "02-check-settings-files",
  "ConfigMap/postgres-settings-scripts": "02-check-settings-scripts",
  "Job/postgres-settings": "02-check-settings-job",
  "ConfigMap/postgres-config": "02-postgres-config",
  "ConfigMap/postgres-scripts": "03-postgres-scripts",
  "PersistentVolume/postgres-pv": "04-postgres-pv",
  "PersistentVolumeClaim/postgres-pvc": "05-postgres-pvc",
  "StatefulSet/postgres": "06-postgres-statefulset",
  "Service/postgres": "07-postgres-service",
  "Service/postgres-headless": "07-postgres-headless-service",
  "ConfigMap/postgres-init-scripts": "08-init-db-scripts",
  "ConfigMap/postgres-init-bootstrap": "08-init-db-bootstrap",
  "ConfigMap/postgres-init-migrations": "08-init-db-migrations",
  "Job/postgres-init": "08-init-db-job",
  "ConfigMap/postgres-upgrade-scripts": "09-upgrade-scripts",
  "ConfigMap/postgres-upgrade-sql": "09-upgrade-sql",
  "Job/postgres-upgrade": "09-upgrade-job",
};

/** The file's name without its ending. A login's Secret is named by the configuration; it goes beside the others. */
function fileOf({ kind, metadata: { name } }: Manifest): string {
  if (kind === "Secret" && name.startsWith(LOGIN_SECRET_PREFIX)) return `01-${name}`;
  return FILES[`${kind}/${name}`] ?? `50-${kind}-${name}`.toLowerCase();
}

/** The Kubernetes objects among the registered resources, with their files. */
export function manifestsOf(registrations: readonly Pick<Registration, "type" | "inputs">[]): RenderedFile[] {
  return registrations
    .filter(({ type }) => type.startsWith("kubernetes:"))
    .map(({ inputs }) => {
      const manifest = unwrapped(inputs) as Manifest;
      return { file: `${fileOf(manifest)}.yaml`, manifest };
    })
    .sort((a, b) => (a.file < b.file ? -1 : 1));
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
