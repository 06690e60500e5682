/** A checkout's stack whose passwords a store keeps, or will keep. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Checkout } from "../checkout.ts";
import { kubectl, type Ran, shell, takeRoom } from "../support.ts";
import { NAMESPACE } from "../runbooks/prod.ts";
import type { Store } from "./store.ts";

/** Seconds. */
export const REFRESH = 10;
/** The stack's logins besides the owner, with their kinds. */
const LOGINS = { scribe: "readwrite", reader: "readonly" } as const;
/** The names under which a store keeps the values of this stack. */
export const LEAVES = [
  ...["owner", "superuser", "backup-passphrase"],
  ...Object.keys(LOGINS).map((login) => `login-${login}`),
];

/** A password that occurs nowhere else. */
export const newPassword = () => `p${randomBytes(16).toString("hex")}`;

export class StoredStack {
  readonly checkout = new Checkout();
  /** What each leaf is, as the stores have it. */
  readonly values: Record<string, string> = {};

  private constructor() {
    for (const leaf of LEAVES) this.values[leaf] = newPassword();
  }

  /** Makes room for it, and its files. Nothing is deployed. */
  static async prepare(): Promise<StoredStack> {
    const deployed: { checkout?: Checkout } = {};
    await takeRoom(async () => {
      await shell(`kubectl delete namespace ${NAMESPACE} --ignore-not-found`);
      await shell("kubectl delete pv postgres-pv --ignore-not-found");
      deployed.checkout?.remove();
    });
    const prepared = new StoredStack();
    deployed.checkout = prepared.checkout;
    const logins = Object.entries(LOGINS)
      .map(([login, kind]) => `pulumi config set --path database.logins.${login} ${kind} --stack "$STACK"`)
      .join("\n");
    await prepared.checkout.succeed(`pulumi stack init "$STACK"\n${logins}`);
    return prepared;
  }

  /** Puts a value, or every value, into a store. */
  async put(store: Store, ...leaves: readonly string[]): Promise<void> {
    for (const leaf of leaves.length === 0 ? LEAVES : leaves)
      await store.put(`transcript-pipeline/prod/${leaf}`, this.values[leaf] ?? assert.fail(leaf));
  }

  /** Changes a value here and in a store. */
  async rotate(store: Store, leaf: string): Promise<string> {
    const value = newPassword();
    this.values[leaf] = value;
    await this.put(store, leaf);
    return value;
  }

  /** A leaf's value. */
  value(leaf: string): string {
    return this.values[leaf] ?? assert.fail(`there is no ${leaf}`);
  }

  /** Says in the configuration that a store keeps the values. */
  async readFrom(name: string, kind: "SecretStore" | "ClusterSecretStore"): Promise<void> {
    const fields = {
      source: "external-secrets",
      store: name,
      storeKind: kind,
      refreshInterval: `${REFRESH}s`,
    };
    await this.checkout.succeed(
      Object.entries(fields)
        .map(([field, value]) => `pulumi config set --path secretStore.${field} ${value} --stack "$STACK"`)
        .join("\n"),
    );
  }

  /** Says in the configuration that the stack keeps them itself. */
  async keepItself(): Promise<void> {
    await this.checkout.succeed(
      ["source", "store", "storeKind", "refreshInterval"]
        .map((field) => `pulumi config rm --path secretStore.${field} --stack "$STACK"`)
        .join("\n"),
    );
  }

  /** `pulumi up`; must succeed. */
  up(...flags: readonly string[]): Promise<Ran> {
    return this.checkout.succeed(`pulumi up --yes --skip-preview ${flags.join(" ")} --stack "$STACK"`);
  }
}

/** Names of the stack's Secrets with credentials. */
export const SECRETS = [
  ...["postgres-secret", "postgres-superuser", "postgres-logins"],
  ...Object.keys(LOGINS).map((login) => `postgres-login-${login}`),
];

/** The identities of the Secrets with credentials: another one, or none, if one was gone. */
export async function identities(): Promise<string[]> {
  const path = "jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{'\\n'}{end}";
  const lines = (await kubectl("get", "secrets", ...SECRETS, "-n", NAMESPACE, "-o", path)).trim().split("\n");
  assert.equal(lines.length, SECRETS.length);
  return lines.sort();
}
