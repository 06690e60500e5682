/** A named place in the WAL. */
import type { ClusterContext } from "../../cluster/kubectl.ts";
import { UsageError } from "../cli.ts";
import { asSuperuser } from "./database.ts";

/** A restore point that was made. */
export interface RestorePoint {
  name: string;
  /** Its place in the WAL. */
  lsn: string;
  /** A moment that lies after it, ISO 8601 to the microsecond: a restore to it holds everything before the point. */
  time: string;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/**
 * The name of a restore point.
 *
 * @throws UsageError if it cannot be one
 */
export function restorePointName(name: string | undefined): string {
  if (name !== undefined && NAME.test(name)) return name;
  throw new UsageError(
    `restore-point: the name is ${name === undefined ? "missing" : `"${name}"`}. Allowed: 63 letters, digits, '.', '_' and '-' at most, beginning with a letter or digit`,
  );
}

// Switching has the point archived at once.
const SQL = `select pg_create_restore_point(:'name') as lsn \\gset
select json_build_object('name', :'name', 'lsn', :'lsn', 'time', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'));
select pg_switch_wal() \\g /dev/null
`;

/** Makes a restore point. */
export async function makeRestorePoint(cluster: ClusterContext, name: string): Promise<RestorePoint> {
  return JSON.parse(await asSuperuser(cluster, SQL, { name })) as RestorePoint;
}

/** What was made, and how to get back to it. */
export function restorePointLines({ name, lsn, time }: RestorePoint): string[] {
  return [
    `restore point ${name}: ${lsn}, before ${time}`,
    `to restore to it: pulumi config set --path backup.restoreTime ${time}, and docs/restoring.md`,
  ];
}
