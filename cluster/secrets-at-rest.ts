/**
 * Whether K3s encrypts Secrets in its datastore. Only K3s on the node knows: the API shows Secrets decrypted.
 */
import type { NodeAnswer } from "./node-shell.ts";

/** Exit status of {@link STATUS_SCRIPT} on a machine without K3s. */
const NO_K3S = 69;

/**
 * Asks K3s, for /bin/sh on the node. A login over SSH has no /usr/local/bin on every distribution, nor has sudo.
 */
export const STATUS_SCRIPT = `set -eu
PATH=$PATH:/usr/local/bin:/opt/bin
k3s=$(command -v k3s) || exit ${NO_K3S}
if [ "$(id -u)" = 0 ]; then "$k3s" secrets-encrypt status; else sudo -n "$k3s" secrets-encrypt status; fi
`;

/** What is known about it. */
export type Encryption =
  /** For what is written from now on. */
  { kind: "on"; by: string } | { kind: "off" } | { kind: "unknown"; reason: string };

/**
 * Reads what `k3s secrets-encrypt status` prints (docs.k3s.io/cli/secrets-encrypt): a line `Encryption Status:`, the
 * rotation's stage, and a table of keys of which the active one is marked with an asterisk.
 */
export function encryptionOf({ status, stdout, reason }: NodeAnswer): Encryption {
  if (status === NO_K3S) return { kind: "unknown", reason: "no K3s is installed there" };
  const [, said] = /^Encryption Status:\s*(\w+)/m.exec(stdout) ?? [];
  if (status === 0 && said === "Disabled") return { kind: "off" };
  if (status === 0 && said === "Enabled") {
    const [, by = "a key of its own"] = /^\s*\*\s+(\S+)/m.exec(stdout) ?? [];
    return { kind: "on", by };
  }
  return { kind: "unknown", reason };
}

const PAGE = "docs/secrets-at-rest.md";

/** What an `up` reports, and whether it is a warning. */
export interface Report {
  isWarning: boolean;
  message: string;
}

/**
 * The report.
 *
 * @param encryption undefined if there is no connection to the node
 * @param isTrial whether it is a stack for trials, which warns of nothing that concerns production
 */
export function sayEncryption(node: string, encryption: Encryption | undefined, isTrial: boolean): Report {
  const look = `Look on the node: sudo k3s secrets-encrypt status. See ${PAGE}`;
  switch (encryption?.kind) {
    case undefined:
      return {
        isWarning: false,
        message: `whether K3s encrypts Secrets in its datastore is not known: no connection to node ${node} is configured (node.connection). ${look}`,
      };
    case "on":
      return {
        isWarning: false,
        message: `K3s on ${node} encrypts new Secrets in its datastore (${encryption.by})`,
      };
    case "off":
      return {
        isWarning: !isTrial,
        message:
          `K3s on ${node} does not encrypt Secrets: whoever gets its datastore, a backup of it or the disk has the ` +
          `database's passwords. Switch it on: ${PAGE}`,
      };
    case "unknown":
      return {
        isWarning: false,
        message: `whether K3s on ${node} encrypts Secrets in its datastore is not known: ${encryption.reason}. ${look}`,
      };
  }
}
