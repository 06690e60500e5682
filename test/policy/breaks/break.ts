/** The terms for ways to break a rule. */
import { add, decentDeployment, edit, metadata, type Change, type Name } from "../stacks.ts";

export const PV = "PersistentVolume/postgres-pv";
export const PVC = "PersistentVolumeClaim/postgres-pvc";
export const SET = "StatefulSet/postgres";
export const JOB = "Job/postgres-init";
export const TRIAL = "Job/postgres-settings";
export const CONF = "ConfigMap/postgres-config";
export const POD = "spec/template/spec";
export const SERVER = `${POD}/containers/0`;
export const SIDECAR = `${POD}/containers/1`;
export const INIT = `${POD}/initContainers/0`;

/** One way to break a rule. */
export interface Break {
  /** What somebody did. */
  by: string;
  change: Change;
  /** What the violation says. */
  message: RegExp;
  stack?: Name;
  config?: Record<string, Record<string, unknown>>;
  /** Changes that break nothing and that it needs. */
  alsoFirst?: Change[];
}

/** Says when the cluster created an object, as a stack that has been updated knows it. */
export function created(subject: string, time: string): Change {
  return edit(subject, ({ inputs }) => {
    (inputs.metadata as Record<string, unknown>).creationTimestamp = time;
  });
}

/** Changes the text of the server's configuration. */
export function conf(file: string, replace: (text: string) => string): Change {
  return edit(CONF, ({ inputs }) => {
    const data = inputs.data as Record<string, string>;
    data[file] = replace(data[file] ?? "");
  });
}

export const service = (spec: Record<string, unknown>) =>
  add("kubernetes:core/v1:Service", { metadata: metadata("added"), spec });
export const policy = (name: string, spec: Record<string, unknown>) =>
  add("kubernetes:networking.k8s.io/v1:NetworkPolicy", { metadata: metadata(name), spec });
export const remoteCommand = (connection: unknown) =>
  add("command:remote:Command", { connection, create: "true" }, { name: "on-node" });
export const workload = (kind: string, mutate: (body: Record<string, unknown>) => void): Change => {
  const body = decentDeployment("added");
  mutate(body);
  return add(`kubernetes:apps/v1:${kind}`, body);
};
