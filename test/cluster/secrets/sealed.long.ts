import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withFields } from "../../../tools/stack-file/editing.ts";
import { Checkout, STACK } from "../checkout.ts";
import {
  inPod,
  kubectl,
  needsEngine,
  type Ran,
  secretValue,
  shell,
  takeRoom,
  until,
  vacate,
} from "../support.ts";
import {
  apply,
  certificate,
  removeController,
  startController,
  synced,
  untilSynced,
} from "./sealed-secrets.ts";

const NAMESPACE = "transcript-pipeline";

describe("Sealed Secrets, rendered and applied with kubectl", function () {
  this.timeout(600_000);
  // The checkout has one; nothing here uses it.
  needsEngine();
  let checkout: Checkout;
  let binaries: string;

  before(async function () {
    this.timeout(20 * 60_000);
    await takeRoom(async () => {
      await shell(`kubectl delete namespace ${NAMESPACE} media --ignore-not-found`);
      await shell("kubectl delete pv postgres-pv --ignore-not-found");
      checkout?.remove();
    });
    binaries = await startController();
    checkout = new Checkout();
    writeFileSync(join(checkout.directory, "sealing.pem"), await certificate());
  });
  after(async function () {
    this.timeout(300_000);
    await removeController();
    await vacate();
  });

  const render = (more = ""): Promise<Ran> =>
    checkout.succeed(`npm run --silent render -- --stack "$STACK" --seal sealing.pem ${more}`);
  const applied = () => checkout.succeed(`kubectl apply -k "rendered/$STACK"`);
  /** Texts of a folder, by file. */
  const texts = (folder: string): Record<string, string> =>
    Object.fromEntries(
      readdirSync(join(checkout.directory, folder))
        .sort()
        .map((file) => [file, readFileSync(join(checkout.directory, folder, file), "utf8")]),
    );
  const sealedNames = () => Object.keys(texts(`sealed/${STACK}`)).map((file) => file.replace(".json", ""));
  const pod = () =>
    kubectl(
      ...["get", "pod", "postgres-0", "-n", NAMESPACE],
      ...["-o", "jsonpath={.metadata.uid} {.status.containerStatuses[*].restartCount}"],
    );
  const logsIn = async (user: string, password: string): Promise<boolean> => {
    const line = `read -r PGPASSWORD; export PGPASSWORD; psql -w -h 127.0.0.1 -U ${user} -d transcripts_db -c ''`;
    return (await inPod(["bash", "-c", line], `${password}\n`)).status === 0;
  };

  it("asks the cluster which values are in force, and makes up none if it does not answer", async () => {
    writeFileSync(
      join(checkout.directory, "nowhere.yaml"),
      withFields(readFileSync(join(checkout.directory, `Pulumi.${STACK}.yaml`), "utf8"), {
        cluster: { context: "old", kubeconfig: join(checkout.directory, "none") },
      }),
    );
    const refused = await checkout.run(
      `npm run --silent render -- --stack "$STACK" --seal sealing.pem --config-file nowhere.yaml`,
    );
    assert.equal(refused.status, 1, refused.output);
    assert.match(refused.stderr, /the cluster could not be asked which values are in force: .* add --new/);
    assert.throws(() => sealedNames(), /ENOENT/);
  });

  it("bring a new stack up, which can be logged into, without any Secret among the files", async () => {
    const { output } = await render("--new");
    assert.match(output, /secretStore\.source is pulumi, so pulumi up does not use what is sealed/);
    const files = texts(`rendered/${STACK}`);
    assert.deepEqual(
      Object.values(files).filter((text) => /^kind: Secret$/m.test(text)),
      [],
    );
    await checkout.succeed(`sh "rendered/$STACK/prepare-storage.sh"`);
    await applied();
    await untilSynced(...sealedNames());
    await kubectl(
      ...["wait", "job/postgres-init", "-n", NAMESPACE, "--for=condition=complete", "--timeout=540s"],
    );
    const password = await secretValue("postgres-secret", "POSTGRES_PASSWORD");
    assert.match(password, /^[A-Za-z0-9]{40}$/);
    assert.ok(await logsIn("transcript_user", password));
    assert.ok(!(await logsIn("transcript_user", `${password}x`)));
    const everything = JSON.stringify([files, texts(`sealed/${STACK}`)]);
    for (const name of sealedNames()) {
      const { data } = JSON.parse(await kubectl("get", "secret", name, "-n", NAMESPACE, "-o", "json")) as {
        data: Record<string, string>;
      };
      for (const key of Object.keys(data).filter((one) => /PASSWORD|\.key$|conf$/.test(one))) {
        const value = Buffer.from(data[key] ?? "", "base64").toString();
        assert.ok(!everything.includes(value) && !everything.includes(data[key] ?? ""), `${name} ${key}`);
      }
    }
  });

  it("are what kubeseal takes for its own", async () => {
    const controller = ["--controller-namespace=kube-system", "--controller-name=sealed-secrets-controller"];
    for (const name of sealedNames())
      await checkout.succeed(
        `${join(binaries, "kubeseal")} --validate ${controller.join(" ")} <"sealed/$STACK/${name}.json"`,
      );
    // The control: the same under another name.
    const renamed = await checkout.run(
      `sed 's/"name": "postgres-secret"/"name": "postgres-other"/' "sealed/$STACK/postgres-secret.json" | ${join(binaries, "kubeseal")} --validate ${controller.join(" ")}`,
    );
    assert.notEqual(renamed.status, 0);
  });

  it("do not change when they are rendered again", async () => {
    const before_ = [texts(`rendered/${STACK}`), texts(`sealed/${STACK}`)];
    const { output } = await render();
    assert.match(output, /0 texts sealed, 3 kept/);
    assert.deepEqual([texts(`rendered/${STACK}`), texts(`sealed/${STACK}`)], before_);
    const ran = await applied();
    assert.doesNotMatch(ran.output, /configured|created/);
  });

  it("take a new login without the others' passwords", async () => {
    const file = join(checkout.directory, `Pulumi.${STACK}.yaml`);
    writeFileSync(
      file,
      withFields(readFileSync(file, "utf8"), { database: { logins: { reader: "readonly" } } }),
    );
    const before_ = texts(`sealed/${STACK}`);
    const { output } = await render();
    assert.match(output, /2 texts sealed/);
    const after_ = texts(`sealed/${STACK}`);
    assert.deepEqual(
      Object.keys(after_).filter((name) => after_[name] !== before_[name]),
      ["postgres-login-reader.json", "postgres-logins.json"],
    );
    await applied();
    await untilSynced(...sealedNames());
    const password = await secretValue("postgres-login-reader", "POSTGRES_PASSWORD");
    await until("reader logs in", () => logsIn("reader", password));
  });

  it("rotate a login with --reseal, without a restart", async () => {
    const running = await pod();
    const [first, owner] = [
      await secretValue("postgres-login-reader", "POSTGRES_PASSWORD"),
      await secretValue("postgres-secret", "POSTGRES_PASSWORD"),
    ];
    await render("--reseal login-reader");
    await applied();
    await untilSynced(...sealedNames());
    const password = await secretValue("postgres-login-reader", "POSTGRES_PASSWORD");
    assert.notEqual(password, first);
    await until("reader logs in with the new password", () => logsIn("reader", password));
    assert.ok(!(await logsIn("reader", first)));
    assert.ok(await logsIn("transcript_user", owner));
    assert.equal(await pod(), running);
  });

  it("open in no other namespace", async () => {
    const object = JSON.parse(texts(`sealed/${STACK}`)["postgres-superuser.json"] ?? "") as {
      metadata: { namespace: string };
    };
    object.metadata.namespace = "media";
    await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "media" } }, object);
    await until(
      "the controller refuses it",
      async () => (await synced("postgres-superuser", "media")).status === "False",
      60_000,
    );
    assert.match((await synced("postgres-superuser", "media")).message, /no key could decrypt secret/);
    assert.equal(await kubectl("get", "secrets", "-n", "media", "-o", "name"), "");
    // The control: where it was sealed for.
    assert.equal((await synced("postgres-superuser")).status, "True");
  });
});
