/** Networks of pg_hba.conf, as PostgreSQL compares an address with them. */
import { isIP } from "node:net";
import type { Word } from "./access-files.ts";

/** Addresses whose first bits are those of one address. */
export interface Network {
  family: 4 | 6;
  bits: bigint;
  /** How many of the first bits count. */
  length: number;
}

const SIZE = { 4: 32, 6: 128 } as const;

/** The bits of an address, undefined when it is not one. */
function bitsOf(address: string): { family: 4 | 6; bits: bigint } | undefined {
  const family = isIP(address);
  if (family === 4) {
    return { family, bits: address.split(".").reduce((bits, part) => bits * 256n + BigInt(part), 0n) };
  }
  if (family !== 6 || address.includes("%")) return undefined;
  // An IPv4 address at the end is two groups.
  const hexadecimal = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
  const [before = "", after] = hexadecimal.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const last = after === undefined ? [] : groups(after);
  const first = groups(before);
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => "0");
  return {
    family,
    bits: [...first, ...zeros, ...last].reduce((bits, group) => bits * 65536n + BigInt(`0x${group}`), 0n),
  };
}

/** How many ones a mask begins with, undefined when they are not all at its beginning. */
function lengthOfMask(mask: { family: 4 | 6; bits: bigint }): number | undefined {
  const text = mask.bits.toString(2).padStart(SIZE[mask.family], "0");
  return /^1*0*$/.test(text) ? text.replaceAll("0", "").length : undefined;
}

/** Every address. */
export const EVERYWHERE: readonly Network[] = [
  { family: 4, bits: 0n, length: 0 },
  { family: 6, bits: 0n, length: 0 },
];

/**
 * The networks that an address of pg_hba.conf stands for.
 *
 * @returns undefined for what only the server knows: names, samehost, samenet, masks with gaps
 */
export function networksOf(address: Word | undefined, mask?: string): readonly Network[] | undefined {
  if (address === undefined) return undefined;
  if (address.text === "all" && !address.quoted) return EVERYWHERE;
  const [written = "", bitCount, ...more] = address.text.split("/");
  const found = bitsOf(written);
  if (!found || more.length > 0) return undefined;
  const size = SIZE[found.family];
  let length: number | undefined;
  if (bitCount !== undefined) length = /^\d{1,3}$/.test(bitCount) ? Number(bitCount) : undefined;
  else {
    const bits = mask === undefined ? undefined : bitsOf(mask);
    length = bits?.family === found.family ? lengthOfMask(bits) : undefined;
  }
  return length === undefined || length > size ? undefined : [{ ...found, length }];
}

/** Whether each address of one network is in another. */
export function isWithin(inner: Network, outer: Network): boolean {
  if (inner.family !== outer.family || inner.length < outer.length) return false;
  const rest = BigInt(SIZE[inner.family] - outer.length);
  return inner.bits >> rest === outer.bits >> rest;
}

const LOOPBACK: readonly Network[] = [
  { family: 4, bits: 127n << 24n, length: 8 },
  { family: 6, bits: 1n, length: 128 },
];

/** Whether only the pod itself has addresses in a network. */
export function isLoopback(network: Network): boolean {
  return LOOPBACK.some((loopback) => isWithin(network, loopback));
}
