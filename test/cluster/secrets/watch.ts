/** Watches the Secrets of a namespace: whether there is a moment without one, or with an empty value in one. */
import { spawn } from "node:child_process";
import { theCluster, until } from "../support.ts";

/** What a watch has seen. */
export interface Seen {
  /** Secrets that were deleted, or had a key without a value. */
  gaps: string[];
  /** Names of Secrets that were changed, once for each change. */
  changes: string[];
}

interface WatchEvent {
  type: string;
  object: { metadata: { name: string; uid: string }; data?: Record<string, string> };
}

/** The whole events in a stream, each on a line of its own. */
function eventsIn(output: string): WatchEvent[] {
  return output
    .split("\n")
    .slice(0, -1)
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as WatchEvent);
}

/** Starts a watch; it is there when this returns. */
export async function watchSecrets(namespace: string): Promise<{ end: () => Seen }> {
  const child = spawn(
    "kubectl",
    [
      ...["--kubeconfig", theCluster().kubeconfig, "get", "secrets", "-n", namespace],
      ...["-l", "app.kubernetes.io/part-of=transcript-pipeline"],
      ...["--watch", "--output-watch-events", "-o", "json", "--request-timeout=0"],
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (data: string) => (output += data));
  let ended = false;
  child.on("close", () => (ended = true));
  await until("the watch shows the Secrets", () => eventsIn(output).length > 0, 30_000);
  return {
    end() {
      // One that broke off has not seen everything.
      if (ended) throw new Error("the watch of the Secrets ended by itself");
      child.kill("SIGTERM");
      const events = eventsIn(output);
      return {
        gaps: events.flatMap(({ type, object: { metadata, data = {} } }) =>
          type === "DELETED"
            ? [`${metadata.name} was deleted`]
            : Object.keys(data).length === 0
              ? [`${metadata.name} was empty`]
              : [],
        ),
        changes: events.filter(({ type }) => type === "MODIFIED").map(({ object }) => object.metadata.name),
      };
    },
  };
}
