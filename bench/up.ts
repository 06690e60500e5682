/**
 * `npm run bench:up [-- --rounds 3]`: from nothing to a finished init Job, by `pulumi up` (its preview skipped) and by
 * `kubectl apply -k` of the same objects with `kubectl wait`. The two take turns on one local cluster, each time with
 * a new directory; medians and their ratio from one run.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile, runTool } from "../tools/cli.ts";
import { findEngine } from "../tools/engine/engine.ts";
import { engineEnvironment } from "../tools/engine/environment.ts";
import { succeeded } from "../tools/engine/runner.ts";
import { stackEngine } from "../tools/engine/stack.ts";
import { start, stop } from "../tools/local-cluster/cluster.ts";
import { run } from "../tools/processes.ts";
import { withFields } from "../tools/stack-file/editing.ts";
import { renderStack, writeRendering } from "../tools/evaluation/rendering.ts";
import { median, ratioLine } from "./figures.ts";
import { roundsWanted } from "./rounds.ts";
import { preparationScript } from "../components/storage/preparation.ts";

const CLUSTER = "bench-up";

const usage = `usage: npm run bench:up -- [--rounds <count>]
How long a deployment takes, by the engine and by kubectl, on a local cluster of its own.
  --rounds <count>  how many rounds count, 1 to 100. Default: 3`;

await runTool(usage, async () => {
  const rounds = roundsWanted(3);
  const engine = await findEngine();
  if ("reason" in engine) throw new Error(`this measurement needs the Pulumi CLI: ${engine.reason}`);
  const directory = mkdtempSync(join(tmpdir(), "bench-up-"));
  process.env.XDG_STATE_HOME = directory;
  const cluster = await start({ name: CLUSTER, log: console.log });
  const env = engineEnvironment({
    backend: { directory: join(directory, "state"), passphrase: "bench" },
    variables: { KUBECONFIG: cluster.kubeconfig },
  });
  const kubectl = (...args: string[]) => run("kubectl", args, { env });
  const seconds = async (work: () => Promise<unknown>): Promise<number> => {
    const started = performance.now();
    await work();
    return (performance.now() - started) / 1000;
  };

  /** The configuration of one round, and its directory. */
  const configure = (round: string): { file: string; path: string } => {
    const path = join(directory, "data", round);
    const file = join(directory, "project", "Pulumi.dev.yaml");
    const configured = withFields(readFileSync(projectFile("Pulumi.dev.yaml"), "utf8"), {
      cluster: { kubeconfig: cluster.kubeconfig, context: cluster.context },
      node: { hostname: cluster.nodeName, connection: "local" },
      storage: { path },
      database: { image: cluster.postgresImage },
      migration: { image: cluster.dbmateImage },
      backup: { image: cluster.pgbackrestImage },
    });
    writeFileSync(file, configured);
    return { file, path };
  };

  const withEngine = async (round: string): Promise<number> => {
    const { file } = configure(round);
    const manageIn = join(directory, "project");
    const stack = stackEngine({ engine, stack: "dev", configFile: file, manageIn, env });
    const operate = async (operation: string) =>
      succeeded(`pulumi ${operation}`, await stack.operate([operation, "--yes", "--skip-preview"]));
    succeeded("pulumi stack init", await stack.manage(["stack", "init"]));
    const took = await seconds(() => operate("up"));
    await operate("destroy");
    succeeded("pulumi stack rm", await stack.manage(["stack", "rm", "--yes", "--preserve-config"]));
    return took;
  };

  const withKubectl = async (round: string): Promise<number> => {
    const { file, path } = configure(round);
    const out = join(directory, "rendered");
    writeRendering(await renderStack("dev", file), out, { secrets: true });
    const identity = "transcript-pipeline/dev";
    const took = await seconds(async () => {
      await run("/bin/sh", ["-c", preparationScript({ path, capacity: "1Gi", identity })]);
      await kubectl("apply", "-k", out);
      await kubectl(
        "wait",
        "--for=condition=complete",
        "job/postgres-init",
        "-n",
        "transcript-pipeline",
        "--timeout=300s",
      );
    });
    await kubectl("delete", "-k", out);
    return took;
  };

  try {
    mkdirSync(join(directory, "project"));
    mkdirSync(join(directory, "state"));
    writeFileSync(join(directory, "project", "Pulumi.yaml"), "name: transcript-pipeline\nruntime: nodejs\n");
    const engineTook: number[] = [];
    const kubectlTook: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      const first = await withEngine(`engine-${round}`);
      const second = await withKubectl(`kubectl-${round}`);
      if (round === 0) continue;
      engineTook.push(first);
      kubectlTook.push(second);
      console.log(
        `round ${round}: pulumi up ${first.toFixed(1)} s, kubectl apply and wait ${second.toFixed(1)} s`,
      );
    }
    console.log(
      ratioLine("pulumi up / kubectl apply -k and wait", median(engineTook) / median(kubectlTook), 0.8),
    );
  } finally {
    await stop({ name: CLUSTER, purge: true });
    rmSync(directory, { recursive: true, force: true });
  }
});
