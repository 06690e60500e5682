/** The component that tells people what is wrong: one container looks at the figures, and another one sends. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf } from "../kubernetes/labels.ts";
import { NOTIFIER_CONTAINERS, NOTIFIER_NAME } from "../kubernetes/names.ts";
import {
  inMemory,
  mountsIn,
  type Placement,
  type PodVolume,
  restrictedContainer,
  withLog,
} from "../kubernetes/pods.ts";
import { lonePod } from "../kubernetes/lone-pod.ts";
import { recentProbe, watchedProbe } from "../kubernetes/probes.ts";
import {
  clockFiles,
  keptRunning,
  keptRunningFiles,
  scriptFiles,
  SCRIPTS_PATH,
} from "../kubernetes/scripts.ts";
import { connectionEnvironment, type PostgresEndpoint, TRUST_PATH } from "../postgres-endpoint.ts";
import { knowsValues, secretFrom, type SecretSource } from "../secrets/source.ts";
import { type Limits, rulesFor } from "./rules.ts";
import { rulesTable } from "./rules-table.ts";
import {
  certificateFiles,
  configurationFile,
  curlConfiguration,
  FILES_PATH,
  SECRETS_PATH,
  type SinkArgs,
  type SinkKeys,
  sinksTable,
} from "./sinks.ts";

/** Arguments of {@link Notifier}. */
export interface NotifierArgs {
  namespace: pulumi.Input<string>;
  /** The stack's name, for the messages. */
  stack: string;
  placement: Placement;
  endpoint: PostgresEndpoint;
  /** The Secret of a login of the kind `monitoring`. */
  loginSecretName: pulumi.Input<string>;
  /** The server's image, for psql. */
  postgresImage: string;
  /** An image with curl, a shell and awk. */
  image: string;
  /** Who is told. */
  sinks: readonly SinkArgs[];
  /** Who keeps what the sinks are reached with. */
  source: SecretSource;
  /** What the sinks are reached with, by sink. With a store, not in force. */
  keys: Readonly<Record<string, SinkKeys<pulumi.Output<string>>>>;
  limits: Limits;
  /** What must be there before: the login's database. */
  after: readonly pulumi.Resource[];
}

const STATE_PATH = "/run/notify";
const HEARTBEAT = `${STATE_PATH}/heartbeat`;
const { look: LOOK, send: SEND } = NOTIFIER_CONTAINERS;

function volumes(
  args: NotifierArgs,
  filesName: pulumi.Input<string>,
  secretName: pulumi.Input<string>,
): PodVolume[] {
  const { trust } = args.endpoint;
  const secret = (name: pulumi.Input<string>) => ({
    secret: { secretName: name, defaultMode: 0o440, optional: true },
  });
  return [
    {
      name: "files",
      source: { configMap: { name: filesName } },
      mounts: Object.fromEntries(
        [LOOK, SEND].map((container) => [
          container,
          // One ConfigMap: the scripts are found where all scripts are.
          [
            { path: SCRIPTS_PATH, readOnly: true },
            { path: FILES_PATH, readOnly: true },
          ],
        ]),
      ),
    },
    {
      name: "login",
      source: secret(args.loginSecretName),
      mounts: { [LOOK]: { path: "/etc/credentials", readOnly: true } },
    },
    ...(trust?.ca
      ? [{ name: "trust", source: trust.ca, mounts: { [LOOK]: { path: TRUST_PATH, readOnly: true } } }]
      : []),
    // The login is not among them: what connects to the outside has no way to the database.
    { name: "sinks", source: secret(secretName), mounts: { [SEND]: { path: SECRETS_PATH, readOnly: true } } },
    inMemory("state", "4Mi", { [LOOK]: { path: STATE_PATH }, [SEND]: { path: STATE_PATH } }),
    inMemory("look-tmp", "4Mi", { [LOOK]: { path: "/tmp" } }),
    inMemory("send-tmp", "4Mi", { [SEND]: { path: "/tmp" } }),
  ];
}

/**
 * Looks every ten seconds at the figures of the database, as a login that may only monitor, and tells whoever is
 * configured what is wrong by the rules, once for each change. It needs nothing but the database, and of that nothing
 * but an answer.
 */
export class Notifier extends pulumi.ComponentResource {
  constructor(name: string, args: NotifierArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Notifier", name, {}, opts);
    const child = { parent: this, deleteBeforeReplace: true };
    const metadata = { name: NOTIFIER_NAME, namespace: args.namespace, labels: labelsOf("notify") };
    const known = knowsValues(args.source);

    const secretName = secretFrom(
      args.source,
      {
        ...metadata,
        texts: Object.fromEntries(
          args.sinks.map((sink) => [
            configurationFile(sink.name),
            curlConfiguration(sink, known ? (args.keys[sink.name] ?? {}) : {}),
          ]),
        ),
      },
      { parent: this },
    );
    const files = {
      ...scriptFiles(import.meta.url, "look.sh", "judge.awk", "send.sh", "message.awk"),
      ...keptRunningFiles(),
      ...clockFiles(),
      ...certificateFiles(args.sinks),
      "rules.tsv": rulesTable(rulesFor(args.limits)),
      "sinks.tsv": sinksTable(args.sinks),
    };
    const filesName = new k8s.core.v1.ConfigMap(NOTIFIER_NAME, { metadata, data: files }, child).metadata
      .name;
    const mounted = volumes(args, filesName, secretName);
    const resources = withLog({
      requests: { cpu: "10m", memory: "16Mi" },
      limits: { cpu: "200m", memory: "64Mi" },
    });
    lonePod(
      NOTIFIER_NAME,
      {
        namespace: args.namespace,
        labels: labelsOf("notify"),
        placement: args.placement,
        scripts: files,
        containers: [
          {
            name: LOOK,
            image: args.postgresImage,
            ...restrictedContainer,
            command: keptRunning("look.sh", HEARTBEAT),
            env: connectionEnvironment(args.endpoint),
            livenessProbe: watchedProbe(HEARTBEAT),
            readinessProbe: recentProbe("bash", `${STATE_PATH}/looked`, 3),
            resources,
            volumeMounts: mountsIn(LOOK, mounted),
          },
          {
            name: SEND,
            image: args.image,
            ...restrictedContainer,
            command: ["sh", `${SCRIPTS_PATH}/send.sh`],
            env: [{ name: "STACK", value: args.stack }],
            livenessProbe: recentProbe("sh", `${STATE_PATH}/sending`, 10),
            // Who cannot be told for ten minutes: `npm run status` says so.
            readinessProbe: {
              exec: { command: ["sh", "-c", `[ -z "$(find ${STATE_PATH} -name 'failing.*' -mmin +10)" ]`] },
              periodSeconds: 10,
              timeoutSeconds: 5,
              failureThreshold: 3,
            },
            resources,
            volumeMounts: mountsIn(SEND, mounted),
          },
        ],
        volumes: mounted,
      },
      child,
      { dependsOn: [...args.after] },
    );
    this.registerOutputs();
  }
}
