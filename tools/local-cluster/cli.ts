import { parseArgs } from "node:util";
import { start, status, stop } from "./cluster.ts";

const usage = "usage: cli.ts up|down|status [--name NAME] [--gpu COUNT] [--purge]";

/** The command line of the local cluster: `npm run cluster:up`, `cluster:down` and `cluster:status`. */
async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { name: { type: "string" }, gpu: { type: "string" }, purge: { type: "boolean" } },
  });
  const name = values.name ?? "local";
  const log = (line: string): void => console.error(line);
  switch (positionals.join(" ")) {
    case "up": {
      const cluster = await start({
        name,
        log,
        ...(values.gpu === undefined ? {} : { gpu: Number(values.gpu) }),
      });
      console.log(JSON.stringify(cluster, undefined, 2));
      console.error(
        `\nTo use it:\n  export KUBECONFIG=${cluster.kubeconfig}\n  ${cluster.kubectl} get nodes`,
      );
      return 0;
    }
    case "down":
      await stop({ name, log, purge: values.purge ?? false });
      return 0;
    case "status": {
      const cluster = await status(name);
      console.log(
        cluster === undefined ? `cluster "${name}" does not run` : JSON.stringify(cluster, undefined, 2),
      );
      return cluster === undefined ? 3 : 0;
    }
    default:
      console.error(usage);
      return 2;
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`local cluster: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
