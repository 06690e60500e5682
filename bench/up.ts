/**
 * `npm run bench:up [-- --rounds 20]`: from nothing to a finished init Job, by `pulumi up` (its preview skipped) and by
 * `kubectl apply -k` of the same objects with `kubectl wait`. The two take turns on one local cluster, each time with
 * a new directory; medians, 95th percentiles and their ratio from one run, and where the seconds of `pulumi up` go.
 * Never fails because of a time. Without options the figures are kept in results/up.md.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile, runTool } from "../tools/cli.ts";
import { findEngine } from "../tools/engine/engine.ts";
import { engineEnvironment } from "../tools/engine/environment.ts";
import { succeeded } from "../tools/engine/runner.ts";
import { stackEngine } from "../tools/engine/stack.ts";
import { type LocalCluster, start, status, stop } from "../tools/local-cluster/cluster.ts";
import { STAND_INS } from "../tools/local-cluster/images.ts";
import { attempt, run } from "../tools/processes.ts";
import { withFields } from "../tools/stack-file/editing.ts";
import { renderStack, writeRendering } from "../tools/evaluation/rendering.ts";
import { followEvents, resourceSpans } from "./event-times.ts";
import { machineLine, median, percentile, ratioLine } from "./figures.ts";
import { momentsOf, type TimedPod } from "./pod-times.ts";
import { roundsWanted } from "./rounds.ts";
import { type EngineRound, splitTable } from "./up-split.ts";
import { preparationScript } from "../components/storage/preparation.ts";

const CLUSTER = "bench-up";
const NAMESPACE = "transcript-pipeline";
const AIM = 1.2;
const RESULTS = projectFile("bench/results/up.md");

const usage = `usage: npm run bench:up -- [--rounds <count>]
How long a deployment takes, by the engine and by kubectl, on a local cluster of its own.
  --rounds <count>  how many rounds count, 1 to 100. Default: 20, kept in bench/results/up.md`;

await runTool(usage, async () => {
  const rounds = roundsWanted(20);
  const engine = await findEngine();
  if ("reason" in engine) throw new Error(`this measurement needs the Pulumi CLI: ${engine.reason}`);
  const running = await status(CLUSTER);
  const cluster = running ?? (await start({ name: CLUSTER, log: console.log }));
  try {
    await measure(engine, cluster, rounds);
  } finally {
    // What ran before goes on running.
    if (running === undefined) await stop({ name: CLUSTER, purge: true });
  }
});

async function measure(
  engine: Exclude<Awaited<ReturnType<typeof findEngine>>, { reason: string }>,
  cluster: LocalCluster,
  rounds: number,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "bench-up-"));
  const project = join(directory, "project");
  const file = join(project, "Pulumi.dev.yaml");
  const env = engineEnvironment({
    backend: { directory: join(directory, "state"), passphrase: "bench" },
    // Pulumi's own Automation API reads the log of events; the CLI knows its option under this switch.
    variables: { KUBECONFIG: cluster.kubeconfig, PULUMI_DEBUG_COMMANDS: "true" },
  });
  const kubectl = (...args: string[]) => run("kubectl", args, { env });

  /** Ends what runs at once: a server whose backup agent is gone waits for the end of the archiving. */
  const endPods = async () => {
    await kubectl("delete", "statefulsets", "--all", "-n", NAMESPACE, "--cascade=orphan");
    await kubectl("delete", "pods", "--all", "-n", NAMESPACE, "--force", "--grace-period=0");
  };

  /** Writes the configuration of one round, and returns its directory. */
  const configure = (round: string): string => {
    const path = join(directory, "data", round);
    const configured = withFields(readFileSync(projectFile("Pulumi.dev.yaml"), "utf8"), {
      cluster: { kubeconfig: cluster.kubeconfig, context: cluster.context },
      node: { hostname: cluster.nodeName, connection: "local" },
      storage: { path },
      ...STAND_INS,
    });
    writeFileSync(file, configured);
    return path;
  };

  const withEngine = async (round: string): Promise<EngineRound> => {
    configure(round);
    const stack = stackEngine({ engine, stack: "dev", configFile: file, manageIn: project, env });
    const operate = async (operation: string, ...flags: string[]) =>
      succeeded(`pulumi ${operation}`, await stack.operate([operation, "--yes", "--skip-preview", ...flags]));
    succeeded("pulumi stack init", await stack.manage(["stack", "init"]));
    const log = join(directory, `${round}.jsonl`);
    const began = Date.now();
    const stopFollowing = followEvents(log);
    const took = await seconds(() => operate("up", "--event-log", log));
    const spans = resourceSpans(stopFollowing());
    const { items } = JSON.parse(await kubectl("get", "pods", "-n", NAMESPACE, "-o", "json")) as {
      items: TimedPod[];
    };
    const pods = items.map((pod) => ({ name: pod.metadata.name, moments: momentsOf(pod, began) }));
    await endPods();
    await operate("destroy");
    succeeded("pulumi stack rm", await stack.manage(["stack", "rm", "--yes", "--preserve-config"]));
    return { took, spans, pods };
  };

  /** Undefined where the Job did not succeed with its first pod. */
  const withKubectl = async (round: string): Promise<number | undefined> => {
    const path = configure(round);
    const out = join(directory, "rendered");
    writeRendering(await renderStack("dev", file), out, { secrets: true });
    const identity = "transcript-pipeline/dev";
    let done = false;
    const took = await seconds(async () => {
      await run("/bin/sh", ["-c", preparationScript({ path, capacity: "1Gi", identity })]);
      await kubectl("apply", "-k", out);
      const job = ["job/postgres-init", "-n", NAMESPACE, "--timeout=120s"];
      done = (await attempt("kubectl", ["wait", "--for=condition=complete", ...job], { env })).ok;
    });
    const failed = await kubectl(
      "get",
      "job",
      "postgres-init",
      "-n",
      NAMESPACE,
      "-o",
      "jsonpath={.status.failed}",
    );
    await endPods();
    await kubectl("delete", "-k", out, "--ignore-not-found");
    return done && failed === "" ? took : undefined;
  };

  try {
    mkdirSync(project);
    mkdirSync(join(directory, "state"));
    writeFileSync(join(project, "Pulumi.yaml"), "name: transcript-pipeline\nruntime: nodejs\n");
    const engineRounds: EngineRound[] = [];
    const kubectlTook: number[] = [];
    let backedOff = 0;
    for (let round = 0; round <= rounds; round++) {
      const first = await withEngine(`engine-${round}`);
      const second = await withKubectl(`kubectl-${round}`);
      // The first round fills caches.
      if (round === 0) continue;
      const compared = second === undefined ? "not compared: its Job backed off" : `${second.toFixed(1)} s`;
      console.log(`round ${round}: pulumi up ${first.took.toFixed(1)} s, kubectl apply and wait ${compared}`);
      if (second === undefined) backedOff++;
      else {
        engineRounds.push(first);
        kubectlTook.push(second);
      }
    }
    const untilJob = engineRounds.map(
      ({ took, spans }) => spans.find(({ resource }) => resource === "Job postgres-init")?.to ?? took,
    );
    const figure = (what: string, values: readonly number[]) =>
      `${what}: median ${median(values).toFixed(1)} s of ${values.length}, 95th percentile ${percentile(values, 0.95).toFixed(1)} s (${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)})`;
    const lines = [
      figure("pulumi up until the Job is done", untilJob),
      figure("kubectl apply -k and wait for the Job", kubectlTook),
      ratioLine(
        "pulumi up / kubectl, both until the Job is done",
        median(untilJob) / median(kubectlTook),
        AIM,
      ),
      figure(
        "pulumi up until everything else is ready too",
        engineRounds.map(({ took }) => took),
      ),
      `rounds left out because kubectl's Job backed off: ${backedOff} of ${rounds}`,
    ];
    const split = splitTable(engineRounds);
    for (const line of [...lines, "", split]) console.log(line);
    // A run of other rounds is not the one that is kept.
    if (process.argv.length === 2) writeFileSync(RESULTS, `${page(lines, split).join("\n\n")}\n`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

function page(lines: readonly string[], split: string): string[] {
  return [
    "# How long a first deployment takes",
    "`npm run bench:up`: `dev` into an empty directory on the local cluster until its init Job is done, by the engine and by `kubectl`, in turns.",
    machineLine(),
    lines.map((line) => `- ${line}`).join("\n"),
    "## Where the seconds of `pulumi up` go",
    split,
  ];
}
