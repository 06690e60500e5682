/** The real Sealed Secrets controller in the tests' cluster. */
import assert from "node:assert/strict";
import {
  buildSealedSecrets,
  CONTROLLER,
  sealedSecretDefinition,
  sealedSecretsObjects,
} from "../../../tools/local-cluster/sealed-secrets.ts";
import { execute, kubectl, type Ran, succeed, theCluster, until } from "../support.ts";

const NAMESPACE = "transcript-pipeline";

/** Creates or changes objects. */
export async function apply(...items: unknown[]): Promise<void> {
  await succeed("kubectl", ["--kubeconfig", theCluster().kubeconfig, "apply", "-f", "-"], {
    input: JSON.stringify({ apiVersion: "v1", kind: "List", items }),
  });
}

/**
 * Starts the controller, and waits until it serves its certificate.
 *
 * @returns the folder with kubeseal
 */
export async function startController(): Promise<string> {
  const binaries = await buildSealedSecrets(console.log);
  await apply(await sealedSecretDefinition());
  await kubectl("wait", "crd", "sealedsecrets.bitnami.com", "--for=condition=Established", "--timeout=60s");
  await apply(...sealedSecretsObjects(binaries));
  await untilServing();
  return binaries;
}

/** Waits until the controller serves its certificate. */
async function untilServing(): Promise<void> {
  await kubectl(
    ...["rollout", "status", "deployment", CONTROLLER.name, "-n", CONTROLLER.namespace, "--timeout=180s"],
  );
  await until("the controller serves its certificate", async () => (await fetched()).status === 0, 60_000);
}

/** The certificate, as the messages of `render --seal` say how to fetch it. */
function fetched(): Promise<Ran> {
  const path = `/api/v1/namespaces/${CONTROLLER.namespace}/services/http:${CONTROLLER.name}:8080/proxy/v1/cert.pem`;
  return execute("kubectl", ["--kubeconfig", theCluster().kubeconfig, "get", "--raw", path]);
}

/** The controller's current certificate. */
export async function certificate(): Promise<string> {
  const ran = await fetched();
  assert.equal(ran.status, 0, ran.output);
  assert.match(ran.stdout, /^-----BEGIN CERTIFICATE-----/);
  return ran.stdout;
}

/** Restarts it. */
export async function restartController(): Promise<void> {
  await kubectl("rollout", "restart", "deployment", CONTROLLER.name, "-n", CONTROLLER.namespace);
  await untilServing();
}

/** Removes it, with its keys and everything that is sealed. The Secrets stay. */
export async function removeController(): Promise<void> {
  const flags = ["--ignore-not-found", "--wait=false"];
  await kubectl(
    "delete",
    "deployment,service,serviceaccount",
    CONTROLLER.name,
    "-n",
    CONTROLLER.namespace,
    ...flags,
  );
  await kubectl("delete", "secrets", "-l", CONTROLLER.keys, "-n", CONTROLLER.namespace, ...flags);
  await kubectl("delete", "crd", "sealedsecrets.bitnami.com", "--ignore-not-found", "--timeout=60s");
}

/** Whether a SealedSecret was opened, and what the controller says. */
export interface Synced {
  status: string;
  message: string;
}

/** What the controller says of a SealedSecret; empty as long as it has said nothing about what is there now. */
export async function synced(name: string, namespace = NAMESPACE): Promise<Synced> {
  const { metadata, status } = JSON.parse(
    await kubectl("get", "sealedsecret", name, "-n", namespace, "-o", "json"),
  ) as {
    metadata: { generation: number };
    status?: { observedGeneration?: number; conditions?: (Synced & { type: string })[] };
  };
  const condition = status?.conditions?.find(({ type }) => type === "Synced");
  const isCurrent = status?.observedGeneration === metadata.generation;
  return { status: (isCurrent && condition?.status) || "", message: condition?.message ?? "" };
}

/** Waits until the controller has opened them. */
export async function untilSynced(...names: string[]): Promise<void> {
  for (const name of names)
    await until(`${name} is synced`, async () => (await synced(name)).status === "True", 60_000);
}
