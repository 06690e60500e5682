/** Another machine, with an empty PostgreSQL 17, pgvector and rclone: a pod in the cluster that reaches the repository. */
import { buildNewerPostgresImage } from "../../../tools/local-cluster/images.ts";
import type { Runbook } from "../runbook.ts";
import { ctr, kubectl, succeed, theCluster } from "../support.ts";

const NAMESPACE = "newer-postgres";
const NAME = "machine";
/** Where the user `postgres` works. */
const HOME = "/var/lib/postgresql";

/** The machine, from its start until it is removed. */
const AS_APPLICATIONS = `select substr(setting, 13) as path
  from pg_db_role_setting join pg_database d on d.oid = setdatabase, unnest(setconfig) as setting
 where setrole = 0 and datname = current_database() and setting like 'search\\_path=%'
\\gset
select set_config('search_path', :'path', false) \\g /dev/null
`;

export class NewerPostgres {
  /** Variables of the commands. */
  variables: Readonly<Record<string, string>> = {};

  /** Starts it, with an empty server. */
  async start(): Promise<void> {
    const { archive, reference: image } = await buildNewerPostgresImage(() => undefined);
    await ctr("images", "import", "--local=false", archive);
    const list = {
      apiVersion: "v1",
      kind: "List",
      items: [
        { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } },
        {
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name: NAME, namespace: NAMESPACE },
          spec: {
            terminationGracePeriodSeconds: 1,
            containers: [{ name: NAME, image, command: ["sleep", "infinity"] }],
          },
        },
      ],
    };
    await succeed("kubectl", ["--kubeconfig", theCluster().kubeconfig, "apply", "-f", "-"], {
      input: JSON.stringify(list),
    });
    await kubectl("wait", "pod", NAME, "-n", NAMESPACE, "--for=condition=Ready", "--timeout=120s");
    // systemd makes it on a real machine.
    await kubectl(
      ...["exec", "-n", NAMESPACE, NAME, "--"],
      ...["install", "-d", "-o", "postgres", "-g", "postgres", "/var/run/postgresql"],
    );
    await this.run("pg_ctlcluster 17 main start");
  }

  /** A program of bash as the user `postgres`, which must succeed. Returns what it printed. */
  async run(program: string, input?: string): Promise<string> {
    const exports = Object.entries(this.variables).map(([name, value]) => `export ${name}=${value}\n`);
    // Not what kubectl says of its connection.
    const { stdout } = await succeed(
      "kubectl",
      [
        ...["--kubeconfig", theCluster().kubeconfig, "exec", "-i", "-n", NAMESPACE, NAME, "--"],
        ...["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"],
        ...["bash", "-euo", "pipefail", "-c", `cd ${HOME}\n${exports.join("")}${program}`],
      ],
      input === undefined ? {} : { input },
    );
    return stdout;
  }

  /** A file in its working directory, for its user alone. */
  async write(name: string, text: string): Promise<void> {
    await this.run(`umask 077; cat >${name}`, text);
  }

  /** Follows a runbook, with what the runbooks before it have exported. */
  async follow({ blocks }: Runbook): Promise<string> {
    const output = await this.run(
      `[ ! -e exported ] || . ./exported\n${blocks.join("")}\nexport -p >exported`,
    );
    return output;
  }

  /**
   * SQL in the restored database, unaligned. With the names that the database's own setting has applications find: the
   * superuser came with one of its own, which finds none.
   */
  async psql(sql: string): Promise<string> {
    // Not as input, which kubectl loses now and then on a busy machine.
    return (
      await this.run(
        `psql -X -At -v ON_ERROR_STOP=1 -d transcripts_db -f - <<'SQL'\n${AS_APPLICATIONS}${sql}\nSQL`,
      )
    ).trim();
  }

  /** Removes it. */
  async remove(): Promise<void> {
    await kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false");
  }
}
