/** Asks the node's operating system something during a deployment, over the configured connection. Reads only. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NodeConnection } from "../components/storage/node-storage.ts";

/** How the node is reached. */
export type NodeReach = NodeConnection<string>;

/** What a script on the node said. */
export interface NodeAnswer {
  /** Exit status; undefined if it could not be run, or was ended. */
  status: number | undefined;
  stdout: string;
  /** The last line of its error output, or why it could not be run. */
  reason: string;
}

/** Milliseconds after which nothing is waited for. */
const PATIENCE = 20_000;

/** ssh's arguments. The engine's own client reads no ~/.ssh/config either. */
function sshArguments(reach: NodeReach & { kind: "ssh" }, folder: string): string[] {
  const { host, port, user, hostKey, privateKey } = reach;
  const knownHosts = join(folder, "known_hosts");
  writeFileSync(knownHosts, `${port === 22 ? host : `[${host}]:${port}`} ${hostKey}\n`);
  const identity = join(folder, "identity");
  if (privateKey !== undefined) writeFileSync(identity, `${privateKey.trim()}\n`, { mode: 0o600 });
  const options = {
    BatchMode: "yes",
    ConnectTimeout: "5",
    StrictHostKeyChecking: "yes",
    UserKnownHostsFile: knownHosts,
    GlobalKnownHostsFile: "none",
    ...(privateKey !== undefined && { IdentitiesOnly: "yes", IdentityAgent: "none" }),
  };
  return [
    ...["-F", "none", "-T", "-p", String(port)],
    ...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
    ...(privateKey === undefined ? [] : ["-i", identity]),
    ...["--", `${user}@${host}`, "sh -s"],
  ];
}

/** Runs a script for /bin/sh on the node. Never throws. */
export async function askNode(reach: NodeReach, script: string): Promise<NodeAnswer> {
  // Only this user may enter it: the key is in it while ssh runs.
  const folder = mkdtempSync(join(tmpdir(), "node-shell-"));
  try {
    const [command, args] =
      reach.kind === "local" ? ["sh", ["-s"]] : (["ssh", sshArguments(reach, folder)] as const);
    return await answered(command, args, script);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function answered(command: string, args: readonly string[], script: string): Promise<NodeAnswer> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: "pipe", timeout: PATIENCE, killSignal: "SIGKILL" });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (data: string) => (stdout += data));
    child.stderr.setEncoding("utf8").on("data", (data: string) => (stderr += data));
    child.on("error", ({ message }) => resolve({ status: undefined, stdout, reason: message }));
    child.on("close", (status) => {
      const last = stderr.trim().split("\n").at(-1)?.trim();
      const reason =
        status === null
          ? `no answer within ${PATIENCE / 1000} s`
          : last || `${command} exited with ${status}`;
      resolve({ status: status ?? undefined, stdout, reason });
    });
    // One that ends without reading its input says why.
    child.stdin.on("error", () => undefined);
    child.stdin.end(script);
  });
}
