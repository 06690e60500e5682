/** Directories that are refused for the data, whatever they contain. components/storage/scripts/prepare-storage.sh lists them too. */

/** Refused with everything below them. */
const WHOLLY_THE_SYSTEMS = [
  ...["/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/lost+found", "/proc", "/run"],
  ...["/sbin", "/sys", "/usr", "/var/lock", "/var/run"],
];

/** Below /usr, only what an administrator adds here does not belong to the system. */
const LOCAL = "/usr/local";
const LOCAL_SYSTEM = [
  ...["bin", "etc", "games", "include", "lib", "lib64", "libexec", "man", "sbin", "share", "src"],
].map((name) => `${LOCAL}/${name}`);

/** Shared with others; a directory below them is allowed. */
const SHARED = [
  ...["/", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/tmp", LOCAL, "/var", "/var/backups"],
  ...[
    "/var/cache",
    "/var/crash",
    "/var/db",
    "/var/empty",
    "/var/games",
    "/var/lib",
    "/var/local",
    "/var/log",
  ],
  ...["/var/mail", "/var/opt", "/var/spool", "/var/tmp", "/var/www"],
];

/** Emptied when the machine starts, or of files that are some days old. */
const EMPTIED = ["/tmp", "/var/tmp"];

/** Every directory that is refused itself. */
export const SYSTEM_DIRECTORIES: readonly string[] = [...WHOLLY_THE_SYSTEMS, ...LOCAL_SYSTEM, ...SHARED];

const isBelow = (path: string, directory: string) => path.startsWith(`${directory}/`);

/**
 * Why a directory on the node cannot hold the data, or undefined.
 *
 * @param temporary whether the data may be lost, as in `dev`: then a directory below /tmp is allowed
 */
export function objectionToDirectory(path: string, temporary: boolean): string | undefined {
  const ofTheSystem = (list: readonly string[]) =>
    list.some((directory) => path === directory || isBelow(path, directory));
  if (SHARED.includes(path) || ofTheSystem(LOCAL_SYSTEM))
    return "a directory that belongs to the operating system";
  if (ofTheSystem(WHOLLY_THE_SYSTEMS) && !isBelow(path, LOCAL))
    return "a directory that belongs to the operating system";
  if (!temporary && EMPTIED.some((directory) => isBelow(path, directory)))
    return "below a directory that the operating system empties";
  return undefined;
}
