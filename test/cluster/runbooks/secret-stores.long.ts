/** The page's runbook, with the real controller and OpenBao. */
import assert from "node:assert/strict";
import { newPassword, StoredStack } from "../secrets/stack.ts";
import { readyOf, untilReadyIs } from "../secrets/controller.ts";
import { rig } from "../secrets/rig.ts";
import { allRunbooks } from "../runbook.ts";
import { needsEngine, secretValue, setSecretValue, until, vacate } from "../support.ts";
import { logIn, NAMESPACE, server } from "./prod.ts";

const OWNER = "transcript_user";
const STORE = "vault";

describe("docs/secret-stores.md", function () {
  this.timeout(900_000);
  needsEngine();
  const started = rig();
  let stack: StoredStack;
  let running: string;

  before(async () => {
    stack = await StoredStack.prepare();
    await stack.put(started().bao);
    await stack.readFrom(STORE, "ClusterSecretStore");
    await stack.up();
    running = await server();
  });
  after(() => vacate());

  /** Follows a runbook of the page on this stack. */
  async function follow(name: string): Promise<string> {
    const runbook = allRunbooks().find((candidate) => candidate.name === name);
    assert.ok(runbook, `no page of docs/ has a runbook ${name}`);
    return stack.checkout.follow(runbook, { STORE: `clustersecretstore/${STORE}` });
  }
  const logsIn = (password: string) =>
    logIn(OWNER, password).then(
      () => true,
      () => false,
    );

  it("shows what is wrong while the store is out of reach, which the database does not notice", async () => {
    await started().bao.leave();
    await untilReadyIs("False", NAMESPACE, "postgres-secret", 120_000);
    const shown = await follow("store-look");
    assert.match(shown, /postgres-secret .*SecretSyncedError/);
    assert.match(shown, /connection refused/);
    assert.match(shown, /Name: +vault/);
    await logIn(OWNER, stack.value("owner"));
    assert.equal(await server(), running);
  });

  it("has a password changed by hand meanwhile, which stays in force once the store has the same", async () => {
    const { bao } = started();
    const old = stack.value("owner");
    const emergency = newPassword();
    await setSecretValue("postgres-secret", "POSTGRES_PASSWORD", emergency);
    await until("it is in force", () => logsIn(emergency));
    await assert.rejects(logIn(OWNER, old), /password authentication failed/);

    // Before the controller looks again: it waits longer by now.
    await bao.come();
    stack.values.owner = emergency;
    await stack.put(bao, "owner");
    await follow("store-sync");
    assert.equal((await readyOf(NAMESPACE, "postgres-secret"))?.status, "True");
    assert.ok(
      (await secretValue("postgres-secret", "POSTGRES_PASSWORD")) === emergency,
      "it is another password",
    );
    await logIn(OWNER, emergency);
    assert.equal(await server(), running);
  });

  it("leaves nothing for the next up to change", () => stack.up("--expect-no-changes"));
});
