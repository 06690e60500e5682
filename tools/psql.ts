/** `npm run psql [-- <psql's arguments>]`: psql in the server's pod, as the owner of the database. */
import { spawnSync } from "node:child_process";
import { runTool } from "./cli.ts";
import { DevState } from "./dev-state.ts";
import { psqlCommand } from "./smoke-test.ts";

await runTool(() => {
  const deployment = new DevState().deployment;
  if (!deployment) throw new Error("stack dev is not up: npm run up");
  const terminal = process.stdin.isTTY && process.stdout.isTTY;
  const [command = "", ...args] = psqlCommand(deployment, [terminal ? "-it" : "-i"]);
  const { status, error } = spawnSync(command, [...args, ...process.argv.slice(2)], { stdio: "inherit" });
  if (error) throw error;
  process.exitCode = status ?? 1;
  return Promise.resolve();
});
