/**
 * Sizes in two notations: Kubernetes quantities (`40Gi`, `500m`) and PostgreSQL's memory settings (`32GB`, where GB is
 * 2^30 bytes); and how people read sizes and times.
 */

const KUBERNETES_UNITS: Readonly<Record<string, number>> = {
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

/** PostgreSQL's memory units: https://www.postgresql.org/docs/16/config-setting.html */
const POSTGRES_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 2 ** 10,
  MB: 2 ** 20,
  GB: 2 ** 30,
  TB: 2 ** 40,
};

/**
 * Bytes of a Kubernetes memory or storage quantity. A unit is required although Kubernetes accepts plain bytes:
 * `memory: 20` means 20 bytes, which is never intended.
 *
 * @returns undefined if it is not a quantity with a unit
 */
export function bytesOfQuantity(quantity: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([kMGTP]|[KMGTP]i)$/.exec(quantity);
  if (!match) return undefined;
  return Number(match[1]) * (KUBERNETES_UNITS[match[2] ?? ""] ?? NaN);
}

/**
 * CPUs of a Kubernetes CPU quantity: `4`, `0.5`, `500m`.
 *
 * @returns undefined if it is not a CPU quantity
 */
export function cpusOfQuantity(quantity: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(m?)$/.exec(quantity);
  if (!match) return undefined;
  return Number(match[1]) / (match[2] === "m" ? 1000 : 1);
}

/**
 * Bytes of a PostgreSQL memory setting with a unit.
 *
 * @returns undefined if it does not have one of PostgreSQL's units
 */
export function bytesOfSetting(setting: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|TB)$/.exec(setting);
  if (!match) return undefined;
  return Number(match[1]) * (POSTGRES_UNITS[match[2] ?? ""] ?? NaN);
}

/** A human-readable size with three significant digits: `35.1 GiB`. */
export function readableBytes(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toPrecision(3))} ${units[unit]}`;
}

/** A span of time in its largest unit that counts at least two, as in `95 s`, `12 minutes`, `9 days`. */
export function readableSpan(seconds: number): string {
  if (seconds < 120) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} minutes`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} hours`;
  return `${Math.floor(seconds / 86_400)} days`;
}

/** A Kubernetes quantity, rounded up to whole MiB, in the largest unit without a fraction, as the API server writes it. */
export function mebibytes(bytes: number): string {
  const units = ["Mi", "Gi", "Ti"];
  let count = Math.ceil(bytes / 2 ** 20);
  while (units.length > 1 && count > 0 && count % 1024 === 0) {
    count /= 1024;
    units.shift();
  }
  return `${count}${units[0]}`;
}
