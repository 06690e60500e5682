/** The component of the Job that upgrades an existing database to another image. */
import * as pulumi from "@pulumi/pulumi";
import { databaseJob, filesForJob, superuserContainer } from "./database-job.ts";
import type { Placement } from "../kubernetes/pods.ts";
import type { PostgresEndpoint } from "../postgres-endpoint.ts";
import { namesFiles, superuserFiles } from "../server/superuser-files.ts";
import { scriptFiles, stoppableFiles } from "../kubernetes/scripts.ts";
import { UPGRADE_JOB_NAME } from "../kubernetes/names.ts";

/** Arguments of {@link Upgrade}. */
export interface UpgradeArgs {
  namespace: pulumi.Input<string>;
  endpoint: PostgresEndpoint;
  /** The claim with the server's socket. */
  claimName: pulumi.Input<string>;
  /** The server's image. A new one is the reason to run. */
  image: string;
  /** SQL that upgrades a database to the image's versions, by file name, in that order. */
  sql: Readonly<Record<string, string>>;
  placement: Placement;
  /** Time limit of the Job in seconds: rebuilding the indexes of a large database takes hours. */
  timeout: number;
  /** Runs before the Job is created, because an existing Job cannot be changed. */
  beforeJob?: pulumi.ResourceHook | undefined;
}

/**
 * Upgrades an existing database to the extensions and the sort order of a new image: once for each image. It locks
 * indexes while rebuilding them, and can be interrupted safely.
 */
export class Upgrade extends pulumi.ComponentResource {
  constructor(name: string, args: UpgradeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Upgrade", name, {}, opts);
    const { namespace, endpoint, placement, timeout } = args;
    const child = { parent: this };
    const scripts = {
      ...stoppableFiles(),
      ...superuserFiles(),
      ...scriptFiles(import.meta.url, "superuser-sql.sh"),
      ...namesFiles(),
    };
    databaseJob(
      UPGRADE_JOB_NAME,
      {
        namespace,
        endpoint,
        placement,
        timeout,
        before: args.beforeJob,
        scriptsName: filesForJob("postgres-upgrade-scripts", namespace, scripts, child),
        containers: [
          superuserContainer("upgrade", endpoint, {
            image: args.image,
            sqlName: filesForJob("postgres-upgrade-sql", namespace, args.sql, child),
            claimName: args.claimName,
          }),
        ],
        reasons: [args.image, args.sql],
      },
      { ...child, dependsOn: [endpoint.ready] },
    );
    this.registerOutputs();
  }
}
