/**
 * Values that the official image's server accepts and the local cluster's stand-in does not: Debian's build options
 * (`--with-lz4 --with-zstd`), and locales that its Dockerfile creates. test/postgres fails on a stale entry, one that the
 * stand-in accepts too.
 */

/** Values of one setting that only the official image accepts. */
export interface Addition {
  values: readonly string[];
  /** Where they come from. */
  reason: string;
}

const COMPRESSION = "Debian's PostgreSQL is built --with-lz4 and --with-zstd: postgresql-16's debian/rules";
const LOCALE =
  "docker-library/postgres creates it: localedef -i en_US -c -f UTF-8 -A /usr/share/locale/locale.alias en_US.UTF-8";
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

/** Whether the official image accepts a value that is not in the catalogue. */
export function isTakenByOfficialImage(name: string, value: string): boolean {
  const { values = [] } = OFFICIAL_IMAGE[name] ?? {};
  // Enumerations are case-insensitive, names of locales are not.
  return values.includes(name.startsWith("lc_") ? value : value.toLowerCase());
}
