/** Everything that makes the product connect as a superuser, each with the wait until it has done so. */
import { promptKubelet } from "../../../../cluster/kubelet-prompt.ts";
import { upWithKubectl } from "../../../../tools/dev/deploy-with-kubectl.ts";
import { renderStack } from "../../../../tools/evaluation/rendering.ts";
import assert from "node:assert/strict";
import {
  configured,
  kubectl,
  pulumi,
  secretValue,
  setSecretValue,
  state,
  succeed,
  tagged,
  theCluster,
  until,
} from "../../support.ts";

const NAMESPACE = "transcript-pipeline";
/** Milliseconds that any action of the product may take among the traps. */
const PATIENCE = 60_000;
const inNamespace = ["-n", NAMESPACE];

const apply = (manifest: unknown, verb = ["apply", "-f", "-"]) =>
  succeed("kubectl", ["--kubeconfig", theCluster().kubeconfig, ...verb], { input: JSON.stringify(manifest) });

const logOf = (container: string) =>
  kubectl("logs", ...inNamespace, "postgres-0", "-c", container).catch(() => "");
const serverLog = () => logOf("postgres");
const reconcileLog = () => logOf("reconcile");

/** The server's log, over all pods that this test has seen. */
export class WholeLog {
  private before = "";
  /** Keeps what the pod has written, before it is deleted: without the begin of a session whose rest would be missing. */
  async keep(): Promise<void> {
    const now = await this.text();
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const later = (await this.text()).slice(now.length).split("\n");
    this.before = now + later.filter((line) => !/ connection (received|authorized): /.test(line)).join("\n");
  }
  async text(): Promise<string> {
    return this.before + (await serverLog());
  }
}

/** Deploys the stack with another configuration, by the engine or without. */
export async function deploy(changes: Record<string, unknown>): Promise<void> {
  const configFile = configured(changes);
  if (state().deployment?.by === "pulumi") {
    const ran = await pulumi(["up", "--yes", "--skip-preview", "--config-file", configFile]);
    assert.equal(ran.status, 0, ran.output);
    return;
  }
  const withConfig = Object.create(state(), { configFile: { value: configFile } }) as ReturnType<
    typeof state
  >;
  await upWithKubectl(theCluster(), withConfig, true);
}

/** Changes a value of a Secret, so that the pod sees it at once. Returns the previous one. */
async function changeSecret(name: string, key: string, value: string): Promise<string> {
  const former = await secretValue(name, key);
  await setSecretValue(name, key, value);
  await promptKubelet(theCluster(), NAMESPACE);
  return former;
}

/** Does something, and waits until reconcile reports what it did. */
async function seenByReconcile(words: RegExp, work: () => Promise<unknown>): Promise<void> {
  const count = async () => (await reconcileLog()).match(new RegExp(words, "g"))?.length ?? 0;
  const before = await count();
  await work();
  await until(`reconcile says ${words.source}`, async () => (await count()) > before, PATIENCE);
}

/** Another pod: its first start and everything that reconcile does then. */
export async function anotherPod(log: WholeLog): Promise<void> {
  await log.keep();
  const uid = () =>
    kubectl("get", "pod", "postgres-0", ...inNamespace, "-o", "jsonpath={.metadata.uid}").catch(() => "");
  const before = await uid();
  await kubectl("delete", "pod", "postgres-0", ...inNamespace, "--wait=false");
  await until("another pod is there", async () => ![before, ""].includes(await uid()));
  await kubectl("wait", "--for=condition=Ready", "pod/postgres-0", ...inNamespace, "--timeout=150s");
}

/** What reconcile reports about a database that has not followed its image. */
export function noticed(words: RegExp): Promise<void> {
  return until(`reconcile has said ${words.source}`, async () => words.test(await reconcileLog()), PATIENCE);
}

/** Changes the owner's and the superuser's password, and restores it. */
export async function changePasswords(): Promise<void> {
  for (const [name, role] of [
    ["postgres-secret", "transcript_user"],
    ["postgres-superuser", "postgres"],
  ] as const) {
    const said = new RegExp(`the password of ${role} is now`);
    let former = "";
    await seenByReconcile(said, async () => {
      former = await changeSecret(name, "POSTGRES_PASSWORD", "another-one-for-a-moment-0123456789");
    });
    await seenByReconcile(said, () => changeSecret(name, "POSTGRES_PASSWORD", former));
  }
}

/** Adds and removes a login. Its role stays, for somebody to drop. */
export async function makeAndRetireLogin(): Promise<void> {
  const key = "credentials";
  const former = await secretValue("postgres-logins", key);
  await seenByReconcile(/login guest is a member of/, () =>
    changeSecret("postgres-logins", key, `${former}readonly guest a-password-of-a-guest-0123456789\n`),
  );
  await seenByReconcile(/login guest is no longer in the Secret/, () =>
    changeSecret("postgres-logins", key, former),
  );
}

/** A setting that needs a reload. */
export async function reloadSettings(): Promise<void> {
  const config = JSON.parse(
    await kubectl("get", "configmap", "postgres-config", ...inNamespace, "-o", "json"),
  ) as { data: Record<string, string> };
  const put = async (text: string) => {
    const patch = JSON.stringify({ data: { "postgresql.conf": text } });
    await kubectl("patch", "configmap", "postgres-config", ...inNamespace, "--type=merge", "-p", patch);
    await promptKubelet(theCluster(), NAMESPACE);
  };
  const former = config.data["postgresql.conf"] ?? "";
  await seenByReconcile(/settings reloaded/, () => put(`${former}log_lock_waits = on\n`));
  await seenByReconcile(/settings reloaded/, () => put(former));
}

async function finished(job: string): Promise<void> {
  const condition = async (type: string) =>
    (await kubectl(
      ...[
        "get",
        "job",
        job,
        ...inNamespace,
        "-o",
        `jsonpath={.status.conditions[?(@.type=="${type}")].status}`,
      ],
    )) === "True";
  await until(
    `Job ${job} has ended`,
    async () => (await condition("Complete")) || (await condition("Failed")),
  );
  const log = await kubectl("logs", `job/${job}`, ...inNamespace, "--all-containers");
  assert.ok(await condition("Complete"), `Job ${job}\n${log}`);
}

/** The init Job once more: the bootstrap, and the migrations. */
export async function bootstrapAgain(): Promise<void> {
  const job = JSON.parse(await kubectl("get", "job", "postgres-init", ...inNamespace, "-o", "json")) as {
    spec: { selector?: unknown; template: { metadata: { labels: Record<string, string> } } };
  };
  delete job.spec.selector;
  const { labels } = job.spec.template.metadata;
  for (const name of Object.keys(labels))
    if (name.includes("uid") || name.includes("job-name")) delete labels[name];
  const metadata = { name: "adversary-init", namespace: NAMESPACE };
  await apply({ apiVersion: "batch/v1", kind: "Job", metadata, spec: job.spec });
  await finished("adversary-init");
  await kubectl("delete", "job", "adversary-init", ...inNamespace);
}

/** The Job of docs/upgrades.md, with its files, as the program renders it. */
export async function upgradeAgain(): Promise<void> {
  const image = await tagged("0.8.6-pg16-trixie");
  const changes = { "database.image": image, "database.upgradeTo": image };
  const { files } = await renderStack("dev", configured(changes));
  const parts = files
    .map(({ manifest }) => manifest)
    .filter(({ metadata }) => metadata.name.startsWith("postgres-upgrade"));
  assert.ok(parts.some(({ kind }) => kind === "Job"));
  try {
    for (const part of parts) await apply(part);
    await finished("postgres-upgrade");
  } finally {
    for (const { kind, metadata } of parts)
      await kubectl("delete", kind.toLowerCase(), metadata.name, ...inNamespace, "--ignore-not-found");
  }
}
