/** Formats the figures that measurements print. */
import { cpus, totalmem } from "node:os";

/** The machine and the date of a measurement. */
export function machineLine(): string {
  const [first] = cpus();
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  return `Machine: ${cpus().length} CPUs (${first?.model.trim() ?? "?"}), ${memory} GiB; ${new Date().toISOString().slice(0, 10)}.`;
}

/** The middle value; of an even number, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** A ratio with its aim: `prod / empty program: 1.84 (aim: 2 or less, met)`. */
export function ratioLine(what: string, ratio: number, aim: number): string {
  return `${what}: ${ratio.toFixed(2)} (aim: ${aim} or less, ${ratio <= aim ? "met" : "not met"})`;
}

/** The value that `share` of all values do not exceed: the nearest rank, 0.95 of 20 being the 19th. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}
