/** Interrupted deployments: of `up`, and of the init Job under it. */
import assert from "node:assert/strict";
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { changedConfig, until } from "../support.ts";
import { signal } from "./node-processes.ts";
import type { Fault } from "./runner.ts";
import { destroy, pulumi, RunningUp, upOnce } from "./running-up.ts";

/** `up` of a whole deployment, killed after a random time. */
function killedUp(name: string, which: (title: string) => boolean, needsEngine: boolean): Fault {
  return {
    name,
    group: "deployment",
    needsEngine,
    limit: 120,
    strike: async (lab, random) => {
      await destroy(lab);
      const up = new RunningUp(lab);
      const milliseconds = random.between(1000, 11_000);
      await Promise.race([pause(milliseconds), up.end]);
      const since = Date.now();
      const killed = up.kill(which);
      await up.end;
      await upOnce(lab);
      return {
        since,
        note: `after ${(milliseconds / 1000).toFixed(1)} s, ${killed} processes; then one \`npm run up\``,
      };
    },
  };
}

export const deploymentFaults: Fault[] = [
  {
    name: "a refused start is in Pulumi's output",
    group: "deployment",
    needsEngine: true,
    limit: 120,
    strike: async (lab) => {
      const [there, elsewhere] = [
        join(lab.state.dataDirectory, "pgdata"),
        join(lab.state.dataDirectory, "pgdata.moved"),
      ];
      const file = changedConfig(lab.state.configFile, join(lab.folder, "Pulumi.dev.yaml"), {
        "database.settings.max_connections": 41,
      });
      renameSync(there, elsewhere);
      let since = 0;
      const up = pulumi(lab, ["up", "--yes", "--skip-preview"], file);
      try {
        const refused = async () =>
          (await lab.pod())?.status?.containerStatuses?.some(({ lastState }) =>
            lastState?.terminated?.message?.includes("REFUSED"),
          ) ?? false;
        await until("the server refuses", refused, 60_000, 500);
        // Pulumi prints what it sees as it waits.
        await pause(12_000);
        assert.ok(!existsSync(there));
      } finally {
        renameSync(elsewhere, there);
        since = Date.now();
      }
      const ran = await up;
      assert.equal(ran.status, 0, ran.output);
      assert.match(ran.output, /REFUSED: .*pgdata is missing and there is no permission to create a new one/);
      return { since, note: "the same `up` then succeeded" };
    },
    restore: async (lab) => {
      await lab.up();
    },
  },
  killedUp("`up` killed, with everything it started", () => true, false),
  killedUp(
    "the engine killed under `up`",
    (title) => /\/pulumi (up|stack|cancel|refresh) /.test(title),
    true,
  ),
  {
    name: "the init Job's pod killed under `up`",
    group: "deployment",
    limit: 120,
    strike: async (lab, random) => {
      await destroy(lab);
      const up = new RunningUp(lab);
      const jobProcesses = () =>
        lab.processes().filter(({ title, depth }) => depth > 2 && /(superuser-sql|migrate)\.sh/.test(title));
      await until("the init Job runs", () => jobProcesses().length > 0, 60_000, 20);
      await pause(random.between(0, 1500));
      const killed = jobProcesses();
      signal(killed, "SIGKILL");
      const since = Date.now();
      const status = await up.end;
      if (status !== 0 || killed.length === 0) await upOnce(lab);
      else await lab.openDoor();
      return {
        since,
        note: killed.length === 0 ? "the Job was faster" : `\`up\` ended with ${status}; then one more`,
      };
    },
  },
];
