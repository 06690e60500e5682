import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { definitionOf } from "../../external-secrets.ts";
import {
  configured,
  inPod,
  kubectl,
  needsEngine,
  pulumi,
  type Ran,
  secretValue,
  succeed,
  theCluster,
  until,
  up,
} from "../support.ts";
import { externalSecrets, synchronise } from "./operator.ts";

const SECRETS = ["postgres-secret", "postgres-superuser", "postgres-logins", "postgres-backup"];
const LOGINS = { "database.logins": { app: "readwrite" } };
const STORED = {
  ...LOGINS,
  "secretStore.source": "external-secrets",
  "secretStore.store": "vault",
};

const engine = (command: string, changes: Record<string, unknown>, ...more: string[]): Promise<Ran> =>
  pulumi([...command.split(" "), "--config-file", configured(changes), ...more]);
async function deploy(changes: Record<string, unknown>, ...more: string[]): Promise<Ran> {
  const ran = await engine("up --yes --skip-preview", changes, ...more);
  assert.equal(ran.status, 0, ran.output);
  return ran;
}

/** The server's pod, and how often its containers have started. */
const server = () =>
  kubectl(
    ...["get", "pod", "postgres-0", "-n", "transcript-pipeline", "-o"],
    "jsonpath={.metadata.uid} {.status.containerStatuses[*].restartCount}",
  );

/** A login over the network of the pod, with the password on standard input. */
async function logsIn(password: string): Promise<boolean> {
  const psql =
    "read -r PGPASSWORD; export PGPASSWORD; exec psql -w -h 127.0.0.1 -U transcript_user -d transcripts_db -c ''";
  return (await inPod(["bash", "-c", psql], `${password}\n`)).status === 0;
}

/** The values that are in force: what a person puts into the store before the switch. */
async function valuesInForce(): Promise<Record<string, string>> {
  const passphrase = await secretValue("postgres-backup", "repo1-passphrase\\.conf");
  return {
    owner: await secretValue("postgres-secret", "POSTGRES_PASSWORD"),
    superuser: await secretValue("postgres-superuser", "POSTGRES_PASSWORD"),
    "login-app": await secretValue("postgres-login-app", "POSTGRES_PASSWORD"),
    "backup-passphrase": /cipher-pass=(.*)/.exec(passphrase)?.[1] ?? "",
  };
}

describe("a switch to a secret store, and back", function () {
  this.timeout(1_200_000);
  needsEngine();

  let watch: ChildProcess | undefined;
  let seen = "";
  let before_: string;
  let own: Record<string, string>;
  let store: Record<string, string>;

  /** Secrets of the stack that were deleted since the beginning. */
  const deleted = () =>
    seen.split("\n").filter((line) => line.startsWith("DELETED") && !line.includes("postgres-login-"));

  before(async () => {
    await up();
    await deploy(LOGINS);
    own = await valuesInForce();
    store = { ...own };
    before_ = await server();
    const each = 'jsonpath={.type} {.object.metadata.name}{"\\n"}';
    const args = ["get", "secrets", "-n", "transcript-pipeline", "-w", "--output-watch-events", "-o", each];
    watch = spawn("kubectl", ["--kubeconfig", theCluster().kubeconfig, ...args]);
    watch.stdout?.setEncoding("utf8").on("data", (data: string) => (seen += data));
    await until("the watch sees the Secrets", () => SECRETS.every((name) => seen.includes(`ADDED ${name}`)));
  });

  after(async () => {
    watch?.kill();
    await up();
    await kubectl("delete", "crd", "externalsecrets.external-secrets.io", "--ignore-not-found");
  });

  afterEach(async () => {
    assert.deepEqual(deleted(), [], "a Secret was deleted");
    assert.equal(watch?.exitCode, null, "the watch has ended");
    assert.equal(await server(), before_, "the server was restarted");
  });

  it("is refused before anything is changed where the operator is not installed", async () => {
    for (const command of ["preview", "up --yes --skip-preview"]) {
      const ran = await engine(command, STORED);
      assert.notEqual(ran.status, 0);
      assert.match(
        ran.output,
        /secretStore\.source: is external-secrets, but the cluster does not have the External Secrets Operator\. Install version 0\.16 or later/,
      );
      assert.doesNotMatch(ran.output, /\d+ (to )?(create|delete|update)/);
    }
  });

  it("is announced by the preview, which deletes nothing", async () => {
    await succeed("kubectl", ["--kubeconfig", theCluster().kubeconfig, "apply", "-f", "-"], {
      input: JSON.stringify(definitionOf("ExternalSecret")),
    });
    await kubectl("wait", "--for=condition=Established", "crd/externalsecrets.external-secrets.io");
    // For a moment, the API server answers that the storage of a new kind is being initialised.
    await until("the new kind is served", () =>
      externalSecrets().then(
        () => true,
        () => false,
      ),
    );
    const ran = await engine("preview", STORED);
    assert.equal(ran.status, 0, ran.output);
    assert.match(
      ran.output,
      /the store takes over the Secrets postgres-backup, postgres-login-app, postgres-logins, postgres-secret, postgres-superuser, none of which is deleted/,
    );
    assert.match(ran.output, /\+ 5 to create\n\s+\d+ unchanged/);
  });

  it("leaves every Secret in place while the operator has not looked, and says so", async () => {
    const ran = await deploy(STORED);
    assert.match(
      ran.output,
      /ExternalSecret postgres-secret is not synced since \S+: the External Secrets Operator has not looked at it yet.*The Secret stays as it is/,
    );
    assert.deepEqual(await valuesInForce(), own);
    assert.doesNotMatch(ran.stdout, /^ {4}(password|backupPassphrase)/m);
    assert.match(ran.stdout, /url\s.*"postgresql:\/\/transcript_user@postgres\./);
  });

  it("changes nothing once the store has the same values, and no second time", async () => {
    await synchronise(store);
    assert.deepEqual(await valuesInForce(), own);
    await deploy(STORED, "--expect-no-changes");
    assert.ok(await logsIn(own.owner ?? ""));
  });

  it("has no value of the store in the stack's state", async () => {
    const ran = await pulumi(["stack", "export", "--show-secrets"]);
    assert.equal(ran.status, 0, ran.stderr);
    const types = (JSON.parse(ran.stdout) as { deployment: { resources: { type: string; urn: string }[] } })
      .deployment.resources;
    const secrets = types.filter(({ type }) => type === "kubernetes:core/v1:Secret");
    assert.deepEqual(
      secrets.map(({ urn }) => urn.split("::").at(-1)),
      ["postgres-ca"],
    );
    assert.ok(!ran.stdout.includes(own.owner ?? ""), "the owner's password is in the state");
  });

  it("brings a new password of the store into force, and leaves an open session alone", async () => {
    const session = spawn("kubectl", [
      ...[
        "--kubeconfig",
        theCluster().kubeconfig,
        "exec",
        "-i",
        "-n",
        "transcript-pipeline",
        "postgres-0",
        "--",
      ],
      ...["psql", "-X", "-At", "-U", "transcript_user", "-d", "transcripts_db"],
    ]);
    let answered = "";
    session.stdout.setEncoding("utf8").on("data", (data: string) => (answered += data));
    session.stdin.write("select 'first';\n");
    await until("the session answers", () => answered.includes("first"));
    store.owner = "rotated-in-the-store-0123456789";
    await synchronise(store);
    await until("the new password is in force", () => logsIn(store.owner ?? ""), 300_000, 2000);
    assert.ok(!(await logsIn(own.owner ?? "")), "the old password still works");
    session.stdin.end("select 'second';\n");
    await until("the session still answers", () => answered.includes("second"));
  });

  it("is reported by each preview where a value is missing, in the operator's own words", async () => {
    await synchronise({ ...store, superuser: undefined as unknown as string });
    const ran = await engine("preview", STORED, "--expect-no-changes");
    assert.equal(ran.status, 0, ran.output);
    assert.match(
      ran.output,
      /ExternalSecret postgres-superuser is not synced since 20\S+: could not get secret data from provider: transcript-pipeline\/dev\/superuser\. The Secret stays as it is/,
    );
    await synchronise(store);
  });

  it("takes the Secret of a login along that is removed, which the operator would leave", async () => {
    await deploy({ ...STORED, "database.logins": {} });
    const names = await kubectl("get", "secrets", "-n", "transcript-pipeline", "-o", "name");
    assert.doesNotMatch(names, /postgres-login-app/);
    await deploy(STORED);
    await synchronise(store);
    assert.ok(
      (await secretValue("postgres-login-app", "POSTGRES_PASSWORD")) === own["login-app"],
      "it is another password",
    );
  });

  it("leads back to the stack's own passwords, and nothing writes the store's once more", async () => {
    const ran = await deploy(LOGINS);
    assert.match(ran.output, /a store made the Secrets .*postgres-secret.*: none of them is deleted/);
    assert.deepEqual(await externalSecrets(), []);
    assert.deepEqual(await valuesInForce(), own);
    await until("the own password is in force", () => logsIn(own.owner ?? ""), 300_000, 2000);
    await deploy(LOGINS, "--expect-no-changes");
  });

  it("there and back at once, with nothing in between, is the same", async () => {
    await deploy(STORED);
    await synchronise(store);
    await deploy(LOGINS);
    assert.deepEqual(await externalSecrets(), []);
    assert.deepEqual(await valuesInForce(), own);
    await deploy(LOGINS, "--expect-no-changes");
  });
});
