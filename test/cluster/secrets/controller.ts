/** The controller of External Secrets in the tests' cluster, and what it says about an ExternalSecret. */
import { readFileSync } from "node:fs";
import {
  buildExternalSecrets,
  externalSecretsName,
  externalSecretsNamespace,
  externalSecretsObjects,
} from "../../../tools/local-cluster/external-secrets.ts";
import { kubectl, succeed, until } from "../support.ts";
import { apply, read, untilServes, withKubeconfig } from "./objects.ts";

const DEPLOYMENT = `deployment/${externalSecretsName}`;
const WHERE = ["-n", externalSecretsNamespace];

export class Controller {
  private definitions: string[] = [];

  /**
   * Builds it unless it is built, and starts it with the definitions of its kinds.
   *
   * @param environment of its process
   */
  async start(environment: Readonly<Record<string, string>>): Promise<void> {
    const built = await buildExternalSecrets(console.log);
    this.definitions = built.definitions;
    const text = this.definitions.map((file) => readFileSync(file, "utf8")).join("\n---\n");
    await succeed("kubectl", [...withKubeconfig(), "apply", "--server-side", "-f", "-"], { input: text });
    const files = this.definitions.map((file) => `--filename=${file}`);
    await kubectl("wait", "--for=condition=Established", "--timeout=60s", ...files);
    await apply(...externalSecretsObjects(built, environment));
    await untilServes(externalSecretsName, externalSecretsNamespace);
  }

  /** Ends its process as a failure does, and waits for the next one. */
  async restart(): Promise<void> {
    await kubectl("delete", "pod", ...WHERE, "--all", "--grace-period=0", "--force");
    await untilServes(externalSecretsName, externalSecretsNamespace);
  }

  /** Nothing reads the stores any more. */
  async leave(): Promise<void> {
    await kubectl("scale", DEPLOYMENT, ...WHERE, "--replicas=0");
    await kubectl("wait", "pod", ...WHERE, "--all", "--for=delete", "--timeout=60s");
  }

  async come(): Promise<void> {
    await kubectl("scale", DEPLOYMENT, ...WHERE, "--replicas=1");
    await untilServes(externalSecretsName, externalSecretsNamespace);
  }

  /** What its present process has said. */
  log(): Promise<string> {
    return kubectl("logs", DEPLOYMENT, ...WHERE);
  }

  /** Removes it, its kinds, and every object of them. */
  async remove(): Promise<void> {
    await kubectl("delete", "namespace", externalSecretsNamespace, "--ignore-not-found");
    const cluster = ["clusterrolebinding", "clusterrole"].map((kind) => `${kind}/${externalSecretsName}`);
    await kubectl("delete", ...cluster, "--ignore-not-found");
    const files = this.definitions.map((file) => `--filename=${file}`);
    if (files.length > 0) await kubectl("delete", "--ignore-not-found", ...files);
  }
}

/** The condition Ready of an ExternalSecret. */
export interface Ready {
  status: "True" | "False" | "Unknown";
  reason: string;
  message: string;
  lastTransitionTime: string;
}

/** The condition of an ExternalSecret; undefined while the controller has not looked. */
export async function readyOf(namespace: string, name: string): Promise<Ready | undefined> {
  const { status } = await read<{ status?: { conditions?: (Ready & { type: string })[] } }>(
    namespace,
    `externalsecret ${name}`,
  );
  return status?.conditions?.find(({ type }) => type === "Ready");
}

/** Waits until an ExternalSecret is ready, or is not. */
export async function untilReadyIs(
  wanted: Ready["status"],
  namespace: string,
  name: string,
  milliseconds = 60_000,
): Promise<void> {
  const holds = async () => (await readyOf(namespace, name))?.status === wanted;
  await until(`the ExternalSecret ${name} has Ready ${wanted}`, holds, milliseconds, 500);
}

/**
 * Has the controller look at every ExternalSecret now. After failures it waits longer and longer between two looks, for 7
 * minutes in the end, also when the store is there again.
 */
export async function lookNow(namespace: string): Promise<void> {
  const now = `force-sync=${Date.now()}`;
  await kubectl("annotate", "externalsecrets", "--all", "-n", namespace, "--overwrite", now);
}

/** What the controller has told about an ExternalSecret in events, in its own words. */
export async function eventsOf(namespace: string, name: string): Promise<string> {
  const about = `involvedObject.kind=ExternalSecret,involvedObject.name=${name}`;
  const path = "jsonpath={range .items[*]}{.reason}: {.message}{'\\n'}{end}";
  return kubectl("get", "events", "-n", namespace, "--field-selector", about, "-o", path);
}
