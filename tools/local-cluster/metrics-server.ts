/** The figures of nodes and pods in a local cluster, as K3s has them: metrics-server, which `kubectl top` asks. */
import { join } from "node:path";
import { areBuilt, buildPrograms, type GoPrograms, moduleFolder, moduleSources } from "./go-programs.ts";
import { postgresImage } from "./images.ts";

/** The program's package, of the module in metrics-server/go.mod. */
export const metricsServerPackage = "sigs.k8s.io/metrics-server/cmd/metrics-server";
const MODULE = "sigs.k8s.io/metrics-server";

const metricsServer: GoPrograms = {
  name: "metrics-server",
  packages: [metricsServerPackage],
  purpose: "answers kubectl top",
  minutes: 4,
  space: 1500,
};

/** Whether it is compiled. */
export const metricsServerIsBuilt = () => areBuilt(metricsServer);

/**
 * Builds metrics-server if the cache does not have it: only for a cluster that was asked for figures.
 *
 * @returns the folder with the program
 */
export const buildMetricsServer = (log: (line: string) => void) => buildPrograms(metricsServer, log);

/** The folder with the manifests of its own project. */
export const metricsServerManifests = async () =>
  join(await moduleSources(moduleFolder(metricsServer), MODULE), "manifests/base");

/** Of its Deployment, its Service and its account. */
export const METRICS_SERVER = "metrics-server";
const NAMESPACE = "kube-system";
const GROUP = "metrics.k8s.io";
const PORT = 10250;
/** Where its pod has the program: nobody but root may enter root's own folder. */
const PLACE = "/program";
/** The authority that signed the kubelet's certificate, as every pod gets it. */
const AUTHORITY = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
const labels = { "k8s-app": METRICS_SERVER };

const rbac = "rbac.authorization.k8s.io";

function binding(name: string, kind: "ClusterRole" | "Role", role: string): object {
  return {
    apiVersion: `${rbac}/v1`,
    kind: `${kind}Binding`,
    metadata: { name, labels, ...(kind === "Role" && { namespace: NAMESPACE }) },
    roleRef: { apiGroup: rbac, kind, name: role },
    subjects: [{ kind: "ServiceAccount", name: METRICS_SERVER, namespace: NAMESPACE }],
  };
}

function clusterRole(name: string, rules: object[], more: Readonly<Record<string, string>> = {}): object {
  return {
    apiVersion: `${rbac}/v1`,
    kind: "ClusterRole",
    metadata: { name, labels: { ...labels, ...more } },
    rules,
  };
}

const read = ["get", "list", "watch"];

/**
 * The objects of its own manifests ({@link metricsServerManifests}), with their rights and flags. It checks the kubelet's
 * certificate in addition, and is ready as soon as it has figures, not 20 s after its start at the earliest. The image
 * only has the libraries that a program without any needs.
 *
 * @param binaries the folder with the program, on the node
 */
export function metricsServerObjects(binaries: string): object[] {
  const metadata = { name: METRICS_SERVER, namespace: NAMESPACE, labels };
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    clusterRole(
      "system:aggregated-metrics-reader",
      [{ apiGroups: [GROUP], resources: ["pods", "nodes"], verbs: read }],
      Object.fromEntries(["view", "edit", "admin"].map((role) => [`${rbac}/aggregate-to-${role}`, "true"])),
    ),
    clusterRole(`system:${METRICS_SERVER}`, [
      { apiGroups: [""], resources: ["nodes/metrics"], verbs: ["get"] },
      { apiGroups: [""], resources: ["pods", "nodes"], verbs: read },
    ]),
    binding(`system:${METRICS_SERVER}`, "ClusterRole", `system:${METRICS_SERVER}`),
    binding(`${METRICS_SERVER}:system:auth-delegator`, "ClusterRole", "system:auth-delegator"),
    binding(`${METRICS_SERVER}-auth-reader`, "Role", "extension-apiserver-authentication-reader"),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: {
        selector: labels,
        ports: [{ name: "https", port: 443, targetPort: PORT, appProtocol: "https" }],
      },
    },
    {
      apiVersion: "apiregistration.k8s.io/v1",
      kind: "APIService",
      metadata: { name: `v1beta1.${GROUP}`, labels },
      spec: {
        group: GROUP,
        version: "v1beta1",
        service: { name: METRICS_SERVER, namespace: NAMESPACE },
        // It makes its own certificate at each start.
        insecureSkipTLSVerify: true,
        groupPriorityMinimum: 100,
        versionPriority: 100,
      },
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
            serviceAccountName: METRICS_SERVER,
            enableServiceLinks: false,
            terminationGracePeriodSeconds: 1,
            priorityClassName: "system-cluster-critical",
            tolerations: [{ operator: "Exists" }],
            securityContext: {
              runAsNonRoot: true,
              runAsUser: 1000,
              seccompProfile: { type: "RuntimeDefault" },
            },
            containers: [
              {
                name: METRICS_SERVER,
                image: postgresImage,
                imagePullPolicy: "Never",
                command: [
                  join(PLACE, METRICS_SERVER),
                  "--cert-dir=/tmp",
                  `--secure-port=${PORT}`,
                  "--kubelet-preferred-address-types=InternalIP",
                  "--kubelet-use-node-status-port",
                  `--kubelet-certificate-authority=${AUTHORITY}`,
                  "--metric-resolution=15s",
                ],
                // Not by the API server's Service: after a reboot the pod starts before kube-proxy has rules for that, and
                // ends when it gets no answer.
                env: [
                  {
                    name: "KUBERNETES_SERVICE_HOST",
                    valueFrom: { fieldRef: { fieldPath: "status.hostIP" } },
                  },
                  { name: "KUBERNETES_SERVICE_PORT", value: "6443" },
                ],
                ports: [{ name: "https", containerPort: PORT }],
                readinessProbe: {
                  httpGet: { path: "/readyz", port: "https", scheme: "HTTPS" },
                  ...{ periodSeconds: 1, timeoutSeconds: 5 },
                },
                securityContext: {
                  allowPrivilegeEscalation: false,
                  readOnlyRootFilesystem: true,
                  capabilities: { drop: ["ALL"] },
                },
                volumeMounts: [
                  { name: "program", mountPath: PLACE, readOnly: true },
                  { name: "tmp", mountPath: "/tmp" },
                ],
              },
            ],
            volumes: [
              { name: "program", hostPath: { path: binaries, type: "Directory" } },
              { name: "tmp", emptyDir: {} },
            ],
          },
        },
      },
    },
  ];
}
