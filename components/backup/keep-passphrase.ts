/** What whoever deploys backups for the first time must do. */
export const KEEP_PASSPHRASE =
  "A passphrase of the backups is generated, without which nobody can read them. Keep it outside the cluster, together " +
  "with where the repository is: pulumi stack output backupPassphrase --show-secrets (docs/backups.md)";
