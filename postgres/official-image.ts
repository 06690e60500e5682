/**
 * What the official image's server takes and the local cluster's stand-in does not, by name: choices made when Debian
 * built it (`--with-lz4 --with-zstd`), and locales that its Dockerfile makes. An entry that the stand-in takes, too, is
 * stale, and test/postgres fails on it.
 */

/** Values of one setting that the stand-in refuses. */
export interface Addition {
  values: readonly string[];
  /** Where it is from. */
  reason: string;
}

const COMPRESSION = "Debian's PostgreSQL is built --with-lz4 and --with-zstd: postgresql-16's debian/rules";
const LOCALE =
  "docker-library/postgres makes it: localedef -i en_US -c -f UTF-8 -A /usr/share/locale/locale.alias en_US.UTF-8";
const EN_US = { values: ["en_US.UTF-8", "en_US.utf8", "en_US.UTF8", "en_US.utf-8"], reason: LOCALE };

/** By the setting's name. */
export const OFFICIAL_IMAGE: Readonly<Record<string, Addition>> = {
  wal_compression: { values: ["lz4", "zstd"], reason: COMPRESSION },
  default_toast_compression: { values: ["lz4"], reason: COMPRESSION },
  lc_messages: EN_US,
  lc_monetary: EN_US,
  lc_numeric: EN_US,
  lc_time: EN_US,
};

/** Whether the official image takes a value that the catalogue does not have. */
export function isTakenByOfficialImage(name: string, value: string): boolean {
  const { values = [] } = OFFICIAL_IMAGE[name] ?? {};
  // Words of enumerations are read without regard to case, names of locales are not.
  return values.includes(name.startsWith("lc_") ? value : value.toLowerCase());
}
