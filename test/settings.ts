/** Raw configuration for tests: a deployable one, and changes to it. */
import assert from "node:assert/strict";
import { ConfigurationError, readSettings } from "../config.ts";

/** The value of each top-level key. */
export type Raw = Record<string, Record<string, unknown>>;

/** A small deployable configuration. */
export function deployable(): Raw {
  return {
    cluster: { context: "rack" },
    node: { hostname: "gen8" },
    storage: { path: "/mnt/raid/pgdata", mount: "/mnt/raid", capacity: "10Gi" },
    database: {
      requests: { memory: "1Gi", cpu: "500m" },
      limits: { memory: "2Gi", cpu: "2" },
      settings: {
        shared_buffers: "256MB",
        work_mem: "4MB",
        maintenance_work_mem: "128MB",
        max_connections: 50,
      },
    },
  };
}

/** The same with one field, given by its path, set; undefined removes it. */
export function changed(path: string, value: unknown): Raw {
  const raw = deployable();
  const names = path.split(".");
  const last = names.pop() ?? "";
  let target: Record<string, unknown> = raw;
  for (const name of names) target = (target[name] ??= {}) as Record<string, unknown>;
  if (value === undefined) delete target[last];
  else target[last] = value;
  return raw;
}

/** What is doubtful about a configuration, beside its lack of backups and messages, which every one of these tests has. */
export function doubts(stack: string, raw: Raw): string[] {
  return readSettings(stack, raw).warnings.filter(
    (warning) => !/^(there are no backups|nobody is told)/.test(warning),
  );
}

/** What is wrong with a configuration, a line each; empty if it can be deployed. */
export function problemsOf(stack: string, raw: Raw): string[] {
  try {
    readSettings(stack, raw);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.problems.map(({ key, message }) => `${key}: ${message}`);
  }
}
