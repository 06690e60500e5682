/** Who may connect, and how they prove who they are. Read by the server from its ConfigMap. */

/** Name of the map in pg_ident.conf. */
const MAP = "server_pod";

/**
 * pg_hba.conf: over the socket by the operating system's word for who is asking, everywhere else by password.
 * Whoever is listed nowhere is refused, and so is the superuser from anywhere but the pod itself.
 *
 * @param lines of extensions, before the one for every login
 */
export function pgHba(lines: readonly string[] = []): string {
  return `# type  database  user  address    method
local   all       all              peer map=${MAP}
host    all       all   127.0.0.1/32  scram-sha-256
host    all       all   ::1/128       scram-sha-256
host    all       postgres   all      reject
${lines.map((line) => `${line}\n`).join("")}host    all       all   all           scram-sha-256
`;
}

/**
 * pg_ident.conf: the image's user \`postgres\` is the superuser, for reconciliation, and the owner, for
 * \`kubectl exec … psql -U\`. No other user of the pod is anybody.
 */
export function pgIdent(owner: string): string {
  return `# map         system user  database user
${MAP}    postgres     postgres
${MAP}    postgres     ${owner}
`;
}
