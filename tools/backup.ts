/** `npm run backup -- --stack <name> <command>`: what there is of backups, and backups, drills and dumps on request. */
import { parseArgs } from "node:util";
import { copyLines, copyTime, endCopy, makeCopy } from "./backup/copy.ts";
import { look } from "./backup/look.ts";
import { makeRestorePoint, restorePointLines, restorePointName } from "./backup/restore-point.ts";
import { runNow } from "./backup/run.ts";
import { statusLines, statusOf } from "./backup/status.ts";
import { runTool, UsageError } from "./cli.ts";
import { clusterOf } from "./stack-cluster.ts";

const usage = `usage: npm run backup -- --stack <name> status | now [full] | drill | dump | restore-point <name>
       | copy <time> | copy end
  status                what backups there are, how old and how large, to which moments they can be restored, whether
                        archiving works, and when a restore was last proven
  now [full]            makes an incremental or a full backup in each repository, and follows it
  drill                 restores the newest backup of each repository as a test, compares it, and follows that
  dump                  writes a logical dump into each repository, compares it, and follows that
  restore-point <name>  names this moment in the WAL, to restore to it later
  copy <time>           restores the database as it was at that time next to the running server, for whoever wants to
                        bring back rows; prints the commands. copy end removes it
  --from <repository>   copy: from which repository. Default: the first
  --stack <name>        the stack, as in Pulumi.<name>.yaml. Default: dev
  --config-file <file>  its configuration. Default: Pulumi.<stack>.yaml; for what \`npm run up\` has deployed, its own
  --json                status and restore-point: as JSON`;

/** Exits with 1 if a run that was asked for has failed. */
function follow(successful: boolean): void {
  if (!successful) process.exitCode = 1;
}

await runTool(usage, async () => {
  const { values, positionals } = parseArgs({
    options: {
      stack: { type: "string", default: "dev" },
      "config-file": { type: "string" },
      from: { type: "string" },
      json: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  const [command, argument, ...more] = positionals;
  if (more.length > 0) throw new UsageError(usage);
  const cluster = () => clusterOf(values.stack, values["config-file"]);
  const print = (value: unknown, lines: string[]) =>
    console.log(values.json ? JSON.stringify(value, undefined, 2) : lines.join("\n"));
  switch (command) {
    case "status": {
      if (argument !== undefined) throw new UsageError(usage);
      const status = statusOf(await look(cluster()));
      return print(status, statusLines(status));
    }
    case "now":
      if (argument !== undefined && argument !== "full") throw new UsageError(usage);
      return follow(await runNow(cluster(), argument ?? "incremental"));
    case "drill":
    case "dump":
      if (argument !== undefined) throw new UsageError(usage);
      return follow(await runNow(cluster(), command));
    case "restore-point": {
      const name = restorePointName(argument);
      const point = await makeRestorePoint(cluster(), name);
      return print(point, restorePointLines(point));
    }
    case "copy": {
      if (argument === "end") return endCopy(cluster());
      const time = copyTime(argument);
      const at = await makeCopy(cluster(), time, values.from);
      if (at === undefined) return follow(false);
      return console.log(copyLines(cluster(), values.stack, at).join("\n"));
    }
    default:
      throw new UsageError(usage);
  }
});
