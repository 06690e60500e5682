/** A stack whose passwords a store keeps: OpenBao as a Vault, and moto as AWS Secrets Manager, by the real controller. */
import assert from "node:assert/strict";
import { ClientPod, nothingFailed, underLoad } from "../client-pod.ts";
import { logIn, NAMESPACE, server, untilLogsIn } from "../runbooks/prod.ts";
import { kubectl, needsEngine, until, vacate } from "../support.ts";
import { eventsOf, lookNow, readyOf, untilReadyIs } from "./controller.ts";
import { rig } from "./rig.ts";
import { SecretWatch } from "./secret-watch.ts";
import { identities, REFRESH, SECRETS, StoredStack } from "./stack.ts";
import type { Store } from "./store.ts";

const OWNER = "transcript_user";
/** After the Secret has changed: the kubelet looks every 60 to 90 s; then a busy machine. Seconds. */
const KUBELET = 90 + 60;

describe("a stack whose passwords a store keeps", function () {
  this.timeout(900_000);
  needsEngine();
  const started = rig();
  let stack: StoredStack;
  let client: ClientPod;

  before(async function () {
    stack = await StoredStack.prepare();
    await stack.put(started().bao);
    await stack.readFrom(started().bao.clusterStore, "ClusterSecretStore");
  });
  after(async () => {
    await client?.remove();
    await vacate();
  });

  const untilSynced = async () => {
    // Its store is admitted again within 15 s, which is when the controller next looks at that.
    await until(
      "every ExternalSecret is ready",
      async () => {
        await lookNow(NAMESPACE);
        const all = await Promise.all(SECRETS.map((secret) => readyOf(NAMESPACE, secret)));
        return all.every((ready) => ready?.status === "True");
      },
      180_000,
      5000,
    );
  };
  const refuses = (password: string) =>
    assert.rejects(logIn(OWNER, password), /password authentication failed/);

  /** A changed password of the owner arrives under load, with nothing failed and nothing restarted. */
  async function rotatesUnderLoad(store: Store): Promise<void> {
    const [since, old] = [await server(), stack.value("owner")];
    const seconds = REFRESH + KUBELET + 10;
    const load = underLoad(client, { password: old, seconds });
    // Its connections are open.
    await new Promise((resolve) => setTimeout(resolve, 5000));
    const begun = Date.now();
    const anew = await stack.rotate(store, "owner");
    await until("the new password is in force", () => logsIn(anew), (REFRESH + KUBELET) * 1000, 1000);
    console.log(
      `  a password changed in ${store.title}: in force after ${Math.round((Date.now() - begun) / 1000)} s`,
    );
    await refuses(old);
    nothingFailed(await load);
    assert.equal(await server(), since, "without a restart");
  }
  const logsIn = (password: string, user = OWNER) =>
    logIn(user, password).then(
      () => true,
      () => false,
    );

  it("comes up new, with the passwords of OpenBao", async () => {
    await stack.up();
    await logIn(OWNER, stack.value("owner"));
    await refuses(stack.value("superuser"));
    for (const login of ["scribe", "reader"]) await untilLogsIn(login, stack.value(`login-${login}`));
    await untilSynced();
    client = await ClientPod.start("client");
    const ran = await client.psql("select 1", { password: stack.value("owner") });
    assert.equal(ran.stdout.trim(), "1", ran.output);
  });

  it("has none of them in Pulumi's state and in its outputs", async () => {
    const exported = await stack.checkout.succeed('pulumi stack export --show-secrets --stack "$STACK"');
    // The control: the state is there, with what the stack generates.
    assert.match(exported.stdout, /random:index\/randomPassword:RandomPassword/);
    for (const [leaf, value] of Object.entries(stack.values))
      assert.ok(!exported.stdout.includes(value), `${leaf} is in the state`);
    const { stdout } = await stack.checkout.succeed(
      'pulumi stack output --json --show-secrets --stack "$STACK"',
    );
    const outputs = JSON.parse(stdout) as Record<string, unknown>;
    assert.equal(outputs.password, undefined);
    assert.match(String(outputs.url), /^postgresql:\/\/transcript_user@/);
  });

  it("is unchanged by a second up", async () => {
    const ids = await identities();
    await stack.up("--expect-no-changes");
    assert.deepEqual(await identities(), ids);
  });

  it("takes a password that is changed in OpenBao, under load, without a restart", () =>
    rotatesUnderLoad(started().bao));

  it("takes a login's as well", async () => {
    const old = stack.value("login-scribe");
    const anew = await stack.rotate(started().bao, "login-scribe");
    await until("the new one is in force", () => logsIn(anew, "scribe"), (REFRESH + KUBELET) * 1000, 1000);
    await assert.rejects(logIn("scribe", old), /password authentication failed/);
  });

  it("goes on while the store is out of reach, and an up says so in the controller's words", async () => {
    const { bao } = started();
    const since = await server();
    await bao.leave();
    try {
      await untilReadyIs("False", NAMESPACE, "postgres-secret", 120_000);
      assert.match(await eventsOf(NAMESPACE, "postgres-secret"), /connection refused/);
      await stack.checkout.succeed(
        'pulumi config set --path database.settings.log_min_duration_statement 2s --stack "$STACK"',
      );
      const ran = await stack.up();
      assert.match(ran.output, /postgres-secret/);
      assert.match(ran.output, /connection refused/);
      assert.equal(await server(), since);
      await logIn(OWNER, stack.value("owner"));
      const preview = await stack.checkout.succeed('pulumi preview --stack "$STACK"');
      assert.match(preview.output, /connection refused/);
    } finally {
      await bao.come();
    }
    await untilSynced();
    const next = await stack.checkout.succeed('pulumi preview --expect-no-changes --stack "$STACK"');
    assert.doesNotMatch(next.output, /connection refused/);
  });

  it("takes a password that was changed before the store went out of reach, once it is back", async () => {
    const { bao } = started();
    const old = stack.value("owner");
    const anew = await stack.rotate(bao, "owner");
    await bao.leave();
    try {
      await untilReadyIs("False", NAMESPACE, "postgres-secret", 120_000);
      assert.ok((await logsIn(old)) || (await logsIn(anew)), "one of both is in force");
    } finally {
      await bao.come();
    }
    await until("the new one is in force", () => logsIn(anew), (300 + KUBELET) * 1000, 1000);
    await untilSynced();
  });

  it("takes one that is changed while the controller is away, after it has started again", async () => {
    const { bao, controller } = started();
    const old = stack.value("login-reader");
    await controller.leave();
    const anew = await stack.rotate(bao, "login-reader");
    await new Promise((resolve) => setTimeout(resolve, 2 * REFRESH * 1000));
    await logIn("reader", old);
    await controller.come();
    await until("the new one is in force", () => logsIn(anew, "reader"), (REFRESH + KUBELET) * 1000, 1000);
  });

  it("keeps its Secrets when somebody removes the ExternalSecrets, which an up with a refresh brings back", async () => {
    const [ids, since] = [await identities(), await server()];
    await kubectl("delete", "externalsecrets", "--all", "-n", NAMESPACE);
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    assert.deepEqual(await identities(), ids);
    await logIn(OWNER, stack.value("owner"));
    await stack.up("--refresh");
    await untilSynced();
    assert.deepEqual(await identities(), ids);
    assert.equal(await server(), since);
  });

  it("moves to AWS by an up, without a moment in which a Secret is gone, and rotates there", async () => {
    const { aws } = started();
    await stack.put(aws);
    await stack.readFrom(aws.clusterStore, "ClusterSecretStore");
    const [ids, since] = [await identities(), await server()];
    const watch = await SecretWatch.start(NAMESPACE);
    await stack.up();
    await untilSynced();
    assert.deepEqual(await watch.end(), []);
    assert.deepEqual(await identities(), ids);
    assert.equal(await server(), since);
    await rotatesUnderLoad(aws);
  });
});
