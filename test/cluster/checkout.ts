/** A checkout as a person has it who deploys production: their own Pulumi.prod.yaml, and the commands at hand. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { IMAGES } from "../../policy/declarations.ts";
import { repositoryOf } from "../../policy/postgres.ts";
import { projectFile } from "../../tools/cli.ts";
import { engineEnvironment } from "../../tools/engine/environment.ts";
import type { LocalCluster } from "../../tools/local-cluster/cluster.ts";
import { STAND_INS } from "../../tools/local-cluster/images.ts";
import { copyProject } from "../../tools/project-copy.ts";
import { withFields } from "../../tools/stack-file/editing.ts";
import { CLUSTER, execute, type Ran, runEngine, state, theCluster, theEngine } from "./support.ts";
import type { Runbook } from "./runbook.ts";

/** The stack of the runbooks. */
export const STACK = "prod";

/** Figures that the tests' node can hold; everything else is as committed. */
const SMALL = {
  storage: { capacity: "1Gi" },
  database: {
    requests: { memory: "256Mi", cpu: "100m" },
    limits: { memory: "1Gi", cpu: "2" },
    tuning: "auto",
    settings: { max_connections: 40 },
  },
};

/** The stand-in for each repository of an image. */
const STAND_IN_FOR: Readonly<Record<string, string>> = {
  "pgvector/pgvector": STAND_INS.database.image,
  "ghcr.io/amacneil/dbmate": STAND_INS.migration.image,
  "woblerr/pgbackrest": STAND_INS.backup.image,
  "rclone/rclone": STAND_INS.backup.dumpImage,
  "curlimages/curl": STAND_INS.notify.image,
  "quay.io/prometheuscommunity/postgres-exporter": STAND_INS.monitoring.exporterImage,
  "quay.io/prometheus/prometheus": STAND_INS.monitoring.prometheusImage,
};

interface Named {
  name: string;
}

interface Kubeconfig {
  clusters: (Named & { cluster: { server: string } })[];
  users: Named[];
  contexts: Named[];
}

const readKubeconfig = (file: string) => JSON.parse(readFileSync(file, "utf8")) as Kubeconfig;

/**
 * `pulumi up` on the stack that `npm run up` deployed, of a copy of the project with a migration more.
 *
 * @param config the stack's configuration, instead of the deployed one
 */
export async function upWithMigration(name: string, text: string, config?: string): Promise<Ran> {
  const project = join(dirname(dirname(state().directory)), "with-migration");
  try {
    copyProject(project);
    writeFileSync(join(project, "sql/migrations", name), text);
    const options = config === undefined ? [] : ["--config-file", config];
    return await runEngine({ args: ["up", "--yes", "--skip-preview", ...options], project });
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}

/** A copy of the project with the stack `prod`, its own backend and its own passphrase. */
export class Checkout {
  /** Next to the stack `dev` of `npm run up`, and removed with it. */
  private readonly home = join(dirname(dirname(state().directory)), "checkout");
  /** The project's folder. */
  readonly directory = join(this.home, "transcript-pipeline");
  /** Where Pulumi keeps the state. */
  readonly backend = join(this.home, "backend");
  /** The person's own, with a context for each of their clusters. */
  readonly kubeconfig = join(this.home, "kubeconfig");
  /** For data that is to stay: `prod` is not given a directory below /tmp. */
  private readonly raid = join(homedir(), `.local/state/transcript-pipeline-suite-${CLUSTER}`);
  /** A directory for data on the node, which is this machine. */
  readonly dataDirectory = join(this.raid, "raid/pgdata");

  constructor() {
    rmSync(this.home, { recursive: true, force: true });
    rmSync(this.raid, { recursive: true, force: true });
    mkdirSync(this.backend, { recursive: true });
    copyProject(this.directory);
    mkdirSync(join(this.home, "bin"));
    symlinkSync(theEngine().command, join(this.home, "bin/pulumi"));
    writeFileSync(join(this.home, "passphrase"), "of the runbooks' tests\n", { mode: 0o600 });
    this.configure();
  }

  /**
   * Adds a context for the running cluster. The existing ones lead to a machine that does not answer.
   *
   * @returns its name
   */
  nameContext(name: string): string {
    const known = existsSync(this.kubeconfig) ? readKubeconfig(this.kubeconfig) : undefined;
    const running = readKubeconfig(theCluster().kubeconfig);
    for (const { cluster } of known?.clusters ?? []) cluster.server = "https://127.0.0.1:9";
    const named = <T extends Named>(list: T[]) => list.map((entry) => ({ ...entry, name }));
    const contexts = [{ name, context: { cluster: name, user: name } }];
    const kubeconfig = {
      ...running,
      clusters: [...(known?.clusters ?? []), ...named(running.clusters)],
      users: [...(known?.users ?? []), ...named(running.users)],
      contexts: [...(known?.contexts ?? []), ...contexts],
      "current-context": name,
    };
    writeFileSync(this.kubeconfig, JSON.stringify(kubeconfig), { mode: 0o600 });
    return name;
  }

  /** Writes what a person writes into Pulumi.prod.yaml before a first deployment. */
  private configure(): void {
    const file = join(this.directory, `Pulumi.${STACK}.yaml`);
    const cluster = theCluster();
    const context = this.nameContext("old");
    const configured = withFields(readFileSync(file, "utf8"), {
      cluster: { context, kubeconfig: this.kubeconfig },
      node: { hostname: cluster.nodeName, connection: "local" },
      storage: { ...SMALL.storage, path: this.dataDirectory, mount: undefined },
      ...STAND_INS,
      database: { ...SMALL.database, ...STAND_INS.database },
    });
    writeFileSync(file, configured);
    this.writeDeclarations(cluster);
  }

  /** Writes what the policy pack must compare the deployment with: the node, and the person's own repositories. */
  private writeDeclarations({ nodeName }: LocalCluster): void {
    const file = join(this.directory, `policy/config.${STACK}.json`);
    const text = readFileSync(file, "utf8").replaceAll('"gen8"', JSON.stringify(nodeName));
    const mirrored = IMAGES.map((line) => {
      const [workload, container, repository] = line.split(" ");
      const image = STAND_IN_FOR[repository ?? ""];
      assert.ok(image, `${line} has no stand-in`);
      return `${workload} ${container} ${repositoryOf(image)}`;
    });
    const rules = { ...(JSON.parse(text) as object), "declared-images": { declared: mirrored } };
    writeFileSync(file, JSON.stringify(rules));
  }

  /** Runs shell commands in the project's folder, stopping at the first that fails. Answers yes if Pulumi asks. */
  run(commands: string, variables: Record<string, string> = {}): Promise<Ran> {
    return execute("bash", ["-euo", "pipefail", "-c", commands], {
      cwd: this.directory,
      env: engineEnvironment({
        backend: { directory: this.backend, passphrase: { file: join(this.home, "passphrase") } },
        variables: {
          // The engine itself, before its launcher.
          PATH: [join(this.home, "bin"), projectFile("node_modules/.bin"), process.env.PATH].join(delimiter),
          KUBECONFIG: this.kubeconfig,
          PULUMI_SKIP_CONFIRMATIONS: "true",
          STACK,
          ...variables,
        },
      }),
    });
  }

  /** Runs shell commands that must succeed. */
  async succeed(commands: string, variables: Record<string, string> = {}): Promise<Ran> {
    const ran = await this.run(commands, variables);
    assert.equal(ran.status, 0, `${commands}\n${ran.output}`);
    return ran;
  }

  /** Runs a runbook's blocks in order; each must succeed. Returns what they printed. */
  async follow(runbook: Runbook, variables: Record<string, string>): Promise<string> {
    let output = "";
    for (const block of runbook.blocks) output += (await this.succeed(block, variables)).output;
    return output;
  }

  /** Removes everything of it. */
  remove(): void {
    if (existsSync(this.home)) rmSync(this.home, { recursive: true });
    rmSync(this.raid, { recursive: true, force: true });
  }
}
