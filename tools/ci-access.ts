/**
 * `npm run ci:access -- --stack <name> deploy|preview`: an identity for CI with the rights that the program needs, and a
 * kubeconfig for it with a token that expires. Made with the operator's own rights.
 */
import { parseArgs } from "node:util";
import type { ClusterContext } from "../cluster/kubectl.ts";
import { APPLICATION } from "../components/kubernetes/labels.ts";
import { identityOf } from "../components/kubernetes/names.ts";
import { RENEWAL_DUE } from "./access/differences.ts";
import { handOut, refuseOutput } from "./access/hand-out.ts";
import {
  apply,
  compare,
  deployedObjects,
  operatorKubeconfig,
  prove,
  remove,
  requestToken,
} from "./access/identities.ts";
import { apiServerOf, isOwnMachine, kubeconfigText } from "./access/kubeconfig.ts";
import { inWords, secondsOf, shortened } from "./access/lifetime.ts";
import { accessName } from "./access/names.ts";
import { type Access, accessObjects } from "./access/objects.ts";
import { type Use, USES } from "./access/rights.ts";
import { projectFile, runTool, UsageError } from "./cli.ts";
import { evaluate } from "./evaluation/evaluate.ts";
import { manifestsOf } from "./evaluation/manifests.ts";
import { withNode } from "./evaluation/policy-config.ts";
import { clusterIn, clusterOf } from "./stack-cluster.ts";
import { PROJECT } from "./stack-file/document.ts";
import { readStackFile } from "./stack-file/stack-file.ts";

const usage = `usage: npm run --silent ci:access -- --stack <name> deploy|preview [--expires <lifetime>] [--out <file>]
       npm run ci:access -- --stack <name> check
       npm run ci:access -- --stack <name> remove [deploy|preview]
  deploy                writes a kubeconfig that may do what \`pulumi up\` does, and nothing else
  preview               writes a kubeconfig that may read what a preview reads, this database's Secrets among it, and
                        write only as a dry run
  check                 compares both with what this version of the program needs. Exits with 1 if they differ, or if a
                        token expires within two weeks
  remove                removes the identities, and with them all of their tokens
  --stack <name>        the stack, as in Pulumi.<name>.yaml
  --expires <lifetime>  how long the token is valid, such as 90d or 12h. Default: 90d
  --out <file>          the file to write, with mode 0600. Default: standard output
  --server <url>        the API server's address as CI reaches it. Default: that of your kubeconfig
  --context <name>      the context of your kubeconfig, if it is not the stack's cluster.context
  --config-file <file>  the stack's configuration. Default: Pulumi.<stack>.yaml`;

/** What an identity consists of, by the program of a stack. */
async function accessFor(
  stack: string,
  file: string,
  cluster: ClusterContext,
): Promise<(use: Use) => Access> {
  const stackFile = readStackFile(file);
  const { registrations } = await evaluate(stack, withNode(stack, stackFile.config), stackFile.secretKeys);
  const manifests = manifestsOf(registrations).map(({ manifest }) => manifest);
  const deployed = await deployedObjects(cluster, APPLICATION);
  return (use) => accessObjects(use, identityOf(PROJECT, stack), manifests, deployed);
}

const WARNINGS: Readonly<Record<Use, string>> = {
  preview:
    "whoever has this kubeconfig can read every Secret of the database's namespace: a preview compares them. It cannot " +
    "change anything, or enter a container",
  deploy:
    "whoever has this kubeconfig can read every Secret of the database's namespace, replace what runs in it, and delete " +
    "the database's objects",
};

/** Whether something was found that a person must do something about. */
async function check(
  cluster: ClusterContext,
  accessOf: (use: Use) => Access,
  stack: string,
): Promise<boolean> {
  let isDue = false;
  for (const use of USES) {
    const { exists, expires, differences } = await compare(cluster, use, accessOf(use));
    if (!exists) {
      console.log(`${use}: there is no such identity`);
      continue;
    }
    const left = expires === undefined ? undefined : (Date.parse(expires) - Date.now()) / 1000;
    const token =
      left === undefined
        ? "no token was made"
        : left <= 0
          ? `its newest token expired at ${expires}`
          : `its newest token expires at ${expires}, in ${inWords(left)}`;
    const isLate = left !== undefined && left < RENEWAL_DUE;
    console.log(
      `${use}: ${token}${differences.length > 0 ? "" : "; its rights are those that this version needs"}`,
    );
    for (const line of differences) console.log(`  ${line}`);
    if (differences.length === 0 && !isLate) continue;
    isDue = true;
    console.log(`  Renew it: npm run --silent ci:access -- --stack ${stack} ${use} --out <file>`);
  }
  return isDue;
}

function usesOf(argument: string | undefined): readonly Use[] {
  if (argument === undefined) return USES;
  const use = USES.find((known) => known === argument);
  if (use === undefined) throw new UsageError(usage);
  return [use];
}

await runTool(usage, async () => {
  const { values, positionals } = parseArgs({
    options: {
      stack: { type: "string" },
      expires: { type: "string", default: "90d" },
      out: { type: "string" },
      server: { type: "string" },
      context: { type: "string" },
      "config-file": { type: "string" },
    },
    allowPositionals: true,
  });
  const [command, argument, ...more] = positionals;
  const { stack, out } = values;
  if (stack === undefined || command === undefined || more.length > 0) throw new UsageError(usage);
  const file = values["config-file"] ?? projectFile(`Pulumi.${stack}.yaml`);
  const cluster: ClusterContext = {
    ...clusterOf(stack, values["config-file"]),
    ...(values.context !== undefined && { context: values.context }),
  };
  if (command === "remove") {
    const uses = usesOf(argument);
    await remove(cluster, uses);
    return console.log(
      `removed: ${uses.map(accessName).join(" and ")}. Their tokens are refused within seconds`,
    );
  }
  if (argument !== undefined) throw new UsageError(usage);
  const accessOf = await accessFor(stack, file, cluster);
  if (command === "check") {
    if (await check(cluster, accessOf, stack)) process.exitCode = 1;
    return;
  }
  const [use] = usesOf(command);
  if (use === undefined) throw new UsageError(usage);

  // Everything that can be wrong with the request comes before the first change.
  refuseOutput(out);
  const seconds = secondsOf(values.expires);
  const apiServer = apiServerOf(await operatorKubeconfig(cluster), values.server);
  const access = accessOf(use);
  await apply(cluster, use, identityOf(PROJECT, stack), access);
  await prove(cluster, use, access);
  const { token, expires } = await requestToken(cluster, use, seconds);
  // The context that the stack's file names; a stack that names none takes the current one.
  const context = clusterIn(file).context ?? `${PROJECT}-${stack}`;
  handOut(kubeconfigText(context, apiServer, accessName(use), token), out);

  const granted = (Date.parse(expires) - Date.now()) / 1000;
  for (const note of [
    `${use}: a kubeconfig with the context ${context}, valid until ${expires} (${inWords(granted + 30)})`,
    shortened(seconds, granted),
    WARNINGS[use],
    isOwnMachine(apiServer)
      ? `it leads to ${apiServer.server}, which every other machine takes for itself: --server https://<host>:6443`
      : undefined,
  ]) {
    if (note !== undefined) console.error(note);
  }
});
