import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../../../tools/cli.ts";
import { sealStack, type SealingOptions } from "../../../../tools/sealing/seal-stack.ts";
import { renderStack, type Rendering } from "../../../../tools/evaluation/rendering.ts";
import { withFields } from "../../../../tools/stack-file/editing.ts";
import { made } from "./certificates.ts";
import { opened } from "./opened.ts";

type Fields = Parameters<typeof withFields>[1];
interface Sealed {
  metadata: { name: string; namespace: string };
  spec: { encryptedData: Record<string, string>; template: { data?: Record<string, string> } };
}

describe("a stack that is sealed", function () {
  this.timeout(120_000);
  const { certificate, key } = made("rsa:3072", { to: "20990101000000Z" });
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "seal-stack-"));
    writeFileSync(join(folder, "sealing.pem"), certificate);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** The stack's configuration, with what is sealed in the test's own folder. */
  function configFile(fields: Fields = {}): string {
    const text = withFields(readFileSync(projectFile("Pulumi.dev.yaml"), "utf8"), {
      node: { hostname: "n1", requireGpu: false },
      secretStore: { source: "sealed-secrets", directory: join(folder, "sealed") },
      ...fields,
    });
    const file = join(folder, "Pulumi.dev.yaml");
    writeFileSync(file, text);
    return file;
  }
  const seal = (file: string, options: Partial<SealingOptions> = {}) =>
    sealStack("dev", file, {
      certificate: join(folder, "sealing.pem"),
      reseal: [],
      isNew: true,
      ...options,
    });
  const find = (rendering: Rendering, kind: string, name: string): Sealed => {
    const found = rendering.files.find(
      ({ manifest }) => manifest.kind === kind && manifest.metadata.name === name,
    );
    return (found?.manifest ?? assert.fail(`${kind} ${name}`)) as unknown as Sealed;
  };
  const valueOf = (rendering: Rendering, name: string, secretKey: string): string => {
    const { metadata, spec } = find(rendering, "SealedSecret", name);
    return opened(spec.encryptedData[secretKey] ?? "", metadata, key);
  };

  it("has no Secret, and is what the program deploys with what is sealed, time and again", async () => {
    const file = configFile({ database: { logins: { alice: "readonly" } } });
    const { rendering } = await seal(file);
    assert.deepEqual(
      rendering.files.filter(({ manifest }) => manifest.kind === "Secret"),
      [],
    );
    assert.match(valueOf(rendering, "postgres-secret", "POSTGRES_PASSWORD"), /^[A-Za-z0-9]{40}$/);
    assert.equal(
      valueOf(rendering, "postgres-logins", "readonly.alice"),
      valueOf(rendering, "postgres-login-alice", "POSTGRES_PASSWORD"),
    );
    // Each evaluation makes up another authority.
    const trusted = find(rendering, "ConfigMap", "postgres-ca") as unknown as {
      data: Record<string, string>;
    };
    assert.equal(
      trusted.data["ca.crt"],
      find(rendering, "SealedSecret", "postgres-ca").spec.template.data?.["ca.crt"],
    );
    assert.deepEqual((await seal(file)).rendering.files, rendering.files);
    assert.deepEqual((await renderStack("dev", file)).files, rendering.files);
  });

  it("takes values by hand, and names those that nobody can make up", async () => {
    const cloud = { kind: "s3", endpoint: "s3.example", bucket: "backups", region: "r" };
    const file = configFile({ backup: { repositories: { cloud } } });
    await assert.rejects(seal(file), /backup-cloud-access-key has no value: .* add: --values <file>/);
    const values = join(folder, "keys.yaml");
    writeFileSync(values, 'backup-cloud-access-key: "0042"\nbackup-cloud-secret-key: s3cr3t\n');
    const { rendering, notes } = await seal(file, { values });
    assert.match(
      valueOf(rendering, "postgres-backup", "repo1-keys.conf"),
      /repo1-s3-key=0042\nrepo1-s3-key-secret=s3cr3t\n/,
    );
    assert.match(notes.join("\n"), /backup-passphrase is new: without it nobody can read the backups/);
    writeFileSync(values, "backup-cloud-access-key: 42\n");
    await assert.rejects(
      seal(file, { values, reseal: ["backup-cloud-access-key"] }),
      /is not a text\. Write it in quotes/,
    );
  });

  it("has one authority: the key of a second one would be lost", async () => {
    const file = configFile({ tls: { authorities: ["1", "2"] } });
    await assert.rejects(
      seal(file),
      /tls\.authorities: has 2 names, and an authority whose key is sealed is the only one/,
    );
  });
});
