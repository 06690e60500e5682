/** Faults of the server's processes, its container and its pod. */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { until } from "../support.ts";
import { type Lab, NAMESPACE, POD } from "./lab.ts";
import { isAlive, type NodeProcess, parentOf, signal } from "./node-processes.ts";
import type { Fault, Strike } from "./runner.ts";
import { otherServer } from "./second-server.ts";

/** Sends a signal and waits until the process has gone. */
async function kill(target: NodeProcess, name: NodeJS.Signals = "SIGKILL"): Promise<void> {
  signal(target, name);
  await until(`${target.title} has ended`, () => !isAlive(target), 20_000, 20);
}

function killOf(kind: string): Fault {
  return {
    name: `SIGKILL of the ${kind}`,
    group: "server",
    kill: true,
    strike: async (lab) => kill(await lab.serverProcess(kind)),
  };
}

/** A statement that needs eight gigabytes, many times what the container has. */
const GREEDY =
  "select array_length(array_agg(repeat('x', 20000000 + i)), 1) from generate_series(1, 400) as i";

/** Requests more memory than there is, in this many sessions at once. */
async function exhaust(lab: Lab, sessions: number): Promise<Strike> {
  const connections = await Promise.all(Array.from({ length: sessions }, () => lab.connectSoon()));
  let since = 0;
  const ends = await Promise.all(
    connections.map((connection) =>
      connection.query(GREEDY, 60_000).catch((error: unknown) => {
        since ||= Date.now();
        return String(error);
      }),
    ),
  );
  assert.notEqual(since, 0, "the memory limit was not met");
  for (const connection of connections) connection.close();
  // The server's log tells of a killed process, the container's state of a killed container.
  await pause(500);
  const last = (await lab.pod())?.status?.containerStatuses?.find(
    ({ name }) => name === "postgres",
  )?.lastState;
  if (last?.terminated) return { since, note: `the container was killed: ${last.terminated.reason ?? ""}` };
  assert.match(await lab.serverLog(), /was terminated by signal 9: Killed/, ends.join("\n"));
  return { since, note: "the kernel killed one process" };
}

/** Requests more memory than one process may use: the statement fails, and nothing else happens. */
async function exceed(lab: Lab): Promise<Strike> {
  const postmaster = await lab.postmaster();
  const connection = await lab.connectSoon();
  const since = Date.now();
  await assert.rejects(connection.query(GREEDY, 60_000), /out of memory/);
  await connection.query("select 1", 10_000);
  connection.close();
  assert.ok(isAlive(postmaster), "the server was ended");
  assert.doesNotMatch(await lab.serverLog(), /was terminated by signal 9: Killed/);
  return { since, note: "the statement failed, and its session went on" };
}

export const serverFaults: Fault[] = [
  {
    name: "SIGKILL of the postmaster",
    group: "server",
    kill: true,
    strike: async (lab) => kill(await lab.postmaster()),
  },
  {
    name: "SIGKILL of the session that writes",
    group: "server",
    kill: true,
    strike: async (lab) => {
      const inner = await lab.ledger.sessionProcess();
      const session = (await lab.containerProcesses()).find((it) => it.inner === inner);
      assert.ok(session, "the writing session was not found");
      await kill(session);
    },
  },
  {
    name: "SIGKILL of the checkpointer, in a checkpoint",
    group: "server",
    kill: true,
    strike: async (lab, random) => {
      const checkpointer = await lab.serverProcess("checkpointer");
      void lab.ask("checkpoint").catch(() => undefined);
      await pause(random.between(100, 600));
      const since = Date.now();
      await kill(checkpointer);
      return { since };
    },
  },
  killOf("walwriter"),
  killOf("background writer"),
  killOf("autovacuum launcher"),
  {
    name: "SIGTERM to the postmaster, and the writer hangs up",
    group: "server",
    strike: async (lab, random) => {
      const postmaster = await lab.postmaster();
      signal(postmaster, "SIGTERM");
      // A smart shutdown waits for existing sessions: for this one, and those of the load.
      await pause(random.between(200, 1500));
      const since = Date.now();
      for (const session of (await lab.containerProcesses()).filter(({ title }) =>
        /^postgres: transcript_user /.test(title),
      ))
        signal(session, "SIGTERM");
      await until("the server has ended", () => !isAlive(postmaster), 30_000, 20);
      return { since };
    },
  },
  {
    name: "SIGINT to the postmaster",
    group: "server",
    strike: async (lab) => kill(await lab.postmaster(), "SIGINT"),
  },
  {
    name: "SIGQUIT to the postmaster",
    group: "server",
    kill: true,
    strike: async (lab) => kill(await lab.postmaster(), "SIGQUIT"),
  },
  {
    name: "every process of the container killed at once, as for memory under cgroup v2",
    group: "server",
    kill: true,
    strike: async (lab) => {
      const processes = await lab.containerProcesses();
      const since = Date.now();
      // The postmaster last: it must not have time to begin a recovery.
      signal([...processes].reverse(), "SIGKILL");
      await until("all have ended", () => !processes.some(isAlive), 20_000, 20);
      return { since };
    },
  },
  {
    name: "one session takes more memory than there is",
    group: "server",
    strike: exceed,
  },
  {
    name: "eight sessions together take more memory than there is",
    group: "server",
    kill: true,
    strike: (lab) => exhaust(lab, 8),
  },
  {
    name: "all of the server's processes stand still for a while",
    group: "server",
    limit: 90,
    strike: async (lab, random) => {
      const processes = await lab.containerProcesses();
      signal(processes, "SIGSTOP");
      const seconds = random.between(3, 15);
      await pause(seconds * 1000);
      const since = Date.now();
      signal(processes, "SIGCONT");
      return { since, note: `${seconds} s` };
    },
  },
  {
    name: "SIGKILL of the reconciler",
    group: "server",
    strike: async (lab) => {
      const processes = await lab.containerProcesses("reconcile");
      signal(processes, "SIGKILL");
      await until("it has ended", () => !processes.some(isAlive), 10_000, 20);
    },
  },
  {
    name: "the container killed through containerd",
    group: "server",
    kill: true,
    strike: async (lab) => {
      const status = (await lab.pod())?.status?.containerStatuses?.find(({ name }) => name === "postgres");
      const id = (status?.containerID ?? "").replace("containerd://", "");
      const postmaster = await lab.postmaster();
      const since = Date.now();
      await lab.ctr("tasks", "kill", "--all", "--signal", "SIGKILL", id);
      await until("the server has ended", () => !isAlive(postmaster), 20_000, 20);
      return { since };
    },
  },
  {
    name: "the pod deleted",
    group: "server",
    strike: async (lab) => {
      await lab.kubectl("delete", "pod", POD, "-n", NAMESPACE, "--wait=true");
    },
  },
  {
    name: "the pod force-deleted",
    group: "server",
    kill: true,
    strike: async (lab) => {
      const postmaster = await lab.postmaster();
      const since = Date.now();
      await lab.kubectl("delete", "pod", POD, "-n", NAMESPACE, "--grace-period=0", "--force");
      await until("the old server has ended", () => !isAlive(postmaster), 40_000, 50);
      return { since };
    },
  },
  {
    name: "the pod force-deleted while its server cannot be killed",
    group: "server",
    strike: async (lab) => {
      const postmaster = await lab.postmaster();
      // Without its shim containerd cannot end the container, and the server runs on.
      const shim = parentOf(postmaster);
      signal(shim, "SIGSTOP");
      let since = 0;
      try {
        await lab.kubectl("delete", "pod", POD, "-n", NAMESPACE, "--grace-period=0", "--force");
        const uid = () => lab.pod().then((pod) => pod?.metadata.uid);
        const successor = async () =>
          (await lab.tryKubectl("logs", POD, "-n", NAMESPACE, "-c", "postgres")).stdout.includes(
            "another server still runs on this directory",
          );
        await until(
          "the successor waits for the lock",
          async () => (await uid()) !== undefined && (await successor()),
          40_000,
          500,
        );
        assert.ok(isAlive(postmaster), "the old server has ended too early for this experiment");
        assert.equal(lab.postmasters().length, 1);
      } finally {
        since = Date.now();
        signal(shim, "SIGCONT");
      }
      await until("the old server has ended", () => !isAlive(postmaster), 40_000, 50);
      return { since, note: "the successor waited for the lock" };
    },
  },
  {
    name: "a second server on the same directory",
    group: "server",
    strike: async (lab) => {
      const second = await otherServer(lab, "second-server");
      try {
        await second.untilLogs(/another server still runs on this directory/);
        await pause(2000);
        assert.equal(lab.postmasters().length, 1);
      } finally {
        await second.remove();
      }
      return { note: "it waited for the lock" };
    },
  },
  {
    name: "another stack's server on the same directory",
    group: "refusal",
    strike: async (lab) => {
      const other = await otherServer(lab, "other-stack", "transcript-pipeline/other");
      try {
        await other.untilLogs(
          /REFUSED: the directory behind .* belongs to transcript-pipeline\/dev, and this server is transcript-pipeline\/other. Nothing was written/,
        );
      } finally {
        await other.remove();
      }
      return { note: "it refused" };
    },
  },
];
