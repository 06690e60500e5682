import { parseArgs } from "node:util";
import { answersHelp } from "../cli.ts";
import { start, status, stop } from "./cluster.ts";

const usage = `usage: npm run cluster:up -- [--name <name>] [--gpu <count>] [--domain <domain>] [--network-policies | --no-network-policies]
                              [--metrics | --no-metrics]
       npm run cluster:down -- [--name <name>] [--purge]
       npm run cluster:status -- [--name <name>]
  --name <name>  which local cluster. Default: local
  --gpu <count>  GPUs that its node reports
  --domain <domain>  the domain of its Services. Default: cluster.local
  --network-policies  enforce NetworkPolicies, by kube-router, which the first time builds; --no-network-policies
                 stops that. Default: as at the last start
  --metrics      have figures for kubectl top, by metrics-server, which the first time builds; --no-metrics stops that.
                 Default: as at the last start
  --purge        remove its state and images too`;

/** The command line of the local cluster: `npm run cluster:up`, `cluster:down` and `cluster:status`. */
async function main(): Promise<number> {
  if (answersHelp(usage)) return 0;
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    allowNegative: true,
    options: {
      name: { type: "string" },
      gpu: { type: "string" },
      domain: { type: "string" },
      "network-policies": { type: "boolean" },
      metrics: { type: "boolean" },
      purge: { type: "boolean" },
    },
  });
  const name = values.name ?? "local";
  const log = (line: string): void => console.error(line);
  switch (positionals.join(" ")) {
    case "up": {
      const cluster = await start({
        name,
        log,
        ...(values.domain === undefined ? {} : { domain: values.domain }),
        ...(values["network-policies"] === undefined ? {} : { networkPolicies: values["network-policies"] }),
        ...(values.metrics === undefined ? {} : { metrics: values.metrics }),
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
