/** The component with the database's logins and their Secrets. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { hooked } from "../kubernetes/hooks.ts";
import { labelsOf } from "../kubernetes/labels.ts";
import { type Login, loginSecretName, LOGINS_KEY, loginsText } from "./logins.ts";
import { PASSWORD_LENGTH, passwordFrom } from "./passwords.ts";
import { LOGINS_SECRET, OWNER_SECRET, SUPERUSER_SECRET } from "../kubernetes/names.ts";
import { type LoginKind } from "../../postgres/login-kinds.ts";

/** Arguments of {@link Credentials}. */
export interface CredentialsArgs {
  namespace: pulumi.Input<string>;
  /** The database that clients connect to. */
  database: pulumi.Input<string>;
  /** The role that clients connect as, owner of the database. */
  owner: pulumi.Input<string>;
  /** The owner's password. @default 40 characters, generated */
  password?: pulumi.Input<string> | undefined;
  /** The superuser's password. @default 40 characters, generated */
  superuserPassword?: pulumi.Input<string> | undefined;
  /** Logins in addition to the owner, and their rights. Their passwords are always generated. */
  logins: Readonly<Record<string, LoginKind>>;
  /** Any text. Changing it generates all passwords again. @default empty */
  rotation?: string | undefined;
  /** Whether the secrets from which passwords are generated are protected from deletion. */
  protect: boolean;
  /** Runs after a change of a Secret that the server's pod mounts. @default nothing */
  afterChange?: pulumi.ResourceHook | undefined;
}

/**
 * The database's logins: the owner's, the superuser's for the init Job only, and those of people and services that need
 * fewer rights than the owner.
 */
export class Credentials extends pulumi.ComponentResource {
  /** Name of the Secret with POSTGRES_USER, POSTGRES_DB and POSTGRES_PASSWORD. */
  readonly secretName: pulumi.Output<string>;
  /** Name of the superuser's Secret, with POSTGRES_USER and POSTGRES_PASSWORD. */
  readonly superuserSecretName: pulumi.Output<string>;
  /** Name of the Secret with the other logins, for the reconciler that creates them in the database. */
  readonly loginsSecretName: pulumi.Output<string>;
  /** The owner's password. A secret. */
  readonly password: pulumi.Output<string>;

  constructor(name: string, args: CredentialsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Credentials", name, {}, opts);

    const source = (purpose: string) =>
      new random.RandomPassword(
        `${name}-${purpose}`,
        { length: PASSWORD_LENGTH, special: false },
        { parent: this, protect: args.protect },
      ).result;
    const generated = (secret: pulumi.Output<string>, login: string) =>
      pulumi.secret(secret.apply((known) => passwordFrom(known, login, args.rotation ?? "")));
    // Created even with a configured password: it is protected, and setting a password must not delete it.
    const [ownerSource, superuserSource] = [source("owner"), source("superuser")];
    // One for all of them, so that a login can be removed.
    const loginsSource = source("logins");
    const secretOf = (
      secretName: string,
      stringData: Record<string, pulumi.Input<string>>,
      afterChange?: pulumi.ResourceHook,
    ) =>
      new k8s.core.v1.Secret(
        secretName,
        {
          metadata: { name: secretName, namespace: args.namespace, labels: labelsOf("credentials") },
          type: "Opaque",
          stringData,
        },
        { parent: this, deleteBeforeReplace: true, ...hooked({ afterUpdate: afterChange }) },
      );

    this.password = pulumi.secret(args.password ?? generated(ownerSource, "owner"));
    this.secretName = secretOf(
      OWNER_SECRET,
      { POSTGRES_USER: args.owner, POSTGRES_DB: args.database, POSTGRES_PASSWORD: this.password },
      args.afterChange,
    ).metadata.name;
    this.superuserSecretName = secretOf(
      SUPERUSER_SECRET,
      {
        POSTGRES_USER: "postgres",
        POSTGRES_PASSWORD: pulumi.secret(args.superuserPassword ?? generated(superuserSource, "superuser")),
      },
      args.afterChange,
    ).metadata.name;

    const logins = Object.entries(args.logins).map(([login, kind]) => {
      const password = generated(loginsSource, login);
      secretOf(loginSecretName(login), {
        POSTGRES_USER: login,
        POSTGRES_DB: args.database,
        POSTGRES_PASSWORD: password,
      });
      return password.apply((known): Login => ({ name: login, kind, password: known }));
    });
    this.loginsSecretName = secretOf(
      LOGINS_SECRET,
      { [LOGINS_KEY]: pulumi.secret(pulumi.all(logins).apply(loginsText)) },
      args.afterChange,
    ).metadata.name;
    this.registerOutputs({ secretName: this.secretName, superuserSecretName: this.superuserSecretName });
  }
}
