/** How long a token is valid. */

const UNITS: Readonly<Record<string, number>> = { m: 60, h: 3600, d: 86_400 };

/** Kubernetes grants no token that expires earlier (ValidateTokenRequest). */
const LEAST = 600;
/** Nor one that expires later: 2^32 seconds. */
const MOST = 2 ** 32;

/**
 * The seconds in a lifetime such as `90d`, `12h` or `30m`.
 *
 * @throws if it is not one, or Kubernetes would refuse it
 */
export function secondsOf(lifetime: string): number {
  const [, amount, unit = ""] = /^(\d+)([mhd])$/.exec(lifetime) ?? [];
  const seconds = Number(amount) * (UNITS[unit] ?? NaN);
  if (seconds >= LEAST && seconds <= MOST) return seconds;
  throw new Error(
    `--expires: "${lifetime}" is not a lifetime. Write days, hours or minutes, 10m or more: --expires 90d`,
  );
}

/** Seconds in words, rounded down: `90 days`. */
export function inWords(seconds: number): string {
  const [unit, size] =
    seconds >= 2 * 86_400 ? ["days", 86_400] : seconds >= 2 * 3600 ? ["hours", 3600] : ["minutes", 60];
  return `${Math.floor(seconds / Number(size))} ${unit}`;
}

/** Seconds by which a granted lifetime may differ from the requested one: clocks and rounding. */
const SLACK = 60;

/**
 * What a cluster grants instead of a requested lifetime: it shortens without an error.
 *
 * @param granted seconds
 * @returns undefined if it is what was requested
 */
export function shortened(requested: number, granted: number): string | undefined {
  if (granted > requested - SLACK) return undefined;
  return (
    `this cluster grants a token for ${inWords(granted + SLACK)} at most, not for ${inWords(requested)} ` +
    "(kube-apiserver's --service-account-max-token-expiration)"
  );
}
