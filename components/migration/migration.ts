/** The component of the init Job: bootstrap and migrations. */
import * as pulumi from "@pulumi/pulumi";
import { databaseJob, filesForJob, superuserContainer } from "./database-job.ts";
import type { Placement } from "../kubernetes/pods.ts";
import type { PostgresEndpoint } from "../postgres-endpoint.ts";
import { namesFiles, superuserFiles } from "../server/superuser-files.ts";
import { scriptFiles, SCRIPTS_PATH, stoppableFiles } from "../kubernetes/scripts.ts";
import { ACCESS_LABEL, INIT_JOB_NAME } from "../kubernetes/names.ts";

/** Arguments of {@link Migration}. */
export interface MigrationArgs {
  namespace: pulumi.Input<string>;
  endpoint: PostgresEndpoint;
  /** The claim with the server's socket, for the bootstrap only. */
  claimName: pulumi.Input<string>;
  /** Image with bash and psql, for the bootstrap: the server's own. */
  postgresImage: pulumi.Input<string>;
  /** Image with dbmate, psql and sh. */
  dbmateImage: pulumi.Input<string>;
  /** SQL that only a superuser can run, by file name, in that order. */
  bootstrap: Readonly<Record<string, string>>;
  /** dbmate migrations by file name, in that order. */
  migrations: Readonly<Record<string, string>>;
  placement: Placement;
  /** Time limit of the Job in seconds, including waiting for the server. */
  timeout: number;
  /** What must be complete before. @default only the server's start */
  after?: pulumi.Resource | undefined;
  /** Runs before the Job is created, because an existing Job cannot be changed. */
  beforeJob?: pulumi.ResourceHook | undefined;
}

/** Applies the SQL files to the database: extensions and roles first, then the migrations. */
export class Migration extends pulumi.ComponentResource {
  /** Name of the Job, known once it has succeeded. */
  readonly jobName: pulumi.Output<string>;

  constructor(name: string, args: MigrationArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Migration", name, {}, opts);
    const { namespace, endpoint, placement, timeout } = args;
    const child = { parent: this };
    const scripts = {
      ...stoppableFiles(),
      ...superuserFiles(),
      ...namesFiles(),
      ...scriptFiles(import.meta.url, "superuser-sql.sh", "migrate.sh"),
    };
    const job = databaseJob(
      INIT_JOB_NAME,
      {
        namespace,
        endpoint,
        placement,
        timeout,
        // What the network policies select: it connects as clients do. The label that the Job controller sets would be
        // the same, but a preview could not replace a Job that has it in its template.
        podLabels: { app: INIT_JOB_NAME, ...ACCESS_LABEL },
        before: args.beforeJob,
        scriptsName: filesForJob("postgres-init-scripts", namespace, scripts, child),
        containers: [
          superuserContainer("bootstrap", endpoint, {
            image: args.postgresImage,
            sqlName: filesForJob("postgres-init-bootstrap", namespace, args.bootstrap, child),
            claimName: args.claimName,
          }),
          {
            name: "migrate",
            image: args.dbmateImage,
            command: ["sh", `${SCRIPTS_PATH}/migrate.sh`],
            sqlName: filesForJob("postgres-init-migrations", namespace, args.migrations, child),
            way: { secretName: endpoint.secretName },
          },
        ],
        reasons: [scripts, args.bootstrap, args.migrations],
      },
      { ...child, dependsOn: [endpoint.ready, ...(args.after ? [args.after] : [])] },
    );
    this.jobName = job.metadata.name;
    this.registerOutputs({ jobName: this.jobName });
  }
}
