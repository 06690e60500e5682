/** The component of a database: its logins, volume and server. */
import * as pulumi from "@pulumi/pulumi";
import { Credentials, type CredentialsArgs } from "./credentials/credentials.ts";
import { nameAnnotations } from "./kubernetes/names.ts";
import type { Placement } from "./kubernetes/pods.ts";
import type { PostgresEndpoint, ServerTrust } from "./postgres-endpoint.ts";
import { Server, type ServerArgs } from "./server/server.ts";
import { DATA_DIRECTORY } from "./storage/directory.ts";
import { Volume, type VolumeArgs } from "./storage/volume.ts";

/** Arguments of {@link Database}: those of its parts, without those that the parts pass each other. */
export interface DatabaseArgs {
  namespace: pulumi.Input<string>;
  /** The stack that the data belongs to: written into the directory once, and compared at every start. */
  identity: string;
  placement: Placement;
  /** Whether volume, claim and the passwords' secrets, which cannot be recreated, are protected from deletion. */
  protect: boolean;
  /** The name by which clients connect. @default the Service's */
  host?: string | undefined;
  /** How clients verify the server's certificate. @default it has none */
  trust?: ServerTrust | undefined;
  /** Runs before the Job that tries the settings is created. @default nothing */
  beforeJob?: pulumi.ResourceHook | undefined;
  /** Runs after a change of an object that the running pod mounts: a Secret, the settings. @default nothing */
  afterChange?: pulumi.ResourceHook | undefined;
  credentials: Pick<CredentialsArgs, "source" | "password" | "superuserPassword" | "rotation" | "logins"> & {
    database: string;
    owner: string;
  };
  volume: Pick<VolumeArgs, "path" | "capacity" | "claimed" | "mount" | "connection" | "beforeClaim">;
  server: Omit<
    ServerArgs,
    | "namespace"
    | "identity"
    | "placement"
    | "claimName"
    | "secretName"
    | "superuserSecretName"
    | "loginsSecretName"
    | "database"
    | "owner"
    | "beforeJob"
    | "afterChange"
  >;
}

/** A PostgreSQL database on one node: its logins, directory and server. */
export class Database extends pulumi.ComponentResource implements PostgresEndpoint {
  readonly host: pulumi.Output<string>;
  readonly port: pulumi.Output<number>;
  readonly database: pulumi.Output<string>;
  readonly owner: pulumi.Output<string>;
  readonly secretName: pulumi.Output<string>;
  /** The Secret of each login but the owner's, by the login's name. */
  readonly loginSecretNames: Readonly<Record<string, pulumi.Output<string>>>;
  readonly ready: pulumi.Resource;
  readonly trust: ServerTrust | undefined;
  /** The claim with the server's socket, for superuser sessions. */
  readonly claimName: pulumi.Output<string>;
  /** The owner's password. A secret. Undefined: only a store knows it. */
  readonly password: pulumi.Output<string> | undefined;

  constructor(name: string, args: DatabaseArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Database", name, {}, opts);
    const { namespace, identity, placement, protect, beforeJob, afterChange } = args;
    const child = { parent: this };
    const names = { database: args.credentials.database, owner: args.credentials.owner };

    const credentials = new Credentials(
      `${name}-credentials`,
      { namespace, protect, afterChange, ...args.credentials },
      child,
    );
    const volume = new Volume(
      `${name}-volume`,
      {
        use: DATA_DIRECTORY,
        part: "storage",
        hostPathType: "DirectoryOrCreate",
        namespace,
        identity,
        annotations: nameAnnotations(names),
        hostname: placement.hostname,
        protect,
        ...args.volume,
      },
      child,
    );
    const server = new Server(
      `${name}-server`,
      {
        namespace,
        identity,
        placement,
        claimName: volume.claimName,
        secretName: credentials.secretName,
        superuserSecretName: credentials.superuserSecretName,
        loginsSecretName: credentials.loginsSecretName,
        ...names,
        beforeJob,
        afterChange,
        ...args.server,
      },
      child,
    );

    const { host } = args;
    this.host = host === undefined ? server.host : server.host.apply(() => host);
    this.port = server.port;
    this.database = pulumi.output(args.credentials.database);
    this.owner = pulumi.output(args.credentials.owner);
    this.secretName = credentials.secretName;
    this.loginSecretNames = credentials.loginSecretNames;
    this.claimName = volume.claimName;
    this.password = credentials.password;
    this.ready = server.ready;
    this.trust = args.trust;
    this.registerOutputs({ host: this.host, port: this.port, secretName: this.secretName });
  }
}
