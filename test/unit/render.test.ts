import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { projectFile } from "../../tools/cli.ts";
import { renderStack, type Rendering, writeRendering } from "../../tools/rendering.ts";

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

  it("has a name of its own for every object", () => {
    for (const { file } of rendering.files) assert.doesNotMatch(file, /^50-/);
  });

  it("leaves Secrets out, and says so, unless they are asked for", () => {
    const { notes } = writeRendering(rendering, directory, { secrets: false });
    const texts = readdirSync(directory).map((name) => readFileSync(join(directory, name), "utf8"));
    assert.ok(!texts.some((text) => /^kind: Secret$/m.test(text)));
    assert.ok(!texts.some((text) => /PASSWORD: \S/.test(text)));
    assert.match(notes.join("\n"), /left out: Secret postgres-logins, postgres-secret, postgres-superuser;/);
    writeRendering(rendering, directory, { secrets: true });
    const secret = join(directory, "01-postgres-secret.yaml");
    assert.match(readFileSync(secret, "utf8"), /POSTGRES_PASSWORD: \w{40}/);
    assert.equal(statSync(secret).mode & 0o777, 0o600);
  });

  it("leaves the Secrets of logins out as well, each in a file of its own", async () => {
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

  it("lists exactly the files there are", () => {
    writeRendering(rendering, directory, { secrets: true });
    writeRendering(rendering, directory, { secrets: false });
    const kustomization = parse(readFileSync(join(directory, "kustomization.yaml"), "utf8")) as {
      resources: string[];
    };
    assert.deepEqual(
      [...kustomization.resources, "kustomization.yaml"].sort(),
      readdirSync(directory).sort(),
    );
  });

  it("does not replace a directory of somebody else", () => {
    writeFileSync(join(directory, "kustomization.yaml"), "resources: []\n");
    assert.throws(() => writeRendering(rendering, directory, { secrets: false }), /was not made by render/);
    assert.deepEqual(readdirSync(directory), ["kustomization.yaml"]);
  });

  it("prints what to type on the node", () => {
    const { notes } = writeRendering(rendering, directory, { secrets: false });
    assert.match(
      notes.join("\n"),
      /install -d -o 999 -g 999 -m 0700 \/mnt\/raid10\/transcript-pipeline\/pgdata/,
    );
  });
});
