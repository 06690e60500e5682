/** pgBackRest's configuration (https://pgbackrest.org/configuration.html), in two files: what may be seen, and the secrets. */
import { DATA_PATH, VOLUME_PATH, VOLUME_SOCKET_PATH } from "../../postgres/places.ts";

/** The stanza: the name of a database within its repositories. Each stack has repositories of its own. */
export const STANZA = "main";
/** Where the configuration is mounted, and where the secrets are. */
export const BACKUP_CONFIG_PATH = "/etc/pgbackrest";
export const BACKUP_SECRETS_PATH = "/etc/pgbackrest-secrets";
/** Where the directories of repositories are mounted, each by its repository's name. */
export const REPOSITORIES_PATH = "/repository";

/** A repository, as far as everybody may know it. */
export type RepositoryArgs = { name: string; keepFull: number } & (
  | { kind: "volume" }
  | {
      kind: "directory";
      /** The directory on the node. */
      path: string;
      /** Mount point that must be mounted on the node. @default not checked */
      mount?: string | undefined;
      /** The space that must be available, as a Kubernetes quantity. */
      capacity: string;
    }
  | {
      kind: "s3";
      /** Prefix of the objects, as an absolute path. */
      path: string;
      endpoint: string;
      port: number;
      bucket: string;
      region: string;
      pathStyle: boolean;
      /** CA of the store's certificate in PEM. @default those of the image */
      ca?: string | undefined;
    }
  | {
      kind: "sftp";
      /** The directory on the other machine. */
      path: string;
      endpoint: string;
      port: number;
      user: string;
      /** Public host keys of the endpoint, one `<kind> <base64>` a line. */
      hostKeys: string;
    }
);

/** What a repository is reached with: the two keys of a store, or a private SSH key. */
export interface RepositoryKeys<Value = string> {
  accessKey?: Value | undefined;
  secretKey?: Value | undefined;
  privateKey?: Value | undefined;
}

const lines = (options: Readonly<Record<string, string | number>>) =>
  Object.entries(options)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");

/** File name of a repository's CA. */
const caFile = (name: string) => `${name}.crt`;
/** File name of the host keys of a repository's endpoint. */
const knownHostsFile = (name: string) => `${name}.known-hosts`;

/** The file with a repository's passphrase, and the one with its keys, by its number. */
export const passphraseFile = (number: number) => `repo${number}-passphrase.conf`;
export function keysFile(number: number, kind: "s3" | "sftp"): string {
  return kind === "s3" ? `repo${number}-keys.conf` : `repo${number}-keys.pem`;
}

/** The files next to pgBackRest's own that its options name, by file name: whom to trust. */
export function trustFiles(repositories: readonly RepositoryArgs[]): Record<string, string> {
  return Object.fromEntries(
    repositories.flatMap((repository) => {
      if (repository.kind === "s3" && repository.ca !== undefined)
        return [[caFile(repository.name), repository.ca]];
      if (repository.kind !== "sftp") return [];
      // The port makes no difference: an entry without one counts for each.
      const lines = repository.hostKeys.split("\n").map((key) => `${repository.endpoint} ${key}\n`);
      return [[knownHostsFile(repository.name), lines.join("")]];
    }),
  );
}

function place(repository: RepositoryArgs, number: number): Record<string, string | number> {
  switch (repository.kind) {
    case "volume":
      return { type: "posix", path: `${VOLUME_PATH}/backup` };
    case "directory":
      return { type: "posix", path: `${REPOSITORIES_PATH}/${repository.name}/repository` };
    case "s3":
      return {
        type: "s3",
        path: repository.path,
        "s3-bucket": repository.bucket,
        "s3-endpoint": repository.endpoint,
        "s3-region": repository.region,
        "s3-uri-style": repository.pathStyle ? "path" : "host",
        "storage-port": repository.port,
        ...(repository.ca !== undefined && {
          "storage-ca-file": `${BACKUP_CONFIG_PATH}/${caFile(repository.name)}`,
        }),
      };
    case "sftp":
      return {
        type: "sftp",
        path: repository.path,
        "sftp-host": repository.endpoint,
        "sftp-host-port": repository.port,
        "sftp-host-user": repository.user,
        "sftp-host-key-check-type": "strict",
        "sftp-host-key-hash-type": "sha256",
        "sftp-known-host": `${BACKUP_CONFIG_PATH}/${knownHostsFile(repository.name)}`,
        "sftp-private-key-file": `${BACKUP_SECRETS_PATH}/${keysFile(number, "sftp")}`,
      };
  }
}

/** Arguments of {@link pgbackrestConf}. */
export interface BackupOptions {
  /** Numbered from 1 in their order. */
  repositories: readonly RepositoryArgs[];
  /** Bytes of WAL that may wait for a repository. */
  walQueue: number;
}

/** The file without secrets. */
export function pgbackrestConf({ repositories, walQueue }: BackupOptions): string {
  const numbered = repositories.map((repository, index) => {
    const options = {
      ...place(repository, index + 1),
      // Next to the data it would hide nothing, and a lost state would make it worthless.
      "cipher-type": repository.kind === "volume" ? "none" : "aes-256-cbc",
      // Small files in one object, and of large ones only what has changed.
      bundle: "y",
      block: "y",
      "retention-full": repository.keepFull,
    };
    return Object.fromEntries(
      Object.entries(options).map(([name, value]) => [`repo${index + 1}-${name}`, value]),
    );
  });
  return (
    "[global]\n" +
    numbered.map(lines).join("") +
    lines({
      "compress-type": "zst",
      "start-fast": "y",
      // A connection that stands still must not use up the time that archiving a segment has.
      "io-timeout": 20,
      "archive-push-queue-max": Math.floor(walQueue),
      "process-max": 2,
      "log-level-file": "off",
      // On the volume: one at a time, whichever pod it is in.
      "lock-path": `${VOLUME_PATH}/handover/locks`,
      "spool-path": "/tmp/spool",
    }) +
    `\n[${STANZA}]\n` +
    lines({
      "pg1-path": DATA_PATH,
      "pg1-socket-path": VOLUME_SOCKET_PATH,
      "pg1-user": "postgres",
      "pg1-database": "postgres",
    })
  );
}

/**
 * The files with the secrets: the passphrase and the keys of each repository in files of their own, so that a plan can
 * tell which of them changes.
 *
 * @param number of the repository
 * @param passphrase ignored by pgBackRest where nothing is encrypted; dumps are, wherever they are
 * @returns each file's text in parts, the secrets being parts of their own
 */
export function secretFiles<Value>(
  number: number,
  passphrase: Value,
  { accessKey, secretKey, privateKey }: RepositoryKeys<Value>,
): Record<string, (string | Value)[]> {
  const file = (options: Readonly<Record<string, Value>>) => [
    "[global]\n",
    ...Object.entries(options).flatMap(([name, value]) => [`repo${number}-${name}=`, value, "\n"]),
  ];
  return {
    [passphraseFile(number)]: file({ "cipher-pass": passphrase }),
    ...(accessKey !== undefined &&
      secretKey !== undefined && {
        [keysFile(number, "s3")]: file({ "s3-key": accessKey, "s3-key-secret": secretKey }),
      }),
    ...(privateKey !== undefined && { [keysFile(number, "sftp")]: [privateKey] }),
  };
}
