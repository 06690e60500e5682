/** pgBackRest's configuration (https://pgbackrest.org/configuration.html), in two files: what may be seen, and the secrets. */
import { DATA_PATH, VOLUME_PATH, VOLUME_SOCKET_PATH } from "../../postgres/places.ts";

/** The stanza: the name of a database within its repositories. Each stack has repositories of its own. */
export const STANZA = "main";
/** Where the configuration is mounted, and below it the secrets. */
export const BACKUP_CONFIG_PATH = "/etc/pgbackrest";
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
);

/** Keys of a store. */
export interface StoreKeys {
  accessKey: string;
  secretKey: string;
}

const lines = (options: Readonly<Record<string, string | number>>) =>
  Object.entries(options)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");

/** File name of a repository's CA. */
export const caFile = (name: string) => `${name}.crt`;

/** The file with a repository's passphrase, and the one with its keys, by its number. */
export const passphraseFile = (number: number) => `repo${number}-passphrase.conf`;
export const keysFile = (number: number) => `repo${number}-keys.conf`;

function place(repository: RepositoryArgs): Record<string, string | number> {
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
      ...place(repository),
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
 * @param passphrase undefined: it is not encrypted
 */
export function secretFiles(
  number: number,
  passphrase: string | undefined,
  key: StoreKeys | undefined,
): Record<string, string> {
  const file = (options: Readonly<Record<string, string>>) =>
    `[global]\n${lines(Object.fromEntries(Object.entries(options).map(([name, value]) => [`repo${number}-${name}`, value])))}`;
  return {
    [passphraseFile(number)]: passphrase === undefined ? "[global]\n" : file({ "cipher-pass": passphrase }),
    ...(key && { [keysFile(number)]: file({ "s3-key": key.accessKey, "s3-key-secret": key.secretKey }) }),
  };
}
