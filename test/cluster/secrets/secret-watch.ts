/** A watch on a namespace's Secrets, which misses no removal, however short. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { kubectl, theCluster, until } from "../support.ts";
import { withKubeconfig } from "./objects.ts";

const CANARY = "canary-of-the-watch";

export class SecretWatch {
  private readonly namespace: string;
  private readonly child: ChildProcess;
  private events = "";

  private constructor(namespace: string) {
    this.namespace = namespace;
    const path = '-o=jsonpath={.type} {.object.metadata.name}{"\\n"}';
    const command = ["get", "secrets", "-n", namespace, "--watch", "--output-watch-events", path];
    this.child = spawn(theCluster().kubectl, [...withKubeconfig(), ...command], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.child.stdout?.setEncoding("utf8").on("data", (data: string) => (this.events += data));
  }

  /** Starts it, and waits until it sees. */
  static async start(namespace: string): Promise<SecretWatch> {
    const watch = new SecretWatch(namespace);
    const create = ["create", "secret", "generic", CANARY, "-n", namespace];
    await kubectl("delete", "secret", CANARY, "-n", namespace, "--ignore-not-found");
    await kubectl(...create);
    await until("the watch sees a new Secret", () => watch.events.includes(`ADDED ${CANARY}\n`), 60_000);
    return watch;
  }

  /** Ends it, once it has seen a Secret go. Returns the Secrets that were gone at any time since its start. */
  async end(): Promise<string[]> {
    try {
      await kubectl("delete", "secret", CANARY, "-n", this.namespace);
      await until("the watch sees a Secret go", () => this.events.includes(`DELETED ${CANARY}\n`), 60_000);
      assert.equal(this.child.exitCode, null, "the watch has ended too early");
      const gone = [...this.events.matchAll(/^DELETED (\S+)$/gm)].map(([, name = ""]) => name);
      return gone.filter((name) => name !== CANARY);
    } finally {
      this.stop();
    }
  }

  /** Ends it, whatever it has seen. */
  stop(): void {
    this.child.kill();
  }
}
