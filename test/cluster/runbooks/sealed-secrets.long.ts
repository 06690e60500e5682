import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CONTROLLER } from "../../../tools/local-cluster/sealed-secrets.ts";
import { kubectl, until } from "../support.ts";
import {
  removeController,
  restartController,
  startController,
  synced,
  untilSynced,
} from "../secrets/sealed-secrets.ts";
import { watchSecrets } from "../secrets/watch.ts";
import { findEveryRow, follow, get, logIn, onProd, password, prod, server, untilLogsIn } from "./prod.ts";

const NAMESPACE = "transcript-pipeline";
const STATE_OF_PODS =
  'jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.status.containerStatuses[*].restartCount}{"\\n"}{end}';

describe("docs/sealed-secrets.md", function () {
  this.timeout(600_000);
  onProd();

  before(async function () {
    this.timeout(20 * 60_000);
    await startController();
  });
  after(async function () {
    this.timeout(300_000);
    await removeController();
  });

  const decoded = async (secret: string, key: string) =>
    Buffer.from(await get(`secret ${secret}`, `jsonpath={.data.${key}}`), "base64").toString();
  const pods = () => get("pods -l app=postgres", STATE_OF_PODS);
  const sealedNames = () =>
    readdirSync(join(prod().checkout.directory, "sealed/prod")).map((file) => file.replace(".json", ""));
  let first: string;

  it("switches to it with the same passwords, no moment without a Secret, and no restart", async () => {
    first = await password();
    const running = await server();
    const before_ = await pods();
    const watch = await watchSecrets(NAMESPACE);
    const output = await follow("seal-secrets");
    assert.match(output, /the controller takes over the Secrets .*postgres-secret.*none of which is deleted/);
    await untilSynced(...sealedNames());
    const seen = watch.end();
    assert.deepEqual(seen.gaps, []);
    // The control: it saw what the controller wrote.
    assert.ok(seen.changes.includes("postgres-secret"), seen.changes.join());
    assert.ok((await decoded("postgres-secret", "POSTGRES_PASSWORD")) === first, "it is another password");
    await logIn("transcript_user", first);
    assert.equal(await pods(), before_);
    assert.equal(await server(), running);
    // Forgets what it has let go of.
    const again = await prod().checkout.succeed('pulumi up --stack "$STACK"');
    assert.doesNotMatch(again.output, /\d+ (updated|replaced|deleted|created)/);
    await prod().checkout.succeed('pulumi preview --expect-no-changes --stack "$STACK"');
    const outputs = await prod().checkout.succeed('pulumi stack output --stack "$STACK" --json');
    assert.doesNotMatch(outputs.stdout, /"password"/);
    await findEveryRow();
  });

  it("adds a login without touching the others, and gives it another password without a restart", async () => {
    const running = await server();
    const added = await follow("seal-login");
    assert.match(added, /2 texts sealed, \d+ kept/);
    await untilSynced("postgres-logins", "postgres-login-worker");
    const secret = await decoded("postgres-login-worker", "POSTGRES_PASSWORD");
    await untilLogsIn("worker", secret);
    assert.ok((await decoded("postgres-secret", "POSTGRES_PASSWORD")) === first, "it is another password");

    await follow("reseal-login");
    await until(
      "the Secret has another password",
      async () => (await decoded("postgres-login-worker", "POSTGRES_PASSWORD")) !== secret,
    );
    await untilLogsIn("worker", await decoded("postgres-login-worker", "POSTGRES_PASSWORD"));
    await assert.rejects(logIn("worker", secret));
    assert.equal(await server(), running);
  });

  it("names what was sealed for another namespace, in the controller's words, and keeps the Secret", async () => {
    const { checkout } = prod();
    // As if the file of another stack had been copied: sealed for the same name elsewhere.
    await checkout.succeed(
      `cp sealed/prod/postgres-superuser.json ../kept.json
       cp Pulumi.prod.yaml ../kept.yaml
       mkdir -p ../foreign && cp sealed/prod/*.json ../foreign/
       node --input-type=module -e '
         import { readFileSync, writeFileSync } from "node:fs";
         import { readSealingCertificate } from "./tools/sealing/certificate.ts";
         import { sealed } from "./tools/sealing/sealing.ts";
         const file = "sealed/prod/postgres-superuser.json";
         const object = JSON.parse(readFileSync(file, "utf8"));
         const { publicKey } = readSealingCertificate("sealing.pem");
         const elsewhere = { namespace: "media", name: "postgres-superuser" };
         object.spec.encryptedData.POSTGRES_PASSWORD = sealed("stolen", elsewhere, publicKey);
         writeFileSync(file, JSON.stringify(object));'`,
    );
    const before_ = await decoded("postgres-superuser", "POSTGRES_PASSWORD");
    const up = await checkout.succeed('pulumi up --stack "$STACK"');
    const words =
      /SealedSecret postgres-superuser is not opened since \S+: no key could decrypt secret \(POSTGRES_PASSWORD\)\. The Secret stays as it is\. It is sealed for another name/;
    assert.match(up.output, words);
    const preview = await checkout.succeed('pulumi preview --stack "$STACK"');
    assert.match(preview.output, words);
    assert.ok(
      (await decoded("postgres-superuser", "POSTGRES_PASSWORD")) === before_,
      "it is another password",
    );
    assert.equal((await synced("postgres-superuser")).status, "False");
    await checkout.succeed('cp ../kept.json sealed/prod/postgres-superuser.json; pulumi up --stack "$STACK"');
    await untilSynced("postgres-superuser");
    const healed = await checkout.succeed('pulumi preview --stack "$STACK"');
    assert.doesNotMatch(healed.output, /is not opened/);
  });

  it("goes on after a restart of the controller", async () => {
    await restartController();
    await untilSynced(...sealedNames());
    assert.ok((await decoded("postgres-secret", "POSTGRES_PASSWORD")) === first, "it is another password");
  });

  it("The sealing key is lost: what is in force is sealed again, and nobody's password changes", async () => {
    const running = await server();
    const worker = await decoded("postgres-login-worker", "POSTGRES_PASSWORD");
    await kubectl("delete", "secrets", "-n", CONTROLLER.namespace, "-l", CONTROLLER.keys);
    await restartController();
    await until("the controller cannot open it", async () =>
      (await synced("postgres-secret")).message.includes("no key could decrypt"),
    );
    const preview = await prod().checkout.succeed('pulumi preview --stack "$STACK"');
    assert.match(preview.output, /SealedSecret postgres-secret is not opened .* no key could decrypt secret/);
    await logIn("transcript_user", first);

    const output = await follow("sealing-key-lost");
    assert.doesNotMatch(output, /made up/);
    await untilSynced(...sealedNames());
    assert.ok((await decoded("postgres-secret", "POSTGRES_PASSWORD")) === first, "it is another password");
    assert.ok(
      (await decoded("postgres-login-worker", "POSTGRES_PASSWORD")) === worker,
      "it is another password",
    );
    await logIn("worker", worker);
    assert.equal(await server(), running);
  });

  it("switches back, with the passwords of before, no moment without a Secret, and no restart", async () => {
    const running = await server();
    const before_ = await pods();
    const watch = await watchSecrets(NAMESPACE);
    const output = await follow("unseal-secrets");
    assert.match(output, /the Secrets .*postgres-secret.* were sealed: none of them is deleted/);
    const seen = watch.end();
    assert.deepEqual(seen.gaps, []);
    assert.ok(seen.changes.includes("postgres-secret"), seen.changes.join());
    assert.equal(await password(), first);
    assert.ok((await decoded("postgres-secret", "POSTGRES_PASSWORD")) === first, "it is another password");
    assert.equal(await get("sealedsecrets", "jsonpath={.items[*].metadata.name}"), "");
    // Only the form of before, or a login that is removed later would come back.
    const keys = JSON.parse(await get("secret postgres-logins", "jsonpath={.data}")) as object;
    assert.deepEqual(Object.keys(keys), ["credentials"]);
    await untilLogsIn("worker", await decoded("postgres-login-worker", "POSTGRES_PASSWORD"));
    await restartController();
    assert.ok((await decoded("postgres-secret", "POSTGRES_PASSWORD")) === first, "it is another password");
    assert.equal(await pods(), before_);
    assert.equal(await server(), running);
    await prod().checkout.succeed(
      'pulumi config rm --path database.logins.worker --stack "$STACK"; pulumi up --stack "$STACK"',
    );
    await findEveryRow();
    rmSync(join(prod().checkout.directory, "sealed"), { recursive: true });
  });

  it("a cluster without the controller is refused before anything is changed", async () => {
    await removeController();
    const { checkout } = prod();
    await checkout.succeed('pulumi config set --path secretStore.source sealed-secrets --stack "$STACK"');
    const refused = await checkout.run('pulumi up --stack "$STACK"');
    await checkout.succeed('pulumi config rm --path secretStore.source --stack "$STACK"');
    assert.notEqual(refused.status, 0);
    assert.match(
      refused.output,
      /secretStore\.source: is sealed-secrets, but the cluster does not have the Sealed Secrets controller\. Install version 0\.22 or later: helm/,
    );
    assert.ok((await decoded("postgres-secret", "POSTGRES_PASSWORD")) === first, "it is another password");
  });
});
