/** The kubeconfig that is handed to CI: the cluster's address and authority from the operator's, and a token. */
import { stringify } from "yaml";

/** The parts of a kubeconfig with one context, as `kubectl config view --minify --flatten --raw` prints it. */
export interface OperatorKubeconfig {
  clusters?:
    | {
        cluster: {
          server?: string;
          "certificate-authority-data"?: string;
          "insecure-skip-tls-verify"?: boolean;
          "tls-server-name"?: string;
          "proxy-url"?: string;
        };
      }[]
    | null;
}

/** How CI reaches the API server. */
export interface ApiServer {
  server: string;
  "certificate-authority-data"?: string;
  "tls-server-name"?: string;
  "proxy-url"?: string;
}

/**
 * How the operator reaches the API server.
 *
 * @param server another address of it. @default the operator's
 * @throws if a token sent to it could be read by others
 */
export function apiServerOf({ clusters }: OperatorKubeconfig, server?: string): ApiServer {
  const found = clusters?.[0]?.cluster;
  const address = server ?? found?.server;
  if (found === undefined || address === undefined)
    throw new Error("your kubeconfig names no cluster for this context. See: kubectl config view --minify");
  if (!/^https:\/\/[^\s/]/.test(address)) {
    throw new Error(
      `the API server's address is "${address}": a token is sent only over https. Name another one: --server https://<host>:6443`,
    );
  }
  if (found["insecure-skip-tls-verify"]) {
    throw new Error(
      "your kubeconfig has insecure-skip-tls-verify, so a token would be sent to whoever answers. Put the cluster's " +
        "CA into it: kubectl config set-cluster <name> --certificate-authority=<file> --embed-certs",
    );
  }
  return {
    server: address,
    ...pick(found, ["certificate-authority-data", "tls-server-name", "proxy-url"]),
  };
}

function pick<T extends object, K extends keyof T>(from: T, keys: readonly K[]): Partial<Pick<T, K>> {
  return Object.fromEntries(
    keys.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]]])),
  ) as Partial<Pick<T, K>>;
}

/** Whether an address leads to the machine itself, whichever that is. */
export function isOwnMachine({ server }: ApiServer): boolean {
  const { hostname } = new URL(server);
  return /^(127\.|localhost$|\[::1\]$|0\.0\.0\.0$)/.test(hostname);
}

/** The text of a kubeconfig with one context, which is the current one. */
export function kubeconfigText(context: string, apiServer: ApiServer, user: string, token: string): string {
  return stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      "current-context": context,
      clusters: [{ name: context, cluster: apiServer }],
      users: [{ name: user, user: { token } }],
      contexts: [{ name: context, context: { cluster: context, user } }],
    },
    { lineWidth: 0 },
  );
}
