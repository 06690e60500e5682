/** `npm run notify -- --test --stack <name>`: sends a message to each sink, and says what came of it. */
import { parseArgs } from "node:util";
import { contextFlags, kubectlEnvironment } from "../cluster/kubectl.ts";
import { APPLICATION } from "../components/kubernetes/labels.ts";
import { NOTIFIER_CONTAINERS, NOTIFIER_NAME } from "../components/kubernetes/names.ts";
import { SCRIPTS_PATH } from "../components/kubernetes/scripts.ts";
import { runTool, UsageError } from "./cli.ts";
import { attempt } from "./processes.ts";
import { clusterOf } from "./stack-cluster.ts";

const usage = `usage: npm run notify -- --test [--sink <name>] --stack <name>
Sends a message from the cluster to each sink of notify.sinks, as if something were wrong, and says what came of it. Exits
with 1 if one was not sent.
  --sink <name>         only to this one
  --stack <name>        the stack, as in Pulumi.<name>.yaml. Default: dev
  --config-file <file>  its configuration. Default: Pulumi.<stack>.yaml; for what \`npm run up\` has deployed, its own`;

/** Milliseconds for all sinks, of which there are eight at most: each has a minute. */
const PATIENCE = 8 * 65_000;

await runTool(usage, async () => {
  const { values } = parseArgs({
    options: {
      test: { type: "boolean", default: false },
      sink: { type: "string" },
      stack: { type: "string", default: "dev" },
      "config-file": { type: "string" },
    },
  });
  if (!values.test) throw new UsageError(usage);
  const cluster = clusterOf(values.stack, values["config-file"]);
  const pod = `${NOTIFIER_NAME}-0`;
  const { status, output, errors } = await attempt(
    "kubectl",
    [
      ...[...contextFlags(cluster), "exec", "-n", APPLICATION, pod, "-c", NOTIFIER_CONTAINERS.send, "--"],
      ...["sh", `${SCRIPTS_PATH}/send.sh`, "test", ...(values.sink === undefined ? [] : [values.sink])],
    ],
    { env: kubectlEnvironment(cluster), timeout: PATIENCE },
  );
  if (output.trim() !== "") console.log(output.trim());
  if (status === 0) return;
  if (output.trim() === "") {
    const reason = /NotFound/.test(errors)
      ? `stack ${values.stack} tells nobody anything: there is no pod ${pod}. Configure notify.sinks (docs/notifications.md), and deploy`
      : errors.trim() || `no answer within ${PATIENCE / 1000} s`;
    throw new Error(reason);
  }
  if (status === null) console.error(`no answer of the others within ${PATIENCE / 1000} s`);
  process.exitCode = 1;
});
