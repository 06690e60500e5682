/** Who may connect, and how clients authenticate. The server reads it from its ConfigMap. */

/** Name of the map in pg_ident.conf. */
const MAP = "server_pod";

/**
 * pg_hba.conf: peer authentication over the socket, passwords everywhere else. Others are refused, as is the superuser
 * from outside the pod.
 *
 * Connections inside the pod, among them those of `kubectl port-forward`, need no encryption: they leave no machine.
 *
 * @param lines lines of extensions, before the one for every login
 * @param encryptedOnly whether that one accepts encrypted connections only
 */
export function pgHba(lines: readonly string[] = [], encryptedOnly = false): string {
  return `# type  database  user  address    method
local   all       all              peer map=${MAP}
host    all       all   127.0.0.1/32  scram-sha-256
host    all       all   ::1/128       scram-sha-256
host    all       postgres   all      reject
${lines.map((line) => `${line}\n`).join("")}${encryptedOnly ? "hostssl" : "host   "} all       all   all           scram-sha-256
`;
}

/**
 * pg_ident.conf: the image's user \`postgres\` may log in as the superuser, for reconciliation, and as the owner, for
 * \`kubectl exec … psql -U\`. Other users in the pod cannot log in.
 */
export function pgIdent(owner: string): string {
  return `# map         system user  database user
${MAP}    postgres     postgres
${MAP}    postgres     ${owner}
`;
}
