/** The real Sealed Secrets controller and kubeseal, built from their Go module, and the objects that run it in a local cluster. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { areBuilt, buildPrograms, type GoPrograms, moduleFolder, moduleSources } from "./go-programs.ts";
import { postgresImage } from "./images.ts";

/** The programs' packages, of the module in sealed-secrets/go.mod. */
export const sealedSecretsPackages = ["controller", "kubeseal"].map(
  (program) => `github.com/bitnami/sealed-secrets/cmd/${program}`,
);
const MODULE = "github.com/bitnami/sealed-secrets";

const sealedSecrets: GoPrograms = {
  name: "sealed-secrets",
  packages: sealedSecretsPackages,
  purpose: "opens SealedSecrets",
  minutes: 3,
  space: 1500,
};

/** Whether they are compiled. */
export const sealedSecretsAreBuilt = () => areBuilt(sealedSecrets);

/**
 * Builds the controller and kubeseal if the cache does not have them.
 *
 * @returns the folder with both
 */
export const buildSealedSecrets = (log: (line: string) => void) => buildPrograms(sealedSecrets, log);

/** Where the controller runs, by which kubeseal and `render --seal` find it: the defaults of its manifests. */
export const CONTROLLER = {
  namespace: "kube-system",
  name: "sealed-secrets-controller",
  /** Label of the Secrets with the sealing keys. */
  keys: "sealedsecrets.bitnami.com/sealed-secrets-key",
} as const;
const labels = { name: CONTROLLER.name };
const PORT = 8080;

/** The definition of SealedSecrets, from the module. */
export async function sealedSecretDefinition(): Promise<object> {
  const folder = await moduleSources(moduleFolder(sealedSecrets), MODULE);
  const file = join(folder, "helm/sealed-secrets/crds/bitnami.com_sealedsecrets.yaml");
  return parse(readFileSync(file, "utf8")) as object;
}

/**
 * The controller, with the rights that its own manifests give it (controller.jsonnet), as one pod. The image only has
 * the libraries that a program without any needs.
 *
 * @param binaries the folder with the program, on the node
 */
export function sealedSecretsObjects(binaries: string): object[] {
  const metadata = { name: CONTROLLER.name, namespace: CONTROLLER.namespace, labels };
  const subjects = [{ kind: "ServiceAccount", name: metadata.name, namespace: metadata.namespace }];
  const binding = (kind: "ClusterRole" | "Role", role: string) => ({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: `${kind}Binding`,
    metadata: kind === "Role" ? metadata : { name: metadata.name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind, name: role },
    subjects,
  });
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata: { name: "secrets-unsealer" },
      rules: [
        { apiGroups: ["bitnami.com"], resources: ["sealedsecrets"], verbs: ["get", "list", "watch"] },
        { apiGroups: ["bitnami.com"], resources: ["sealedsecrets/status"], verbs: ["update"] },
        {
          apiGroups: [""],
          resources: ["secrets"],
          verbs: ["get", "list", "create", "update", "delete", "watch"],
        },
        { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
        { apiGroups: [""], resources: ["namespaces"], verbs: ["get"] },
      ],
    },
    binding("ClusterRole", "secrets-unsealer"),
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "Role",
      metadata: { ...metadata, name: "sealed-secrets-key-admin" },
      rules: [{ apiGroups: [""], resources: ["secrets"], verbs: ["create", "list"] }],
    },
    binding("Role", "sealed-secrets-key-admin"),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: { selector: labels, ports: [{ name: "http", port: PORT, targetPort: PORT }] },
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: {
        replicas: 1,
        strategy: { type: "Recreate" },
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: CONTROLLER.name,
            enableServiceLinks: false,
            terminationGracePeriodSeconds: 1,
            securityContext: {
              runAsNonRoot: true,
              runAsUser: 1001,
              seccompProfile: { type: "RuntimeDefault" },
            },
            containers: [
              {
                name: "sealed-secrets-controller",
                image: postgresImage,
                imagePullPolicy: "Never",
                command: ["/binaries/controller"],
                env: [
                  { name: "POD_NAMESPACE", valueFrom: { fieldRef: { fieldPath: "metadata.namespace" } } },
                ],
                securityContext: {
                  allowPrivilegeEscalation: false,
                  readOnlyRootFilesystem: true,
                  capabilities: { drop: ["ALL"] },
                },
                ports: [{ containerPort: PORT, name: "http" }],
                readinessProbe: { httpGet: { path: "/healthz", port: "http" }, periodSeconds: 1 },
                volumeMounts: [
                  { name: "binaries", mountPath: "/binaries", readOnly: true },
                  { name: "tmp", mountPath: "/tmp" },
                ],
              },
            ],
            volumes: [
              { name: "binaries", hostPath: { path: binaries, type: "Directory" } },
              { name: "tmp", emptyDir: {} },
            ],
          },
        },
      },
    },
  ];
}
