import assert from "node:assert/strict";
import { itLong } from "../../sample.ts";
import { signal } from "../faults/node-processes.ts";
import { kubectl, theCluster, until } from "../support.ts";
import {
  archiveNow,
  deleteAgent,
  deployRefreshed,
  logOf,
  NAMESPACE,
  onStored,
  processesOf,
  restartServer,
  startSegment,
  theStore,
  untilArchived,
} from "./stored.ts";

/** Seconds of a stop: up to six attempts to archive, of 5 s each while nobody answers, and the server's own work. */
const STOP = 60;
/** Seconds from the pod's creation until it is ready. */
const START = 60;

/** What can happen to the backups. */
interface Trouble {
  title: string;
  happen: () => Promise<void>;
  /** What a person, or nobody, does about it. */
  end: () => Promise<void>;
  /** What the log of the agent, and of the server, must hold meanwhile. */
  agentSays?: RegExp;
  serverSays: RegExp;
  long?: boolean;
}

const setImage = (image: string) =>
  kubectl("set", "image", "statefulset/postgres-backup", `pgbackrest=${image}`, "-n", NAMESPACE);

const troubles: Trouble[] = [
  {
    title: "the store is away",
    happen: () => theStore().leave(),
    end: () => theStore().come(),
    agentSays: /repository cloud: no connection to store\.object-store\.svc, port 8443: .*goes on by itself/,
    serverSays: /archiving: \w+ is not archived after \d+ s; .*repository cloud: no connection to store/,
  },
  {
    title: "the image of the backups cannot be pulled",
    happen: async () => {
      await setImage("localhost/nowhere/pgbackrest:0");
      await until("the agent is not pulled", async () =>
        /ErrImage|ImagePull/.test(await kubectl("get", "pod", "postgres-backup-0", "-n", NAMESPACE)),
      );
    },
    end: async () => {
      await setImage(theCluster().pgbackrestImage);
    },
    serverSays: /the backup agent does not answer: kubectl .*get pod postgres-backup-0/,
  },
  {
    title: "the store accepts connections and does not answer",
    happen: () => Promise.resolve(theStore().hang()),
    end: () => Promise.resolve(theStore().wake()),
    serverSays: /the repository does not answer, or is slow|no answer from the repository/,
    long: true,
  },
  {
    title: "Secret postgres-backup is missing",
    happen: async () => {
      await kubectl("delete", "secret", "postgres-backup", "-n", NAMESPACE);
      await deleteAgent();
    },
    end: async () => {
      await deployRefreshed();
    },
    agentSays: /Secret postgres-backup is missing\. Deploy again: pulumi up --refresh/,
    serverSays: /Secret postgres-backup is missing/,
    long: true,
  },
];

describe("the server starts, works and stops whatever happens to its backups", function () {
  this.timeout(600_000);
  onStored();

  for (const { title, happen, end, agentSays, serverSays, long } of troubles) {
    (long === true ? itLong : it)(
      `${title}: stops and starts in time, and the archive goes on afterwards`,
      async () => {
        await archiveNow();
        await happen();
        try {
          const segment = await startSegment();
          const { stopped, ready } = await restartServer();
          console.log(`      stopped after ${stopped.toFixed(1)} s, ready ${ready.toFixed(1)} s later`);
          assert.ok(stopped <= STOP, `stopped after ${stopped} s`);
          assert.ok(ready <= START, `ready after ${ready} s`);
          const next = await startSegment();
          await until("the server says why", async () =>
            serverSays.test(await logOf("postgres-0 -c postgres")),
          );
          if (agentSays)
            await until("the agent says why", async () => agentSays.test(await logOf("postgres-backup-0")));

          await end();
          const ended = Date.now();
          await untilArchived(segment);
          await untilArchived(next);
          console.log(
            `      everything archived ${((Date.now() - ended) / 1000).toFixed(1)} s after its end`,
          );
        } finally {
          await end();
        }
        await archiveNow();
      },
    );
  }

  it("the agent's pod is deleted: the server is not restarted, and what was waiting is archived", async () => {
    const start = () => logOf("postgres-0 -c postgres");
    const before = await start();
    await deleteAgent();
    const seconds = await archiveNow();
    console.log(`      archived ${seconds.toFixed(1)} s after the deletion`);
    assert.ok((await start()).startsWith(before.slice(0, 200)));
  });

  it("the agent's process is killed while it archives: a segment that was archived twice is accepted", async () => {
    for (let round = 0; round < 5; round++) {
      const segment = await startSegment();
      await new Promise((resolve) => setTimeout(resolve, 150 * round));
      // Not the container's first process: five deaths of that one, and the kubelet waits for minutes.
      const agent = await processesOf("postgres-backup-0");
      signal(
        agent.filter(({ inner, title }) => inner !== 1 && /pgbackrest .*archive-push|agent\.sh/.test(title)),
        "SIGKILL",
      );
      await untilArchived(segment);
    }
    await archiveNow();
  });
});
