/**
 * `npm run up`: deploys the stack `dev` to a real cluster, on a machine that has nothing yet. Ensures that there are a
 * cluster and an engine, deploys, runs a smoke test, and prints how to connect.
 */
import { parseArgs } from "node:util";
import { contextFlags } from "../cluster/kubectl.ts";
import { APPLICATION } from "../components/kubernetes/labels.ts";
import { PROMETHEUS_NAME } from "../components/kubernetes/names.ts";
import { shellWord } from "../shell-words.ts";
import { runTool } from "./cli.ts";
import { upWithEngine } from "./dev/deploy-with-engine.ts";
import { upWithKubectl } from "./dev/deploy-with-kubectl.ts";
import { type DevCluster, ensureCluster } from "./dev/cluster.ts";
import { DevState } from "./dev/state.ts";
import { findEngine } from "./engine/engine.ts";
import { STAND_INS } from "./local-cluster/images.ts";
import { withLock } from "./lock.ts";
import { smokeTest } from "./dev/smoke-test.ts";
import { plainSection, readDocument } from "./stack-file/stack-file.ts";
import { report } from "./status/findings.ts";
import { rulesOf } from "./status/limits.ts";
import { look } from "./status/look.ts";
import { statusWords } from "./status/words.ts";

/** Configuration that depends on this machine and its cluster. */
function overridesFor(cluster: DevCluster, state: DevState): Record<string, Record<string, unknown>> {
  return {
    cluster: { context: cluster.context, kubeconfig: cluster.kubeconfig, domain: cluster.domain },
    node: { hostname: cluster.node, ...(cluster.onThisMachine && { connection: "local" }) },
    storage: cluster.onThisMachine ? { path: state.dataDirectory } : {},
    ...(cluster.local && STAND_INS),
  };
}

const usage = `usage: npm run up -- [--context <name>] [--node <name>] [--local-cluster <name>]
  --context <name>        a context of your kubeconfig. Default: a K3s on this machine, else a local cluster
  --node <name>           the node that holds the data, where the cluster has several
  --local-cluster <name>  name of the local cluster. Default: local`;

await runTool(usage, async () => {
  const { values } = parseArgs({
    options: {
      context: { type: "string" },
      node: { type: "string" },
      "local-cluster": { type: "string", default: "local" },
    },
  });
  const started = Date.now();
  const state = new DevState();
  state.prepare();
  await withLock(`${state.directory}/lock`, console.log, async () => {
    // They do not depend on each other.
    const [engine, cluster] = await Promise.all([
      findEngine(),
      ensureCluster({ ...values, localCluster: values["local-cluster"] }),
    ]);
    console.log(
      `cluster: ${cluster.context ?? "K3s on this machine"}, ${cluster.version}, node ${cluster.node}`,
    );
    state.writeConfig(overridesFor(cluster, state));
    // Recorded before anything is deployed: `down` must find what an interrupted `up` has begun.
    state.deployment = {
      context: cluster.context,
      kubeconfig: cluster.kubeconfig,
      by: "reason" in engine ? "kubectl" : "pulumi",
      localCluster: cluster.local?.name,
    };
    if ("reason" in engine) {
      console.log(
        `the Pulumi CLI is not available (${engine.reason}); applying the rendered objects with kubectl instead`,
      );
      await upWithKubectl(cluster, state, cluster.onThisMachine);
    } else {
      console.log(`deploying stack dev with Pulumi ${engine.version}`);
      await upWithEngine(engine, state);
    }
    console.log(`smoke test passed: ${await smokeTest(cluster)}`);
    const status = statusWords(report("dev", await look(cluster), rulesOf("dev", undefined)));
    const kubectl = ["kubectl", ...contextFlags(cluster)].map(shellWord).join(" ");
    console.log(
      [
        "",
        ...status,
        "",
        `PostgreSQL 16 + pgvector is up after ${((Date.now() - started) / 1000).toFixed(0)} s.`,
        "  a prompt:          npm run psql",
        `  from this machine: ${kubectl} port-forward -n ${APPLICATION} svc/postgres 5432:5432`,
        `  its password:      ${kubectl} get secret -n ${APPLICATION} postgres-secret -o jsonpath='{.data.POSTGRES_PASSWORD}' | base64 -d`,
        `  from a pod:        postgres.${APPLICATION}.svc.${cluster.domain}:5432, with the Secret postgres-secret`,
        "  how it is:         npm run status",
        ...(plainSection(readDocument(state.configFile), "monitoring").prometheus === "bundled"
          ? [`  its metrics:       ${kubectl} port-forward -n ${APPLICATION} pod/${PROMETHEUS_NAME}-0 9090`]
          : []),
        "  and down again:    npm run down",
      ].join("\n"),
    );
  });
});
