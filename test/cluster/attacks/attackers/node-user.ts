import { join } from "node:path";
import { clusterProcesses } from "../../../../tools/local-cluster/cgroups.ts";
import { clusterPaths } from "../../../../tools/local-cluster/paths.ts";
import { describeProcess } from "../../faults/node-processes.ts";
import { CLUSTER } from "../../support.ts";
import { asNobody } from "../acts.ts";
import type { Attacker } from "../attempt.ts";
import type { Stage } from "../stage.ts";

/** Process id of the server, as the node's users see it. */
function serverProcess(): string {
  const pid = clusterProcesses(clusterPaths(CLUSTER)).find((candidate) =>
    describeProcess(candidate)?.title.startsWith("postgres -D /var/lib/postgresql/data/pgdata"),
  );
  return String(pid ?? "none");
}

const files =
  (...parts: string[]) =>
  (stage: Stage) => [join(stage.ci.scratch, ...parts)];
const server = () => [serverProcess()];

/** Another user of the node, without rights. K3s's own files, and whoever is root, are not what this stops. */
export const nodeUser: Attacker<Stage> = {
  who: "another user of the node",
  attempts: [
    asNobody("lists the data directory", 'ls "$1"', files("pgdata")),
    asNobody("reads a file of the data", 'cat "$1"', files("pgdata", "pgdata", "PG_VERSION")),
    asNobody("lists the backups", 'ls "$1"', files("repository")),
    asNobody("puts a file among the backups", 'touch "$1" && rm "$1"', files("repository", "mine")),
    asNobody("reads the kubeconfig of deployments", 'cat "$1" >/dev/null', files("kubeconfig-deploy")),
    asNobody("reads the kubeconfig of previews", 'cat "$1" >/dev/null', files("kubeconfig-preview")),
    asNobody(
      "reads a Secret that was rendered with --secrets",
      'cat "$1" >/dev/null',
      files("rendered-with-secrets", "01-postgres-superuser.yaml"),
    ),
    asNobody("reads the environment of the server", 'cat "/proc/$1/environ" >/dev/null', server),
    asNobody("reads where the server's memory is", 'cat "/proc/$1/maps" >/dev/null', server),
    asNobody("goes to the server's files by its process", 'ls "/proc/$1/root/var/lib/postgresql"', server),
    asNobody("ends the server", 'kill -0 "$1"', server),
  ],
};
