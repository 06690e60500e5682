/** What `go build -debug-actiongraph` records, as CPU time per program. */

/** An action of a build; only what is used of it. Times are in nanoseconds, absent where nothing ran. */
export interface Action {
  ID: number;
  Mode: string;
  Package?: string;
  Deps?: readonly number[] | null;
  CmdUser?: number;
  CmdSys?: number;
}

/** CPU seconds, user and system, by what used them. */
export interface Cost {
  compile: number;
  link: number;
  /** Actions that ran a command. */
  actions: number;
}

/**
 * The cost of each part, in the order given: a package that several parts need counts for the first of them, as if they
 * were built one after the other with one cache.
 *
 * @param parts import paths of each part's programs
 * @throws Error naming a program that the build did not link
 */
export function costs(actions: readonly Action[], parts: readonly (readonly string[])[]): Cost[] {
  const byId = new Map(actions.map((action) => [action.ID, action]));
  const counted = new Set<number>();
  return parts.map((programs) => {
    const cost: Cost = { compile: 0, link: 0, actions: 0 };
    const roots = programs.map((program) => {
      const root = actions.find(({ Mode, Package }) => Mode === "link" && Package === program);
      if (root === undefined) throw new Error(`${program} was not linked by this build`);
      return root.ID;
    });
    for (let next = roots.pop(); next !== undefined; next = roots.pop()) {
      const action = byId.get(next);
      if (action === undefined || counted.has(next)) continue;
      counted.add(next);
      roots.push(...(action.Deps ?? []));
      if (action.CmdUser === undefined && action.CmdSys === undefined) continue;
      cost[action.Mode === "link" ? "link" : "compile"] +=
        ((action.CmdUser ?? 0) + (action.CmdSys ?? 0)) / 1e9;
      cost.actions++;
    }
    return cost;
  });
}
