import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { projectFile } from "../../../../tools/cli.ts";
import { manifestsOf } from "../../../../tools/evaluation/manifests.ts";
import {
  applyCommands,
  refuseMissingSecrets,
  refuseTooLarge,
  renderStack,
  type Rendering,
  writeRendering,
} from "../../../../tools/evaluation/rendering.ts";
import { skip } from "../../../skip.ts";
import { commandsFromCheckout, preparationScript } from "../../../../components/storage/preparation.ts";

describe("render", () => {
  let directory: string;
  let rendering: Rendering;
  before(async () => {
    rendering = await renderStack("prod", projectFile("Pulumi.prod.yaml"));
  });
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "render-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("gives the guide's objects the guide's file names", () => {
    writeRendering(rendering, directory, { secrets: true });
    const files = readdirSync(directory);
    for (const name of [
      "01-postgres-secret",
      "02-postgres-config",
      "04-postgres-pv",
      "06-postgres-statefulset",
      "08-init-db-job",
    ]) {
      assert.ok(files.includes(`${name}.yaml`), name);
    }
  });

  it("never renames a file: people commit them", async () => {
    const stackFile = join(directory, "Pulumi.upgrade.yaml");
    const prod = readFileSync(projectFile("Pulumi.prod.yaml"), "utf8");
    const image = "pgvector/pgvector:0.8.1-pg16-bookworm";
    const section = "  transcript-pipeline:database:\n";
    assert.ok(prod.includes(section));
    writeFileSync(
      stackFile,
      prod.replace(
        section,
        `${section}    image: ${image}\n    upgradeTo: ${image}\n    logins: { a_reader: readonly }\n`,
      ),
    );
    const { files } = await renderStack("prod", stackFile);
    assert.deepEqual(
      files.map(({ file }) => file.replace(".yaml", "")),
      [
        "00-namespace",
        "01-postgres-ca",
        "01-postgres-login-a-reader",
        "01-postgres-logins",
        "01-postgres-secret",
        "01-postgres-superuser",
        "02-check-settings-files",
        "02-check-settings-job",
        "02-check-settings-scripts",
        "02-postgres-ca",
        "02-postgres-config",
        "02-postgres-tls-scripts",
        ...["client-labelled", "database", "default-deny", "init"].map(
          (policy) => `03-postgres-network-${policy}`,
        ),
        "03-postgres-scripts",
        "04-postgres-pv",
        "05-postgres-pvc",
        "06-postgres-statefulset",
        "07-postgres-headless-service",
        "07-postgres-service",
        "08-init-db-bootstrap",
        "08-init-db-job",
        "08-init-db-migrations",
        "08-init-db-scripts",
        "09-upgrade-job",
        "09-upgrade-scripts",
        "09-upgrade-sql",
      ],
    );
  });

  it("has a name for an unforeseen object, whatever other objects there are", () => {
    const options = { protect: false, deleteBeforeReplace: false, dependsOn: [], parents: [] };
    const registered = (kind: string, name: string) => ({
      ...{ type: `kubernetes:example.org/v1:${kind}`, name, options },
      inputs: { apiVersion: "example.org/v1", kind, metadata: { name } },
    });
    const objects = [
      registered("Gadget", "postgres.example"),
      registered("CronJob", "postgres-backup"),
      registered("Secret", "postgres-backup"),
    ];
    const names = [
      "01-postgres-backup.yaml",
      "10-postgres-backup-cronjob.yaml",
      "10-postgres-example-gadget.yaml",
    ];
    assert.deepEqual(
      manifestsOf(objects).map(({ file }) => file),
      names,
    );
    assert.throws(
      () => manifestsOf([...objects, registered("Gadget", "postgres-example")]),
      /Gadget postgres.example and Gadget postgres-example would both be written to 10-postgres-example-gadget\.yaml/,
    );
  });

  it("is applied by commands that delete the existing Jobs first, whichever they are", () => {
    const selector = "app.kubernetes.io/component in (migration,settings)";
    assert.deepEqual(applyCommands(rendering, "out"), [
      `kubectl delete job -n transcript-pipeline -l '${selector}' --ignore-not-found`,
      "kubectl apply -k out",
    ]);
    const backup = rendering.files.map((file) =>
      file.manifest.metadata.name === "postgres-init" && file.manifest.kind === "Job"
        ? {
            ...file,
            manifest: {
              ...file.manifest,
              metadata: { name: "backup", labels: { "app.kubernetes.io/component": "backup" } },
            },
          }
        : file,
    );
    assert.match(applyCommands({ ...rendering, files: backup }, "out")[0] ?? "", /in \(backup,settings\)/);
    assert.deepEqual(applyCommands({ ...rendering, files: [] }, "out"), ["kubectl apply -k out"]);
  });

  it("leaves Secrets out, and says so, unless they are asked for", () => {
    const { notes } = writeRendering(rendering, directory, { secrets: false });
    const texts = readdirSync(directory).map((name) => readFileSync(join(directory, name), "utf8"));
    assert.ok(!texts.some((text) => /^kind: Secret$/m.test(text)));
    assert.ok(!texts.some((text) => /PASSWORD: \S/.test(text)));
    assert.match(
      notes.join("\n"),
      /left out: Secret postgres-ca, postgres-logins, postgres-secret, postgres-superuser; ConfigMap postgres-ca;/,
    );
    writeRendering(rendering, directory, { secrets: true });
    const secret = join(directory, "01-postgres-secret.yaml");
    assert.match(readFileSync(secret, "utf8"), /POSTGRES_PASSWORD: \w{40}/);
    assert.equal(statSync(secret).mode & 0o777, 0o600);
  });

  it("leaves the Secrets of logins out as well, each in a separate file", async () => {
    const stackFile = join(directory, "Pulumi.logins.yaml");
    const prod = readFileSync(projectFile("Pulumi.prod.yaml"), "utf8");
    const section = "  transcript-pipeline:database:\n";
    assert.ok(prod.includes(section));
    writeFileSync(
      stackFile,
      prod.replace(section, `${section}    logins: { report_reader: readonly, worker: readwrite }\n`),
    );
    const withLogins = await renderStack("prod", stackFile);
    const out = join(directory, "out");
    const names = ["01-postgres-login-report-reader", "01-postgres-login-worker", "01-postgres-logins"];
    writeRendering(withLogins, out, { secrets: true });
    for (const name of names) assert.equal(statSync(join(out, `${name}.yaml`)).mode & 0o777, 0o600);
    const passwords = withLogins.files.flatMap(({ manifest }) => {
      const password = (manifest.stringData as Record<string, string> | undefined)?.POSTGRES_PASSWORD;
      return password === undefined ? [] : [password];
    });
    assert.equal(passwords.length, 4);
    writeRendering(withLogins, out, { secrets: false });
    for (const file of readdirSync(out)) {
      assert.ok(!names.includes(file.replace(".yaml", "")), file);
      const text = readFileSync(join(out, file), "utf8");
      for (const password of passwords) assert.ok(!text.includes(password), file);
    }
  });

  it("lists exactly the existing files", () => {
    writeRendering(rendering, directory, { secrets: true });
    writeRendering(rendering, directory, { secrets: false });
    const kustomization = parse(readFileSync(join(directory, "kustomization.yaml"), "utf8")) as {
      resources: string[];
    };
    assert.deepEqual(
      [...kustomization.resources, "kustomization.yaml", "prepare-storage.sh"].sort(),
      readdirSync(directory).sort(),
    );
  });

  it("does not replace somebody else's directory", () => {
    writeFileSync(join(directory, "kustomization.yaml"), "resources: []\n");
    assert.throws(() => writeRendering(rendering, directory, { secrets: false }), /was not made by render/);
    assert.deepEqual(readdirSync(directory), ["kustomization.yaml"]);
  });

  it("does not replace somebody else's script", () => {
    writeFileSync(join(directory, "prepare-storage.sh"), "echo mine\n");
    assert.throws(() => writeRendering(rendering, directory, { secrets: false }), /was not made by render/);
    assert.deepEqual(readdirSync(directory), ["prepare-storage.sh"]);
  });

  it("prints what to type on the node: the script that a connection would run, with its checks", () => {
    const out = join(directory, "out put");
    const { notes } = writeRendering(rendering, out, { secrets: false });
    const typed = notes.join("\n");
    assert.ok(typed.includes(`scp '${out}/prepare-storage.sh' gen8:prepare-storage.sh`), typed);
    assert.match(typed, /ssh -t gen8 sudo sh prepare-storage\.sh$/);
    assert.doesNotMatch(typed, /install -|volume\.identity|initialize\.once/);
    const script = preparationScript({
      path: "/mnt/raid10/transcript-pipeline/pgdata",
      mount: "/mnt/raid10",
      capacity: "100Gi",
      identity: "transcript-pipeline/prod",
    });
    const written = readFileSync(join(out, "prepare-storage.sh"), "utf8");
    assert.ok(written.endsWith(script));
    assert.match(written.slice(0, -script.length), /^(#.*\n)+$/);
  });

  it("has a script for the directory of each repository, named in what to type, and removes it with the repository", async () => {
    const stackFile = join(directory, "Pulumi.directories.yaml");
    const prod = readFileSync(projectFile("Pulumi.prod.yaml"), "utf8");
    writeFileSync(
      stackFile,
      `${prod}
  transcript-pipeline:backup:
    repositories:
      disk: { kind: directory, path: /mnt/backup/postgres, mount: /mnt/backup, capacity: 2Ti }
      near: { kind: volume }
`,
    );
    const out = join(directory, "out");
    const withDisk = await renderStack("prod", stackFile);
    const { notes } = writeRendering(withDisk, out, { secrets: false });
    const typed = notes.join("\n");
    assert.ok(typed.includes(`scp ${out}/prepare-backup-disk.sh gen8:prepare-backup-disk.sh`), typed);
    assert.match(
      typed,
      /ssh -t gen8 sudo sh prepare-storage\.sh\n[^]*ssh -t gen8 sudo sh prepare-backup-disk\.sh$/,
    );
    const written = readFileSync(join(out, "prepare-backup-disk.sh"), "utf8");
    for (const line of [
      "path=/mnt/backup/postgres",
      "mount=/mnt/backup",
      `capacity=${2 * 2 ** 40}`,
      "identity=transcript-pipeline/prod.backup-disk",
      "stack=prod",
      "section=backup.repositories.disk",
      "holds=repository",
    ])
      assert.ok(
        written.split("\n").some((its) => its.replaceAll("'", "") === line),
        line,
      );

    writeFileSync(join(out, "prepare-mine.sh"), "echo mine\n");
    writeRendering(rendering, out, { secrets: false });
    const left = readdirSync(out).filter((name) => name.startsWith("prepare-"));
    assert.deepEqual(left.sort(), ["prepare-mine.sh", "prepare-storage.sh"]);
  });

  it("is what a deployment without a connection has people type, with the stack's file if it is another", () => {
    const [first, ...rest] = commandsFromCheckout("dev", "gen8", "/home/an na/Pulumi.dev.yaml", [
      "prepare-storage.sh",
      "prepare-backup-nas.sh",
    ]);
    assert.equal(first, "npm run render -- --stack dev --config-file '/home/an na/Pulumi.dev.yaml'");
    assert.equal(rest[0], "scp rendered/dev/prepare-storage.sh gen8:prepare-storage.sh");
    assert.equal(rest[2], "scp rendered/dev/prepare-backup-nas.sh gen8:prepare-backup-nas.sh");
    assert.equal(commandsFromCheckout("prod", "gen8", undefined, [])[0], "npm run render -- --stack prod");
  });

  describe("into a directory that others can write to", () => {
    let victim: string;
    let out: string;
    beforeEach(() => {
      victim = join(directory, "victim");
      out = join(directory, "shared");
      writeFileSync(victim, "precious\n");
      mkdirSync(out);
      chmodSync(out, 0o777);
    });
    const refuses = (says: RegExp) => {
      const before = readdirSync(out).sort();
      assert.throws(() => writeRendering(rendering, out, { secrets: true }), says);
      assert.equal(readFileSync(victim, "utf8"), "precious\n");
      assert.deepEqual(readdirSync(out).sort(), before);
    };

    for (const name of ["01-postgres-secret.yaml", "06-postgres-statefulset.yaml", "prepare-storage.sh"]) {
      it(`does not write through a link in place of ${name}`, () => {
        symlinkSync(victim, join(out, name));
        refuses(
          new RegExp(`shared/${name} is a symbolic link, and render does not write through it: remove it`),
        );
      });
    }

    it("does not write through a link in place of kustomization.yaml, whatever it leads to", () => {
      symlinkSync(victim, join(out, "kustomization.yaml"));
      refuses(/kustomization\.yaml is a symbolic link/);
      rmSync(join(out, "kustomization.yaml"));
      symlinkSync(join(directory, "not-there"), join(out, "kustomization.yaml"));
      refuses(/kustomization\.yaml is a symbolic link/);
      assert.ok(!existsSync(join(directory, "not-there")));
    });

    it("does not write through a link in place of a temporary file", () => {
      symlinkSync(victim, join(out, "kustomization.yaml.new"));
      writeRendering(rendering, out, { secrets: true });
      assert.equal(readFileSync(victim, "utf8"), "precious\n");
    });

    it("removes nothing but files", () => {
      mkdirSync(join(out, "05-postgres-pvc.yaml"));
      refuses(/05-postgres-pvc\.yaml is not a regular file/);
    });

    it("gives a Secret a new file, not one that somebody else has open", () => {
      writeRendering(rendering, out, { secrets: true });
      const secret = join(out, "01-postgres-secret.yaml");
      chmodSync(secret, 0o666);
      const inode = statSync(secret).ino;
      writeRendering(rendering, out, { secrets: true });
      assert.notEqual(statSync(secret).ino, inode);
      assert.equal(statSync(secret).mode & 0o777, 0o600);
    });

    it("follows the user's own link to the directory, and not somebody else's", function () {
      symlinkSync(out, join(directory, "link"));
      writeRendering(rendering, join(directory, "link"), { secrets: false });
      assert.ok(existsSync(join(out, "kustomization.yaml")));
      if (process.getuid?.() !== 0) skip(this, "only root can give files to another user");
      lchownSync(join(directory, "link"), 65534, 65534);
      rmSync(out, { recursive: true });
      mkdirSync(out);
      for (const path of ["link", "link/below"])
        assert.throws(
          () => writeRendering(rendering, join(directory, path), { secrets: false }),
          /link is a symbolic link of another user \(uid 65534\)/,
        );
      assert.deepEqual(readdirSync(out), []);
    });

    it("leaves nothing half-written when it fails", () => {
      const broken = { ...rendering, files: rendering.files.map((file) => ({ ...file })) };
      const last = broken.files.at(-1);
      assert.ok(last);
      last.file = "99-no/such.yaml";
      assert.throws(() => writeRendering(broken, out, { secrets: true }), /is not the name of a file/);
      assert.deepEqual(readdirSync(out), []);
    });
  });
});

describe("a rendering", () => {
  const rendering = (undecrypted: string[], text: string): Rendering => ({
    stack: "prod",
    directories: [],
    undecrypted,
    generated: { values: [], parts: new Map() },
    warnings: [],
    files: [
      {
        file: "02-a.yaml",
        manifest: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data: { text } },
      },
    ],
  });

  it("with Secrets is refused if a passphrase is missing, naming what could not be decrypted", () => {
    assert.throws(
      () => refuseMissingSecrets(rendering(["transcript-pipeline:secrets.databasePassword"], "")),
      /secrets\.databasePassword\n.*Set PULUMI_CONFIG_PASSPHRASE/,
    );
    assert.doesNotThrow(() => refuseMissingSecrets(rendering([], "")));
  });

  it("that kubectl could not apply is refused before a file is written, escapes counted", () => {
    for (const text of ["x".repeat(262_144), "<".repeat(50_000)])
      assert.throws(
        () => refuseTooLarge(rendering([], text)),
        /ConfigMap a takes \d+ bytes.*allows 262144.*pulumi up/,
      );
    assert.doesNotThrow(() => refuseTooLarge(rendering([], "x".repeat(261_500))));
  });
});
