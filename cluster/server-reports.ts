/**
 * What the server's pod itself reports and no object in the cluster shows, because the pod is ready: that the server runs
 * without the deployed configuration (scripts/last-started.sh), and what is wrong with its certificate
 * (components/tls/scripts/certificate.sh).
 */
import { type ClusterContext, kubectl, KubectlError } from "./kubectl.ts";
import { SERVER_NAME, SERVER_POD } from "../components/kubernetes/names.ts";

/** Where the scripts leave their reports, in the server's container. */
const FILES = { configuration: "/run/reconcile/refused-configuration", certificate: "/run/tls/problem" };

/** The reports. Without a report, all is well. */
export interface ServerReports {
  /** What the server runs with instead of the deployed configuration, and why. */
  configuration?: string;
  /** What is wrong with its certificate. */
  certificate?: string;
}

/** Each report as one line behind its name, and a last line that tells an empty answer from none. */
const LOOK = [
  ...Object.entries(FILES).map(
    ([name, file]) => `[ ! -s ${file} ] || echo "${name} $(tr '\\n' ' ' <${file})"`,
  ),
  "echo asked",
].join("; ");

/** Reads the answer. */
export function reportsIn(answer: string): ServerReports {
  return Object.fromEntries(
    Object.keys(FILES).flatMap((name) => {
      const line = answer.split("\n").find((candidate) => candidate.startsWith(`${name} `));
      return line === undefined ? [] : [[name, line.slice(name.length + 1).trim()]];
    }),
  );
}

/**
 * Asks the server's container.
 *
 * @returns nothing if there is no server
 * @throws KubectlError if the container exists and cannot be asked
 */
export async function serverReports(cluster: ClusterContext, namespace: string): Promise<ServerReports> {
  const pod = ["exec", "-n", namespace, SERVER_POD, "-c", SERVER_NAME, "--", "sh", "-c", LOOK];
  try {
    return reportsIn(await kubectl(cluster, pod));
  } catch (error) {
    if (error instanceof KubectlError && error.notFound) return {};
    throw error;
  }
}

/** The message about a configuration. */
export function sayRefused(said: string): string {
  return `database.settings: ${said}. The data is safe and clients are served, but not with the deployed settings: docs/refused-configuration.md`;
}

/** The message about a certificate. */
export function sayCertificate(said: string): string {
  return `tls: ${said}`;
}
