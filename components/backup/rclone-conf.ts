/**
 * rclone's configuration (https://rclone.org/docs/#config-file) for logical dumps, without secrets: dump-transfer.sh reads
 * them from pgBackRest's files. Remote `repo<number>` is where a repository is, and `dumps<number>` the place of its dumps,
 * encrypted.
 */
import { VOLUME_PATH } from "../../postgres/places.ts";
import {
  BACKUP_CONFIG_PATH,
  BACKUP_SECRETS_PATH,
  keysFile,
  REPOSITORIES_PATH,
  type RepositoryArgs,
} from "./pgbackrest-conf.ts";

/** The configuration, in the ConfigMap of the backups. */
export const RCLONE_CONFIG = "rclone.conf";

/** What the place of dumps has more than the path of pgBackRest, which refuses files that are not its own. */
const SUFFIX = "-dumps";

/**
 * Size of the parts of an object. A store takes 10,000: 64 MiB make 625 GiB. Each part is in memory twice at most.
 *
 * @see https://rclone.org/s3/#s3-chunk-size
 */
const PART_SIZE = "64Mi";

/** File name of the host keys of a repository's endpoint, as rclone expects them. */
const knownHostsFile = (name: string) => `${name}.rclone-known-hosts`;

/** The kind of a key, `ssh-ed25519`, and the algorithms that a server can prove it with. */
function algorithmsOf(hostKeys: string): string[] {
  const kinds = new Set(hostKeys.split("\n").map((key) => key.split(" ")[0] ?? ""));
  return [...kinds].flatMap((kind) =>
    kind === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"] : [kind],
  );
}

/** A repository's remote, and the path in it. */
function place(
  repository: RepositoryArgs,
  number: number,
): { remote: Record<string, string | number | boolean>; path: string } {
  switch (repository.kind) {
    case "volume":
      return { remote: { type: "local" }, path: `${VOLUME_PATH}/backup` };
    case "directory":
      return { remote: { type: "local" }, path: `${REPOSITORIES_PATH}/${repository.name}/repository` };
    case "s3":
      return {
        remote: {
          type: "s3",
          provider: "Other",
          endpoint: `https://${repository.endpoint}:${repository.port}`,
          region: repository.region,
          force_path_style: repository.pathStyle,
          // The bucket exists, and the key need not be able to make one.
          no_check_bucket: true,
          chunk_size: PART_SIZE,
          upload_concurrency: 1,
        },
        path: repository.bucket + repository.path,
      };
    case "sftp":
      return {
        remote: {
          type: "sftp",
          host: repository.endpoint,
          port: repository.port,
          user: repository.user,
          key_file: `${BACKUP_SECRETS_PATH}/${keysFile(number, "sftp")}`,
          known_hosts_file: `${BACKUP_CONFIG_PATH}/${knownHostsFile(repository.name)}`,
          host_key_algorithms: algorithmsOf(repository.hostKeys).join(" "),
          // The user may do nothing but SFTP.
          shell_type: "none",
          disable_hashcheck: true,
          set_modtime: false,
        },
        path: repository.path,
      };
  }
}

function section(name: string, options: Readonly<Record<string, string | number | boolean>>): string {
  return (
    `[${name}]\n` +
    Object.entries(options)
      .map(([option, value]) => `${option} = ${value}\n`)
      .join("")
  );
}

/**
 * The files in the ConfigMap, by file name: the configuration, and whom to trust. Go expects an entry of a host for each
 * port that is not 22.
 */
export function rcloneFiles(repositories: readonly RepositoryArgs[]): Record<string, string> {
  const sections = repositories.flatMap((repository, index) => {
    const number = index + 1;
    const { remote, path } = place(repository, number);
    return [
      section(`repo${number}`, remote),
      section(`dumps${number}`, {
        type: "crypt",
        remote: `repo${number}:${path}${SUFFIX}`,
        // Their names are no secret, and a person finds the right one in any list.
        filename_encryption: "off",
        directory_name_encryption: false,
      }),
    ];
  });
  return {
    [RCLONE_CONFIG]: sections.join("\n"),
    ...Object.fromEntries(
      repositories.flatMap((repository) => {
        if (repository.kind !== "sftp") return [];
        const { endpoint, port, hostKeys } = repository;
        const host = port === 22 ? endpoint : `[${endpoint}]:${port}`;
        const keys = hostKeys.split("\n").map((key) => `${host} ${key}\n`);
        return [[knownHostsFile(repository.name), keys.join("")]];
      }),
    ),
  };
}
