/** A changed password: under load, and interrupted. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { changedConfig, settingSecret, until } from "../support.ts";
import { Connection, type Login } from "./connection.ts";
import { type Lab } from "./lab.ts";
import type { Fault } from "./runner.ts";
import { pulumi, RunningUp } from "./running-up.ts";

/** Connections that are open when the password changes. */
const CONNECTIONS = 20;
/** Seconds until a changed Secret must be in force: twice what the kubelet may take without a prompt. */
const LIMIT = 180;
/** Milliseconds within which a login should be answered; later ones are given up, and counted. */
const PATIENCE = 3000;
/** Milliseconds that a transaction may take: many times what a busy machine needs. */
const TRANSACTION = 60_000;

/** The stack's configuration with this password for the owner. */
async function withPassword(lab: Lab, password: string): Promise<string> {
  const file = changedConfig(lab.state.configFile, join(lab.folder, "Pulumi.dev.yaml"), {});
  const ran = await pulumi(lab, settingSecret("secrets.databasePassword"), file, password);
  assert.equal(ran.status, 0, ran.output);
  return file;
}

/**
 * The result of a login. `unanswered`: no answer about the password, such as when the machine has no time for it, or
 * when the node's table of connections has one from the same client's port to a pod that an earlier fault has killed.
 */
type Answer = "taken" | "refused" | "unanswered";

async function tryLogin(login: Login): Promise<Answer> {
  try {
    (await Connection.open(login, PATIENCE)).close();
    return "taken";
  } catch (error) {
    const refused = error instanceof Error && /password authentication failed/.test(error.message);
    return refused ? "refused" : "unanswered";
  }
}

/** A client that works on one connection, never opening another. */
class Client {
  transactions = 0;
  failures: string[] = [];
  private readonly connection: Connection;
  private stopping = false;
  private readonly work: Promise<void>;

  constructor(connection: Connection) {
    this.connection = connection;
    this.work = this.transact();
  }

  private async transact(): Promise<void> {
    while (!this.stopping) {
      try {
        await this.connection.query(
          "begin; insert into faults_load values (1, 'rotation'); commit",
          TRANSACTION,
        );
        this.transactions++;
      } catch (error) {
        this.failures.push(String(error));
        return;
      }
      await pause(5);
    }
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.work;
    this.connection.close();
  }
}

/** When each password was accepted, tried again and again. Times in milliseconds since the epoch. */
class Prober {
  /** The last time the old one was accepted. */
  oldUntil = 0;
  /** The first time the new one was. */
  newFrom: number | undefined;
  /** The longest time until the server refused both. */
  neither = 0;
  /** Logins without an answer about the password. */
  unanswered = 0;
  private stopping = false;
  private readonly work: Promise<void>;

  constructor(before: Login, after: Login) {
    this.work = this.probe(before, after);
  }

  private async probe(before: Login, after: Login): Promise<void> {
    let taken = Date.now();
    while (!this.stopping) {
      const began = Date.now();
      const answers = await Promise.all([tryLogin(before), tryLogin(after)]);
      const [old, changed] = answers;
      if (old === "taken") this.oldUntil = began;
      if (changed === "taken") this.newFrom ??= Date.now();
      if (answers.includes("taken")) taken = Date.now();
      else if (!answers.includes("unanswered")) this.neither = Math.max(this.neither, Date.now() - taken);
      this.unanswered += answers.filter((answer) => answer === "unanswered").length;
      await pause(30);
    }
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.work;
  }
}

/** Waits until the new password is in force, and the old one is not. */
async function untilInForce(before: Login, after: Login): Promise<void> {
  const taken = async () => (await tryLogin(after)) === "taken";
  await until("the new password logs in", taken, LIMIT * 1000, 250);
  let old: Answer = "unanswered";
  const answered = async () => (old = await tryLogin(before)) !== "unanswered";
  await until("the server says whether it takes the old password", answered, LIMIT * 1000, 250);
  assert.equal(old, "refused", "the old password still logs in");
}

const newPassword = () => randomBytes(24).toString("base64url");

export const rotationFaults: Fault[] = [
  {
    name: `the password changed under ${CONNECTIONS} connections`,
    group: "deployment",
    needsEngine: true,
    limit: LIMIT,
    strike: async (lab) => {
      const since = Date.now();
      const before = await lab.loginNow();
      const after = { ...before, password: newPassword() };
      const server = await lab.postmaster();
      const clients: Client[] = [];
      for (let number = 0; number < CONNECTIONS; number++) clients.push(new Client(await lab.connectSoon()));
      const prober = new Prober(before, after);
      let deployed: number;
      let inForce: number;
      try {
        const file = await withPassword(lab, after.password);
        const ran = await pulumi(lab, ["up", "--yes", "--skip-preview"], file);
        deployed = Date.now();
        assert.equal(ran.status, 0, ran.output);
        assert.ok(!ran.output.includes(after.password), "the password is in Pulumi's output");
        await untilInForce(before, after);
        inForce = Date.now();
        // What is open stays open, and new connections are not disturbed either.
        await pause(2000);
      } finally {
        await prober.stop();
        await Promise.all(clients.map((client) => client.stop()));
      }
      assert.deepEqual(
        clients.flatMap(({ failures }) => failures),
        [],
        "transactions failed on connections that were open",
      );
      assert.equal((await lab.postmaster()).pid, server.pid, "the server was restarted");
      const transactions = clients.reduce((sum, client) => sum + client.transactions, 0);
      // The prober has not seen it where its own logins were unanswered meanwhile.
      const newFrom = prober.newFrom ?? inForce;
      const seconds = (milliseconds: number) => (Math.max(0, milliseconds) / 1000).toFixed(2);
      return {
        since,
        note:
          `${transactions} transactions on ${CONNECTIONS} open connections, 0 failed; neither password taken for ` +
          `${seconds(prober.neither)} s, both for ${seconds(prober.oldUntil - newFrom)} s, ` +
          `${prober.unanswered} logins unanswered; in force ${seconds(newFrom - deployed)} s after \`up\``,
      };
    },
    restore: async (lab) => {
      await lab.up();
    },
  },
  {
    name: "a change of the password, killed half-way",
    group: "deployment",
    needsEngine: true,
    limit: LIMIT,
    strike: async (lab, random) => {
      const original = await lab.loginNow();
      const changed = { ...original, password: newPassword() };
      const file = await withPassword(lab, changed.password);
      const ran = await pulumi(lab, ["up", "--yes", "--skip-preview"], file);
      assert.equal(ran.status, 0, ran.output);
      await untilInForce(original, changed);
      // Back to a generated one, which is a change like any other.
      const up = new RunningUp(lab);
      const milliseconds = random.between(1000, 7000);
      await Promise.race([pause(milliseconds), up.end]);
      const since = Date.now();
      const killed = up.kill(() => true);
      await up.end;
      await lab.up();
      await untilInForce(changed, await lab.loginNow());
      return { since, note: `after ${(milliseconds / 1000).toFixed(1)} s, ${killed} processes` };
    },
    restore: async (lab) => {
      await lab.up();
    },
  },
];
