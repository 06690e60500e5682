import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf } from "./labels.ts";
import { restrictedContainer, restrictedPod } from "./pod-security.ts";
import type { PostgresEndpoint } from "./postgres-endpoint.ts";
import { checksum, scriptFile, SCRIPTS_PATH } from "./scripts.ts";

/** Name of the Job, which the guide's commands use. */
export const JOB_NAME = "postgres-init";

/** Arguments of {@link Migration}. */
export interface MigrationArgs {
  namespace: pulumi.Input<string>;
  endpoint: PostgresEndpoint;
  /** Secret with the superuser's POSTGRES_PASSWORD, for the bootstrap alone. */
  superuserSecretName: pulumi.Input<string>;
  /** Image with bash and psql, for the bootstrap: the server's own. */
  postgresImage: pulumi.Input<string>;
  /** Image with dbmate, psql and sh. */
  dbmateImage: pulumi.Input<string>;
  /** SQL that only a superuser can run, by file name, in that order. */
  bootstrap: Readonly<Record<string, string>>;
  /** dbmate migrations by file name, in that order. */
  migrations: Readonly<Record<string, string>>;
  hostname: pulumi.Input<string>;
  tolerations: k8s.types.input.core.v1.Toleration[];
  /** Seconds the Job has, waiting for the server included. */
  timeout: number;
  /** Runs before the Job is created: one that is there already could not be changed into it. */
  beforeJob?: pulumi.ResourceHook | undefined;
}

/** Brings the database to the schema of its SQL files: extensions and roles first, then the migrations. */
export class Migration extends pulumi.ComponentResource {
  /** Name of the Job, known once it has succeeded. */
  readonly jobName: pulumi.Output<string>;

  constructor(name: string, args: MigrationArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Migration", name, {}, opts);
    const scripts = { "bootstrap.sh": scriptFile("bootstrap.sh"), "migrate.sh": scriptFile("migrate.sh") };
    const configMap = (objectName: string, data: Readonly<Record<string, string>>) =>
      new k8s.core.v1.ConfigMap(
        objectName,
        { metadata: { name: objectName, namespace: args.namespace, labels: labelsOf("migration") }, data },
        { parent: this, deleteBeforeReplace: true },
      ).metadata.name;
    const scriptsName = configMap("postgres-init-scripts", scripts);
    const bootstrapName = configMap("postgres-init-bootstrap", args.bootstrap);
    const migrationsName = configMap("postgres-init-migrations", args.migrations);

    const connection = [
      { name: "PGHOST", value: args.endpoint.host },
      { name: "PGPORT", value: pulumi.output(args.endpoint.port).apply(String) },
      { name: "WAIT", value: String(Math.floor(args.timeout / 2)) },
    ];
    const container = (
      containerName: string,
      image: pulumi.Input<string>,
      command: string[],
      env: k8s.types.input.core.v1.EnvVar[],
    ): k8s.types.input.core.v1.Container => ({
      name: containerName,
      image,
      imagePullPolicy: "IfNotPresent",
      command,
      env: [...connection, ...env],
      resources: { requests: { cpu: "50m", memory: "64Mi" }, limits: { cpu: "1", memory: "256Mi" } },
      securityContext: restrictedContainer,
      // The SQL error is then the reason that Pulumi and `kubectl describe` print.
      terminationMessagePolicy: "FallbackToLogsOnError",
      volumeMounts: [
        { name: `${containerName}-sql`, mountPath: "/sql", readOnly: true },
        { name: `${containerName}-credentials`, mountPath: "/etc/credentials", readOnly: true },
        { name: "scripts", mountPath: SCRIPTS_PATH, readOnly: true },
        { name: "tmp", mountPath: "/tmp" },
      ],
    });

    const job = new k8s.batch.v1.Job(
      JOB_NAME,
      {
        metadata: {
          name: JOB_NAME,
          namespace: args.namespace,
          labels: labelsOf("migration"),
          annotations: {
            // A Job that failed is run again by the next `up`.
            "pulumi.com/replaceUnready": "true",
            // A Job's template cannot be changed: Argo CD and Flux are told to replace it.
            "argocd.argoproj.io/hook": "Sync",
            "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
            "kustomize.toolkit.fluxcd.io/force": "enabled",
          },
        },
        spec: {
          // The scripts go on after a lost connection by themselves, so a pod that failed has failed for good. Only
          // for this reason (BackoffLimitExceeded) does Pulumi stop waiting at once, and say what the pod said.
          backoffLimit: 0,
          activeDeadlineSeconds: args.timeout,
          podFailurePolicy: {
            // An evicted pod, or one of a node that is drained, is no failure.
            rules: [{ action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] }],
          },
          template: {
            metadata: {
              labels: labelsOf("migration"),
              // The Job runs again when one of its files has changed.
              annotations: {
                "transcript-pipeline/files": checksum(
                  JSON.stringify([scripts, args.bootstrap, args.migrations]),
                ),
              },
            },
            spec: {
              restartPolicy: "Never",
              // A statement that is cut off is rolled back; there is nothing to wait for.
              terminationGracePeriodSeconds: 10,
              nodeSelector: { "kubernetes.io/hostname": args.hostname },
              ...(args.tolerations.length > 0 && { tolerations: args.tolerations }),
              automountServiceAccountToken: false,
              enableServiceLinks: false,
              securityContext: restrictedPod,
              initContainers: [
                container(
                  "bootstrap",
                  args.postgresImage,
                  ["bash", `${SCRIPTS_PATH}/bootstrap.sh`],
                  [
                    { name: "OWNER", value: args.endpoint.owner },
                    { name: "DATABASE", value: args.endpoint.database },
                  ],
                ),
              ],
              containers: [container("migrate", args.dbmateImage, ["sh", `${SCRIPTS_PATH}/migrate.sh`], [])],
              volumes: [
                { name: "bootstrap-sql", configMap: { name: bootstrapName } },
                { name: "migrate-sql", configMap: { name: migrationsName } },
                {
                  name: "bootstrap-credentials",
                  secret: { secretName: args.superuserSecretName, defaultMode: 0o440 },
                },
                {
                  name: "migrate-credentials",
                  secret: { secretName: args.endpoint.secretName, defaultMode: 0o440 },
                },
                { name: "scripts", configMap: { name: scriptsName } },
                { name: "tmp", emptyDir: { sizeLimit: "16Mi" } },
              ],
            },
          },
        },
      },
      {
        parent: this,
        deleteBeforeReplace: true,
        dependsOn: [args.endpoint.ready],
        customTimeouts: { create: `${args.timeout + 60}s` },
        ...(args.beforeJob && { hooks: { beforeCreate: [args.beforeJob] } }),
      },
    );
    this.jobName = job.metadata.name;
    this.registerOutputs({ jobName: this.jobName });
  }
}
