/** The section `secrets`: values that are encrypted in the stack's file. */
import { REPOSITORY_NAME, type REPOSITORY_SECRETS } from "./backup.ts";
import { password, privateKey, secretUrl, storeKey, token } from "./fields.ts";
import { SINK_NAME, type SINK_SECRETS } from "./notify.ts";
import type { Entries, Section } from "./reader.ts";

const repository = {
  accessKey: storeKey({ description: "Identifier of the key of an `s3` repository" }),
  secretKey: storeKey({ description: "The key of an `s3` repository" }),
  privateKey: privateKey(
    { description: "Private SSH key of the user of an `sftp` repository" },
    {
      path: "secrets.repositories.<name>.privateKey",
      instead: "Make one for the backups alone: ssh-keygen -t ed25519 -N '' -f backup-key",
    },
  ),
} as const satisfies Record<(typeof REPOSITORY_SECRETS)[number], Section[string]>;

const repositories: Entries<typeof repository> = { fields: repository, ...REPOSITORY_NAME };

const sink = {
  url: secretUrl({ description: "`ntfy`, `slack`, `webhook`, `heartbeat`: the address" }),
  token: token({ description: "`telegram`: the bot's token. `ntfy`, `webhook` with `bearer`: that token" }),
  password: token({ description: "`mail`: password of the `user`" }),
} as const satisfies Record<(typeof SINK_SECRETS)[number], Section[string]>;

const sinks: Entries<typeof sink> = { fields: sink, ...SINK_NAME };

export const secrets = {
  databasePassword: password({ description: "Password of the owner. Default: generated, 40 characters" }),
  superuserPassword: password({ description: "Password of `postgres`. Default: generated, 40 characters" }),
  sshPrivateKey: privateKey({ description: "Private key of `node.sshUser`. Default: the SSH agent" }),
  backupPassphrase: password({
    description: "Passphrase that backups are encrypted with. Default: generated, 40 characters",
  }),
  repositories,
  sinks,
} as const satisfies Section;
