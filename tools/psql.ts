/** `npm run psql [-- <psql's arguments>]`: psql in the server's pod, as the owner of the database. */
import { spawnSync } from "node:child_process";
import { APPLICATION } from "../components/kubernetes/labels.ts";
import { sayRefused, serverReports } from "../cluster/server-reports.ts";
import { runTool } from "./cli.ts";
import { DevState } from "./dev/state.ts";
import { deployedLogin, psqlCommand } from "./dev/smoke-test.ts";

const usage = `usage: npm run psql -- [psql's arguments]
Runs psql in the server's pod, as the owner, in the deployment's database. psql's own help: npm run psql -- '-?'`;

await runTool(usage, async () => {
  const deployment = new DevState().deployment;
  if (!deployment) throw new Error("stack dev is not up: npm run up");
  const { configuration: refused } = await serverReports(deployment, APPLICATION).catch(
    (): { configuration?: string } => ({}),
  );
  if (refused !== undefined) console.error(`CONFIGURATION REFUSED. ${sayRefused(refused)}`);
  const terminal = process.stdin.isTTY && process.stdout.isTTY;
  const [command = "", ...args] = psqlCommand(
    deployment,
    [terminal ? "-it" : "-i"],
    await deployedLogin(deployment),
  );
  const { status, error } = spawnSync(command, [...args, ...process.argv.slice(2)], { stdio: "inherit" });
  if (error) throw error;
  process.exitCode = status ?? 1;
});
