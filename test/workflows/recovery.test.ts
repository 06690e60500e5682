import assert from "node:assert/strict";
import type { EngineResult } from "../../tools/engine/runner.ts";
import type { StackEngine } from "../../tools/engine/stack.ts";
import { masked, secretsOf } from "../../tools/ci/masking.ts";
import {
  type ExportedState,
  locksIn,
  type Machine,
  type Objection,
  objectionTo,
  operateRecovered,
  unfinished,
  withLockOfDeadRun,
  withPendingCreated,
} from "../../tools/engine/recovery.ts";

/** As the CLI printed it (3.260). */
const LOCKED = `error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock file with \`pulumi cancel\`.
  s3://state/.pulumi/locks/organization/transcript-pipeline/prod/3271adbc-8ad8-4e4d-89f0-368868d214d4.json: created by runner@rack (pid 29845) at 2026-11-23T20:40:06Z
`;
const lock = { user: "runner", host: "rack", pid: 29845, since: "2026-11-23T20:40:06Z" };

const machine = (change: Partial<Machine> = {}): Machine => ({
  user: "runner",
  host: "rack",
  isOneJobs: false,
  isAlive: () => false,
  ...change,
});

const seenFrom =
  (change: Partial<Machine> = {}): Objection =>
  (held) =>
    objectionTo(held, machine(change));

const result = (status: number, output = ""): EngineResult => ({ status, stdout: output, output });

/** An engine that records what it is asked; it answers by the command, in order, and then repeats the last answer. */
function recorder(answers: Record<string, EngineResult[]> = {}): StackEngine & { asked: string[] } {
  const asked: string[] = [];
  const answer = (args: readonly string[]) => {
    const command = args.join(" ");
    asked.push(command);
    const [, known = []] = Object.entries(answers).find(([prefix]) => command.startsWith(prefix)) ?? [];
    return Promise.resolve((known.length > 1 ? known.shift() : known[0]) ?? result(0));
  };
  return { stack: "prod", asked, operate: answer, manage: answer };
}

describe("recovery", () => {
  it("reads who holds the lock", () => {
    assert.deepEqual(locksIn(LOCKED), [lock]);
  });

  it("removes the lock of a dead process, on the machine that knows it", () => {
    assert.equal(objectionTo(lock, machine()), undefined);
    assert.match(objectionTo(lock, machine({ isAlive: () => true })) ?? "", /still running on this machine/);
  });

  it("removes the lock of another machine only if machines are created for one job each", () => {
    const elsewhere = { ...lock, host: "fv-az1" };
    assert.equal(objectionTo(elsewhere, machine({ host: "fv-az2", isOneJobs: true })), undefined);
    assert.match(objectionTo(elsewhere, machine({ host: "fv-az2" })) ?? "", /may belong to a person/);
    assert.match(
      objectionTo({ ...lock, user: "anna", host: "laptop" }, machine({ host: "fv-az2", isOneJobs: true })) ??
        "",
      /anna@laptop/,
    );
  });

  it("removes a dead run's lock once, and goes on", async () => {
    const engine = recorder();
    const results = [result(255, LOCKED), result(0)];
    const { status } = await withLockOfDeadRun(
      engine,
      () => Promise.resolve(results.shift() ?? result(1)),
      seenFrom(),
    );
    assert.equal(status, 0);
    assert.deepEqual(engine.asked, ["cancel --yes"]);
  });

  it("stops at a lock whose holder may be alive, and names the holder", async () => {
    const engine = recorder();
    await assert.rejects(
      withLockOfDeadRun(engine, () => Promise.resolve(result(255, LOCKED)), seenFrom({ host: "other" })),
      /stack prod is locked: runner@rack, process 29845.*pulumi cancel prod/,
    );
    assert.deepEqual(engine.asked, []);
  });

  it("waits for the lease of a run that died under Pulumi Cloud", async () => {
    const busy = result(255, "error: [409] Conflict: Another update is currently in progress.");
    const results = [busy, busy, result(0)];
    const { status } = await withLockOfDeadRun(
      recorder(),
      () => Promise.resolve(results.shift() ?? result(1)),
      seenFrom(),
      1,
    );
    assert.equal(status, 0);
    await assert.rejects(
      withLockOfDeadRun(recorder(), () => Promise.resolve(busy), seenFrom(), 1),
      /being updated by another process/,
    );
  });

  it("leaves other failures as they are", async () => {
    const engine = recorder();
    const { status } = await withLockOfDeadRun(
      engine,
      () => Promise.resolve(result(1, "error: x")),
      seenFrom(),
    );
    assert.equal(status, 1);
    assert.deepEqual(engine.asked, []);
  });

  describe("of an operation", () => {
    const stdout = (value: unknown): EngineResult => ({ ...result(0), stdout: JSON.stringify(value) });
    const begun = stdout({
      deployment: {
        resources: [],
        pending_operations: [
          {
            type: "creating",
            resource: { urn: "urn:x::y::random:index/randomPassword:RandomPassword::p", type: "r:i:P" },
          },
        ],
      },
    });
    const up = ["up", "--yes"];
    const none = result(6, "error: no stack named 'prod' found");

    it("requests only the state and the operation, if the last run ended", async () => {
      const engine = recorder({ "stack export": [stdout({ deployment: { resources: [] } })] });
      assert.equal((await operateRecovered(engine, up)).status, 0);
      assert.deepEqual(engine.asked, ["stack export", "up --yes"]);
    });

    it("first recovers what the last run had begun, and removes its lock", async () => {
      const engine = recorder({
        "stack export": [begun],
        "stack import": [result(255, LOCKED), result(0)],
      });
      await operateRecovered(engine, up, { objection: seenFrom() });
      assert.deepEqual(engine.asked, [
        ...["stack export", "stack import", "cancel --yes", "stack import"],
        ...["refresh --yes --skip-preview --suppress-outputs", "up --yes"],
      ]);
    });

    it("does not begin where the state cannot be recovered", async () => {
      for (const failing of ["stack import", "refresh"]) {
        const engine = recorder({ "stack export": [begun], [failing]: [result(1, "error: x")] });
        await assert.rejects(operateRecovered(engine, up), /stack prod could not be recovered/);
        assert.ok(!engine.asked.includes("up --yes"));
      }
      await assert.rejects(
        operateRecovered(recorder({ "stack export": [result(1, "error: no bucket")] }), up),
        /^Error: error: no bucket$/,
      );
    });

    it("refuses, creates or ignores a stack that was never created, as it is told", async () => {
      const refused = recorder({ "stack export": [none] });
      await assert.rejects(
        operateRecovered(refused, up),
        /no stack named 'prod'.*once: pulumi stack init prod/,
      );
      assert.deepEqual(refused.asked, ["stack export"]);

      const made = recorder({ "stack export": [none] });
      await operateRecovered(made, up, { missing: "create" });
      assert.deepEqual(made.asked, ["stack export", "stack init", "up --yes"]);

      const left = recorder({ "stack export": [none] });
      assert.equal((await operateRecovered(left, ["destroy"], { missing: "leave" })).status, 0);
      assert.deepEqual(left.asked, ["stack export"]);
    });
  });

  describe("of what a killed run was creating", () => {
    const job = {
      urn: "urn:pulumi:prod::transcript-pipeline::kubernetes:batch/v1:Job::postgres-init",
      type: "kubernetes:batch/v1:Job",
      inputs: { metadata: { name: "postgres-init", namespace: "transcript-pipeline" } },
    };
    const password = {
      urn: "urn:x::y::random:index/randomPassword:RandomPassword::p",
      type: "random:index/randomPassword:RandomPassword",
    };
    const state = (resources: object[], ...pending: object[]): ExportedState =>
      ({
        version: 3,
        deployment: {
          resources,
          pending_operations: pending.map((resource) => ({ type: "creating", resource })),
        },
      }) as ExportedState;

    it("counts an object with a fixed name as created, for the refresh to look at", () => {
      const recovered = withPendingCreated(state([], job));
      assert.deepEqual(recovered.deployment?.resources, [
        { ...job, id: "transcript-pipeline/postgres-init" },
      ]);
      assert.deepEqual(recovered.deployment?.pending_operations, []);
      assert.deepEqual(unfinished(state([], job)), ["creating Job postgres-init"]);
    });

    it("puts it in the place of the object that it replaces", () => {
      const old = { ...job, id: "old", pendingReplacement: true };
      const dependent = { ...job, urn: "urn:z", id: "z" };
      const recovered = withPendingCreated(state([old, dependent], job));
      assert.deepEqual(recovered.deployment?.resources, [
        { ...job, id: "transcript-pipeline/postgres-init" },
        dependent,
      ]);
    });

    it("gives an object outside namespaces its bare name, and forgets what is created again", () => {
      const volume = { ...job, inputs: { metadata: { name: "postgres-pv" } } };
      const recovered = withPendingCreated(state([], volume, password));
      assert.deepEqual(recovered.deployment?.resources, [{ ...volume, id: "postgres-pv" }]);
      assert.deepEqual(recovered.deployment?.pending_operations, []);
    });
  });
});

describe("masking", () => {
  it("keeps the environment's secrets out of what is printed", () => {
    const env = {
      PULUMI_CONFIG_PASSPHRASE: "correct horse",
      AWS_SECRET_ACCESS_KEY: "abcdef/123",
      KUBECONFIG_CONTENT: "users:\n- user:\n    client-key-data: S0VZS0VZ\n    token: eyJhbGci\n  name: me\n",
    };
    const text = masked("correct horse, abcdef/123, S0VZS0VZ, eyJhbGci, me", secretsOf(env));
    assert.equal(text, "[secret], [secret], [secret], [secret], me");
  });

  it("does not mask what is not set", () => {
    assert.deepEqual(secretsOf({ PULUMI_ACCESS_TOKEN: "" }), []);
  });
});
