/** Parts of reconcile.sh, run for real next to a server's container. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { ServerContainer } from "./server-container.ts";

/**
 * Runs a program of bash with parts of reconcile.sh, and what they use of it, as the image's user.
 *
 * @param parts scripts next to reconcile.sh
 * @returns everything that it printed; `said` prints `SAID …`
 */
export function reconcileParts(
  container: ServerContainer,
  parts: readonly string[],
  program: string,
  environment: Readonly<Record<string, string>> = {},
): string {
  const who = ["--reuid", "999", "--regid", "999", "--clear-groups"];
  const prelude = `
    here=$SCRIPTS state=$STATE options= superuser_time=30
    declare -A already
    said() { already[$1]=$2; [ -z "$2" ] || echo "SAID $2"; }
    ${["clock.sh", "superuser.sh", ...parts].map((part) => `. "$here/${part}"`).join("; ")}
    administer() { superuser reconcile "$options" -d postgres "$@"; }
  `;
  const ran = spawnSync("setpriv", [...who, "bash", "--norc", "-uo", "pipefail", "-c", prelude + program], {
    encoding: "utf8",
    timeout: 60_000,
    env: {
      PATH: `${join(container.root, "programs/usr/lib/postgresql/16/bin")}:/usr/bin:/bin`,
      SCRIPTS: join(container.root, "scripts"),
      STATE: join(container.root, "state"),
      SUPERUSER_SOCKET: join(container.root, "socket"),
      VOLUME: join(container.root, "volume"),
      ...environment,
    },
  });
  return `${ran.stdout}${ran.stderr}`.trim();
}
