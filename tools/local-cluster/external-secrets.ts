/** The controller of External Secrets for a local cluster: built from its Go module when a test needs it. */
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { makeWhole, requireSpace } from "./disk.ts";
import { buildArguments, compile, moduleSources } from "./go-programs.ts";
import { postgresImage } from "./images.ts";
import { cacheRoot, digest } from "./paths.ts";
import { withLock } from "../lock.ts";

const MODULE = "github.com/external-secrets/external-secrets";
const moduleFolder = join(import.meta.dirname, "external-secrets");

/** On two cores, from scratch. */
const MINUTES = 4;
/** Peak use of Go's caches plus the result. */
const SPACE_MIB = 2500;
const PROGRAM = "external-secrets";
/** Where its pod has the folder: nobody but root may enter root's own. */
const PLACE = "/program";

/** The definitions that the controller watches with the flags that it is given here, by their files' names. */
const definitions = [
  "external-secrets.io_externalsecrets",
  "external-secrets.io_secretstores",
  "external-secrets.io_clustersecretstores",
  "generators.external-secrets.io_generatorstates",
].map((name) => `${name}.yaml`);

/** What is built: a folder of the cache. */
export interface ExternalSecrets {
  /** With the program, for the controller's pod. */
  folder: string;
  /** Files of its CustomResourceDefinitions. */
  definitions: string[];
}

/** Changes with everything that could change the program. */
function target(): string {
  const files = readdirSync(moduleFolder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .flatMap((file) => [relative(moduleFolder, file), readFileSync(file, "utf8")]);
  const key = digest([...buildArguments, ...definitions, ...files].join("\0")).slice(0, 12);
  return join(cacheRoot(), "binaries", `external-secrets-${key}`);
}

/** Whether it is compiled. */
export function externalSecretsIsBuilt(): boolean {
  return existsSync(target());
}

/**
 * Builds the controller if the cache does not have it. Its own module says the versions of everything it imports, and
 * pins their sums; ours pins its own. Two of its files, which list the kinds of stores, are replaced by shorter ones.
 */
export async function buildExternalSecrets(log: (line: string) => void): Promise<ExternalSecrets> {
  await withLock(join(cacheRoot(), "external-secrets.lock"), log, async () => {
    if (externalSecretsIsBuilt()) return;
    requireSpace(cacheRoot(), SPACE_MIB, "building External Secrets");
    log(`building the controller of External Secrets: about ${MINUTES} min on 2 cores, once…`);
    await makeWhole(target(), build);
  });
  const folder = target();
  return { folder, definitions: definitions.map((file) => join(folder, file)) };
}

async function build(folder: string): Promise<void> {
  const sources = `${folder}.sources`;
  rmSync(sources, { recursive: true, force: true });
  try {
    await copySources(sources);
    mkdirSync(folder);
    await compile(sources, join(folder, PROGRAM), ["."], availableParallelism());
    for (const file of definitions) cpSync(join(sources, "config/crds/bases", file), join(folder, file));
  } finally {
    rmSync(sources, { recursive: true, force: true });
  }
}

/** The module's sources with our files in their places. Go's own copy is read-only. */
async function copySources(sources: string): Promise<void> {
  const original = await moduleSources(moduleFolder, MODULE);
  cpSync(original, sources, { recursive: true });
  for (const entry of readdirSync(sources, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o755);
  }
  chmodSync(sources, 0o755);
  for (const place of ["pkg/provider/register", "pkg/generator/register"]) {
    rmSync(join(sources, place), { recursive: true });
    cpSync(join(moduleFolder, place), join(sources, place), { recursive: true });
  }
}

/** The namespace of the controller, as in its own installation. */
export const externalSecretsNamespace = "external-secrets";
/** Of the Deployment, its account and its role. */
export const externalSecretsName = "external-secrets";
const labels = { "app.kubernetes.io/name": externalSecretsName };

/**
 * What the controller does with the kinds that it is told to serve, and nothing else. Upstream's chart also grants the
 * kinds that are switched off here, and the deletion of Secrets, which it needs for `creationPolicy: Owner` alone.
 */
const rules = [
  rule("external-secrets.io", "externalsecrets secretstores clustersecretstores", "get list watch"),
  rule(
    "external-secrets.io",
    "externalsecrets/status secretstores/status clustersecretstores/status",
    "update patch",
  ),
  rule("generators.external-secrets.io", "generatorstates", "list watch"),
  rule("", "secrets", "get list watch create update patch"),
  // A store that asks for the token of an account, and one that is limited to namespaces.
  rule("", "serviceaccounts namespaces", "get list watch"),
  rule("", "serviceaccounts/token", "create"),
  rule("", "events", "create patch"),
];

function rule(group: string, resources: string, verbs: string): object {
  return { apiGroups: [group], resources: resources.split(" "), verbs: verbs.split(" ") };
}

/**
 * The controller, as a pod. The image only has what every program needs; the program is the node's file.
 *
 * @param environment for the controller's process, such as the address of an AWS service
 */
export function externalSecretsObjects(
  { folder }: ExternalSecrets,
  environment: Readonly<Record<string, string>> = {},
): object[] {
  const metadata = { name: externalSecretsName, namespace: externalSecretsNamespace, labels };
  const role = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: externalSecretsName };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: externalSecretsNamespace } },
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata: { name: externalSecretsName },
      rules,
    },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: externalSecretsName },
      roleRef: role,
      subjects: [{ kind: "ServiceAccount", name: externalSecretsName, namespace: externalSecretsNamespace }],
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
            serviceAccountName: externalSecretsName,
            enableServiceLinks: false,
            terminationGracePeriodSeconds: 5,
            securityContext: { runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532 },
            containers: [
              {
                name: "controller",
                image: postgresImage,
                imagePullPolicy: "Never",
                command: [
                  join(PLACE, PROGRAM),
                  "--concurrent=4",
                  "--enable-cluster-external-secret-reconciler=false",
                  "--enable-cluster-push-secret-reconciler=false",
                  "--enable-push-secret-reconciler=false",
                  // How soon a store that was out of reach is said to be back. Upstream's default is 5 minutes.
                  "--store-requeue-interval=15s",
                  "--zap-time-encoding=rfc3339",
                ],
                env: Object.entries(environment).map(([name, value]) => ({ name, value })),
                readinessProbe: {
                  tcpSocket: { port: 8080 },
                  ...{ periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 10 },
                },
                securityContext: {
                  allowPrivilegeEscalation: false,
                  readOnlyRootFilesystem: true,
                  capabilities: { drop: ["ALL"] },
                },
                volumeMounts: [{ name: "program", mountPath: PLACE, readOnly: true }],
              },
            ],
            volumes: [{ name: "program", hostPath: { path: folder, type: "Directory" } }],
          },
        },
      },
    },
  ];
}
