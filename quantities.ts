/**
 * Sizes, in the two notations that meet in this project: Kubernetes quantities (`40Gi`, `500m`) and PostgreSQL's
 * memory settings (`32GB`, where GB is 2^30 bytes).
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
 * Bytes of a Kubernetes memory or storage quantity. A unit is asked for although Kubernetes takes plain bytes:
 * `memory: 20` is 20 bytes there, and never what was meant.
 *
 * @returns undefined when it is no quantity with a unit
 */
export function bytesOfQuantity(quantity: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([kMGTP]|[KMGTP]i)$/.exec(quantity);
  if (!match) return undefined;
  return Number(match[1]) * (KUBERNETES_UNITS[match[2] ?? ""] ?? NaN);
}

/**
 * CPUs of a Kubernetes CPU quantity: `4`, `0.5`, `500m`.
 *
 * @returns undefined when it is none
 */
export function cpusOfQuantity(quantity: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(m?)$/.exec(quantity);
  if (!match) return undefined;
  return Number(match[1]) / (match[2] === "m" ? 1000 : 1);
}

/**
 * Bytes of a PostgreSQL memory setting with a unit.
 *
 * @returns undefined when it has no unit of PostgreSQL's
 */
export function bytesOfSetting(setting: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|TB)$/.exec(setting);
  if (!match) return undefined;
  return Number(match[1]) * (POSTGRES_UNITS[match[2] ?? ""] ?? NaN);
}

/** A size for people, to three figures: `35.1 GiB`. */
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

/** Whole MiB as a Kubernetes quantity, rounded up; in the largest unit that leaves no fraction, as the API server writes it. */
export function mebibytes(bytes: number): string {
  const units = ["Mi", "Gi", "Ti"];
  let count = Math.ceil(bytes / 2 ** 20);
  while (units.length > 1 && count > 0 && count % 1024 === 0) {
    count /= 1024;
    units.shift();
  }
  return `${count}${units[0]}`;
}
