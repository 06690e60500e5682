/** Places that somebody may read who must learn no secret there, and how the test hides a canary in each. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { APPLICATION } from "../../../../components/kubernetes/labels.ts";
import { clusterPaths } from "../../../../tools/local-cluster/paths.ts";
import { canary } from "../../canary.ts";
import { datastoreFiles } from "../../encryption-at-rest.ts";
import { CLUSTER, execute, kubectl, sql, until } from "../../support.ts";
import { asks, inPodOf } from "../acts.ts";
import type { Stage } from "../stage.ts";

/** A place. */
export interface Place {
  where: string;
  /** Everything that is there. */
  texts(stage: Stage): Promise<(string | Buffer)[]>;
  /**
   * Hides a value there that is no secret, in the way in which secrets would come there.
   *
   * @returns the value
   */
  plant(stage: Stage): Promise<string>;
}

/** What was hidden before the deployment: `cluster_name`, which is configured, and the deployment's message. */
const configured = (stage: Stage) => Promise.resolve(stage.planted);

/** The same in what is printed: the repository's directory, which no other run has. */
const printed = ({ repository }: Stage) => Promise.resolve(repository);

/** Everything in a folder. */
function filesBelow(folder: string): Buffer[] {
  assert.ok(existsSync(folder), `there is no ${folder}`);
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).flatMap((name) => {
    try {
      const file = join(folder, name);
      return statSync(file).isFile() ? [readFileSync(file)] : [];
    } catch {
      // It is gone, as WAL and temporary files are.
      return [];
    }
  });
}

const stateFolder = ({ ci }: Stage, ...parts: string[]) => join(ci.scratch, "state/.pulumi", ...parts);
const now = <Value>(value: Value) => Promise.resolve(value);
const query = (statement: string) => sql(statement, "postgres").then((text) => [text]);
const objects = (...args: string[]) =>
  kubectl("get", ...args, "-o", "json", "--show-managed-fields").then((text) => [text]);

/** A statement of the owner's; must succeed. */
async function says(stage: Stage, statement: string): Promise<void> {
  const { succeeded, words } = await asks(statement)(stage);
  assert.ok(succeeded, words);
}

export const places: readonly Place[] = [
  {
    where: "the state file",
    texts: (stage) => now(filesBelow(stateFolder(stage, "stacks"))),
    plant: configured,
  },
  {
    where: "the state's history and its copies",
    texts: (stage) => now(["history", "backups"].flatMap((part) => filesBelow(stateFolder(stage, part)))),
    plant: configured,
  },
  {
    where: "the stack's file",
    texts: ({ ci }) => now([readFileSync(join(ci.directory, "Pulumi.dev.yaml"))]),
    plant: configured,
  },
  { where: "what a preview prints", texts: ({ said }) => now([said.preview ?? ""]), plant: printed },
  { where: "what a deployment prints", texts: ({ said }) => now([said.up ?? ""]), plant: printed },
  {
    where: "what making CI's identities prints",
    texts: ({ said }) => now([said.access ?? "", "transcript-pipeline-dev"]),
    plant: () => now("transcript-pipeline-dev"),
  },
  {
    where: "the rendered files",
    texts: ({ ci }) => now(filesBelow(join(ci.scratch, "rendered"))),
    plant: configured,
  },
  {
    where: "the events",
    texts: () => objects("events", "-A"),
    plant: async () => {
      const value = canary();
      const event = {
        apiVersion: "v1",
        kind: "Event",
        metadata: { name: "canary", namespace: APPLICATION },
        involvedObject: { kind: "Pod", name: "postgres-0", namespace: APPLICATION },
        reason: "Canary",
        message: value,
        type: "Normal",
      };
      const file = join(clusterPaths(CLUSTER).state, "canary-event.json");
      writeFileSync(file, JSON.stringify(event));
      await kubectl("apply", "-f", file);
      return value;
    },
  },
  {
    where: "the logs of all containers, the server's own among them",
    texts: () => now(filesBelow(join(clusterPaths(CLUSTER).state, "var-log/pods"))),
    plant: async (stage) => {
      const value = canary();
      // The server logs what failed.
      await asks(`select '${value}'::int`)(stage);
      return value;
    },
  },
  { where: "ConfigMaps", texts: () => objects("configmaps", "-A"), plant: configured },
  {
    where: "the specifications and annotations of pods, Jobs and volumes",
    texts: () => objects("all,pv,pvc,cronjobs,networkpolicies", "-A"),
    plant: async () => {
      const value = canary();
      await kubectl("annotate", "pod", "client", "-n", APPLICATION, "--overwrite", `canary=${value}`);
      return value;
    },
  },
  {
    where: "the annotations of Secrets",
    texts: async () => {
      const [text = ""] = await objects("secrets", "-n", APPLICATION);
      const { items } = JSON.parse(text) as { items: { metadata: object }[] };
      return items.map(({ metadata }) => JSON.stringify(metadata));
    },
    plant: async () => {
      const value = canary();
      await kubectl("annotate", "secret", "postgres-ca", "-n", APPLICATION, "--overwrite", `canary=${value}`);
      return value;
    },
  },
  {
    where: "the command lines of the node's processes, during the deployment and now",
    texts: async ({ processes }) => {
      const seen = await execute("setpriv", [
        ...["--reuid=65534", "--regid=65534", "--clear-groups"],
        ...["bash", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null || true"],
      ]);
      return [...processes.commandLines, seen.stdout];
    },
    // The server's processes have it in their titles.
    plant: configured,
  },
  {
    where: "the environments of the product's processes, during the deployment",
    texts: ({ processes }) => now([...processes.environments]),
    plant: async (stage) => {
      const value = canary();
      const sleeping = inPodOf("client", `CANARY=${value} sleep 3`)(stage);
      for (let again = 0; again < 10; again++) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        stage.processes.lookFor("CANARY=");
      }
      await sleeping;
      return value;
    },
  },
  {
    where: "the statistics of statements",
    texts: () => query("select query from extensions.pg_stat_statements"),
    plant: async (stage) => {
      const value = canary();
      // Statements that differ in a name alone are one, in the words of the first: nobody else counts these.
      await says(stage, `select count(*) from pg_ts_template as "${value}"`);
      return value;
    },
  },
  {
    where: "the list of sessions",
    texts: () => query("select application_name || query from pg_stat_activity"),
    plant: async (stage) => {
      const value = canary();
      void asks(`select pg_sleep(20) /* ${value} */`)(stage);
      const seen = `select count(*) from pg_stat_activity where query like '%/* ' || '${value}' || ' */'`;
      await until("the session is there", async () => (await sql(seen, "postgres")) === "1", 30_000);
      return value;
    },
  },
  {
    where: "the server's settings",
    texts: () => query("select name || ' = ' || setting from pg_settings"),
    plant: configured,
  },
];

/** Those whose search takes long, or that need an encrypted datastore and a backup. */
export const slowPlaces: readonly Place[] = [
  {
    where: "the datastore of an API server that encrypts Secrets",
    texts: () =>
      now(datastoreFiles(join(clusterPaths(CLUSTER).state, "kine/db/state.db")).map(({ bytes }) => bytes)),
    // A ConfigMap's value: it is not encrypted.
    plant: configured,
  },
  {
    where: "the files of the data directory",
    texts: ({ data }) => now(filesBelow(data)),
    plant: async (stage) => {
      const value = canary();
      await says(stage, `insert into recordings (source_uri) values ('${value}')`);
      await sql("checkpoint", "postgres");
      return value;
    },
  },
  {
    where: "the files of the backups",
    texts: ({ repository }) => now(filesBelow(repository)),
    plant: ({ repository }) => {
      const value = canary();
      writeFileSync(join(repository, "canary"), value);
      return now(value);
    },
  },
];
