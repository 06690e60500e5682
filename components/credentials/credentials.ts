/** The component with the database's logins and their Secrets. */
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { labelsOf } from "../kubernetes/labels.ts";
import { type Leaf, LEAVES, type Text } from "../secrets/description.ts";
import { knowsValues, sealsEachKey, secretFrom, type SecretSource } from "../secrets/source.ts";
import { loginSecretName, LOGINS_KEY, loginsText, loginsTexts } from "./logins.ts";
import { PASSWORD_LENGTH, passwordFrom } from "./passwords.ts";
import { LOGINS_SECRET, OWNER_SECRET, SUPERUSER_SECRET } from "../kubernetes/names.ts";
import { type LoginKind } from "../../postgres/login-kinds.ts";

/** Arguments of {@link Credentials}. */
export interface CredentialsArgs {
  namespace: pulumi.Input<string>;
  /** Who keeps the passwords. With a store, the configured and the generated ones are not in force. */
  source: SecretSource;
  /** The database that clients connect to. */
  database: string;
  /** The role that clients connect as, owner of the database. */
  owner: string;
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
  /** The Secret of each of these, by its name. */
  readonly loginSecretNames: Record<string, pulumi.Output<string>> = {};
  /** The owner's password. A secret. Undefined: only a store knows it. */
  readonly password: pulumi.Output<string> | undefined;

  constructor(name: string, args: CredentialsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Credentials", name, {}, opts);

    const generatedFrom = (purpose: string) =>
      new random.RandomPassword(
        `${name}-${purpose}`,
        { length: PASSWORD_LENGTH, special: false },
        { parent: this, protect: args.protect },
      ).result;
    const generated = (secret: pulumi.Output<string>, login: string) =>
      pulumi.secret(secret.apply((known) => passwordFrom(known, login, args.rotation ?? "")));
    // Created even with a configured password, and with a store: it is protected, and setting a password must not delete
    // it. Without the store, the passwords are those of before again.
    const [ownerSource, superuserSource] = [generatedFrom("owner"), generatedFrom("superuser")];
    // One for all of them, so that a login can be removed.
    const loginsSource = generatedFrom("logins");
    const leaf = (name: string, value: () => pulumi.Output<string>): Leaf => ({
      leaf: name,
      value: knowsValues(args.source) ? value() : undefined,
    });
    const secretOf = (
      secretName: string,
      texts: Readonly<Record<string, Text>>,
      afterChange?: pulumi.ResourceHook,
    ) =>
      secretFrom(
        args.source,
        { name: secretName, namespace: args.namespace, labels: labelsOf("credentials"), texts },
        { parent: this, afterChange },
      );

    const owner = leaf(LEAVES.owner, () => pulumi.secret(args.password ?? generated(ownerSource, "owner")));
    this.password = owner.value;
    this.secretName = secretOf(
      OWNER_SECRET,
      { POSTGRES_USER: [args.owner], POSTGRES_DB: [args.database], POSTGRES_PASSWORD: [owner] },
      args.afterChange,
    );
    const superuser = leaf(LEAVES.superuser, () =>
      pulumi.secret(args.superuserPassword ?? generated(superuserSource, "superuser")),
    );
    this.superuserSecretName = secretOf(
      SUPERUSER_SECRET,
      { POSTGRES_USER: ["postgres"], POSTGRES_PASSWORD: [superuser] },
      args.afterChange,
    );

    const logins = Object.entries(args.logins).map(([name, kind]) => {
      const password = leaf(LEAVES.login(name), () => generated(loginsSource, name));
      this.loginSecretNames[name] = secretOf(loginSecretName(name), {
        POSTGRES_USER: [name],
        POSTGRES_DB: [args.database],
        POSTGRES_PASSWORD: [password],
      });
      return { name, kind, password };
    });
    this.loginsSecretName = secretOf(
      LOGINS_SECRET,
      sealsEachKey(args.source) ? loginsTexts(logins) : { [LOGINS_KEY]: loginsText(logins) },
      args.afterChange,
    );
    this.registerOutputs({ secretName: this.secretName, superuserSecretName: this.superuserSecretName });
  }
}
