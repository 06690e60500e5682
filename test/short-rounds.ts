/** One short round of each command that takes long: its options, and what it needs. */
export const SHORT_ROUNDS: Readonly<
  Record<string, { args: readonly string[]; needs: readonly ("engine" | "cluster")[] }>
> = {
  "bench:preview": { args: ["--rounds", "1"], needs: ["engine"] },
  "bench:up": { args: ["--rounds", "1"], needs: ["engine", "cluster"] },
  "bench:build": { args: ["--only", "CNI plugins"], needs: ["cluster"] },
  "bench:hnsw": {
    args: ["--vectors", "2000", "--rounds", "1", "--seconds", "2", "--scale", "1"],
    needs: ["cluster"],
  },
  "bench:backup": { args: ["--vectors", "500", "--rounds", "1", "--seconds", "2"], needs: ["cluster"] },
  "test:faults": { args: ["--seeds", "2"], needs: ["cluster"] },
};

/** Measurements among a package's scripts that have no short round: nobody would run them. */
export function missingRounds(scripts: readonly string[]): string[] {
  return scripts.filter((name) => name.startsWith("bench:") && !(name in SHORT_ROUNDS));
}
