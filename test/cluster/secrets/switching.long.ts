/** A running stack whose passwords move from Pulumi to a store and back, by `up`, with the real controller. */
import assert from "node:assert/strict";
import { ClientPod, nothingFailed, underLoad } from "../client-pod.ts";
import { get, logIn, NAMESPACE, server } from "../runbooks/prod.ts";
import { kubectl, needsEngine, secretValue, sql, until, vacate } from "../support.ts";
import { untilReadyIs } from "./controller.ts";
import { apply } from "./objects.ts";
import { rig } from "./rig.ts";
import { SecretWatch } from "./secret-watch.ts";
import { identities, REFRESH, SECRETS, StoredStack } from "./stack.ts";

const OWNER = "transcript_user";
/** Name of the SecretStore in the stack's own namespace. */
const OWN_STORE = "own";

/** Every value of the stack's Secrets, as the cluster has them. */
async function values(): Promise<Record<string, string>> {
  return Object.fromEntries(
    await Promise.all(
      SECRETS.map(async (secret) => [secret, await get(`secret ${secret}`, "jsonpath={.data}")] as const),
    ),
  );
}

describe("a running stack", function () {
  this.timeout(900_000);
  needsEngine();
  const started = rig();
  let stack: StoredStack;
  let client: ClientPod;
  /** As the stack had them before it had a store. */
  let generated: Record<string, string>;

  before(async () => {
    stack = await StoredStack.prepare();
    await stack.up();
    generated = await values();
    client = await ClientPod.start("client");
    await sql("create table public.kept (id int); insert into public.kept values (1), (2)");
  });
  after(async () => {
    await client?.remove();
    await vacate();
  });

  /** What an `up` must leave alone, while it runs. */
  async function undisturbed(change: () => Promise<unknown>): Promise<void> {
    const [ids, since] = [await identities(), await server()];
    const load = underLoad(client, { password: stack.value("owner"), seconds: 120 });
    const watch = await SecretWatch.start(NAMESPACE);
    try {
      await change();
      assert.deepEqual(await watch.end(), [], "Secrets were gone");
    } finally {
      watch.stop();
    }
    assert.deepEqual(await identities(), ids, "other Secrets of the same names");
    nothingFailed(await load);
    assert.equal(await server(), since, "without a restart");
    assert.equal(await sql("select count(*) from public.kept"), "2");
  }
  const untilSynced = async () => {
    for (const secret of SECRETS) await untilReadyIs("True", NAMESPACE, secret, 120_000);
  };
  /** Keeps in the store what is in force in the cluster. */
  async function storeWhatIsInForce(): Promise<void> {
    stack.values.owner = await secretValue("postgres-secret", "POSTGRES_PASSWORD");
    stack.values.superuser = await secretValue("postgres-superuser", "POSTGRES_PASSWORD");
    for (const login of ["scribe", "reader"])
      stack.values[`login-${login}`] = await secretValue(`postgres-login-${login}`, "POSTGRES_PASSWORD");
    await stack.put(started().bao);
  }

  it("moves to the store by an up that leaves Secrets, sessions and passwords alone", async () => {
    const { bao } = started();
    await storeWhatIsInForce();
    await bao.admit(NAMESPACE);
    await apply({
      apiVersion: "external-secrets.io/v1",
      kind: "SecretStore",
      metadata: { name: OWN_STORE, namespace: NAMESPACE },
      spec: bao.storeSpec(),
    });
    await stack.readFrom(OWN_STORE, "SecretStore");
    await undisturbed(async () => {
      await stack.up();
      await untilSynced();
    });
    assert.deepEqual(await values(), generated);
    await logIn(OWNER, stack.value("owner"));
    await stack.up("--expect-no-changes");
  });

  it("takes what is changed in the store then", async () => {
    const anew = await stack.rotate(started().bao, "owner");
    await until(
      "the new password is in force",
      () =>
        logIn(OWNER, anew).then(
          () => true,
          () => false,
        ),
      (REFRESH + 150) * 1000,
      1000,
    );
  });

  it("moves back by an up that leaves Secrets and sessions alone, to the passwords from before", async () => {
    await stack.keepItself();
    await undisturbed(() => stack.up());
    assert.deepEqual(await values(), generated);
    await assert.rejects(kubectl("get", "externalsecret", "postgres-secret", "-n", NAMESPACE), /not found/i);
    const password = await secretValue("postgres-secret", "POSTGRES_PASSWORD");
    await until("it is in force", () =>
      logIn(OWNER, password).then(
        () => true,
        () => false,
      ),
    );
    await stack.up("--expect-no-changes");
    // Nobody writes the store's value again.
    await new Promise((resolve) => setTimeout(resolve, 3 * REFRESH * 1000));
    assert.deepEqual(await values(), generated);
  });

  it("moves to the store again", async () => {
    await storeWhatIsInForce();
    await stack.readFrom(OWN_STORE, "SecretStore");
    await undisturbed(async () => {
      await stack.up();
      await untilSynced();
    });
    assert.deepEqual(await values(), generated);
  });
});
