import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configText, readStackDocument } from "../../../../tools/stack-file/document.ts";
import { readStackFile } from "../../../../tools/stack-file/stack-file.ts";
import { ownReading, readRecordings, stackFiles } from "../../../stack-files/reading.ts";

const read = (text: string) =>
  Object.fromEntries(
    [...readStackDocument(Buffer.from(text), "transcript-pipeline").config].map(([key, value]) => [
      key,
      configText(value),
    ]),
  );

describe("a stack's file", () => {
  const { engine, readings } = readRecordings();
  const files = stackFiles();

  it(`has 200 examples and more, each with what Pulumi ${engine} made of it (npm run stack-files)`, () => {
    assert.ok(files.length >= 200, `${files.length} files`);
    assert.deepEqual(Object.keys(readings), files, "record again: npm run stack-files -- --record");
  });

  for (const name of files) {
    it(`is read as the engine reads ${name}`, () => {
      const engineReading = readings[name];
      const own = ownReading(name);
      assert.ok(engineReading);
      if ("refused" in engineReading)
        assert.ok(
          "refused" in own,
          `the engine refuses it: ${engineReading.refused}; read ${JSON.stringify(own)}`,
        );
      else assert.deepEqual(own, engineReading);
    });
  }

  it("is not read if the engine takes either of two values", () => {
    assert.throws(
      () => read("config:\n  node: {a: 1}\n  transcript-pipeline:node: {a: 2}\n"),
      /transcript-pipeline:node twice: with and without its namespace/,
    );
  });

  it("is not read without the values of an environment of Pulumi ESC, which are elsewhere", () => {
    assert.throws(() => read("environment: [prod]\nconfig: {}\n"), /Pulumi ESC.*Write the values themselves/);
  });

  it("is not read if it is not UTF-8, or has characters that readers interpret differently", () => {
    assert.throws(() => readStackDocument(Buffer.from([0x63, 0xff, 0x3a]), "p"), /is not UTF-8/);
    assert.throws(() => read("config: {a: x\u2028y}\n"), /U\+2028, which must be written with an escape/);
  });

  it("ends the reading of one that grows by its aliases", () => {
    let text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (let level = 1; level < 9; level++)
      text += `a${level}: &a${level} [${Array(10)
        .fill(`*a${level - 1}`)
        .join(", ")}]\n`;
    assert.throws(() => read(text), /excessive aliasing/);
  });

  it("reads a repository whose keys cannot be decrypted: it can be rendered, without Secrets", () => {
    const directory = mkdtempSync(join(tmpdir(), "stack-file-"));
    try {
      const path = join(directory, "Pulumi.x.yaml");
      writeFileSync(
        path,
        "config:\n  secrets: {backupPassphrase: {secure: v1:a:b}, repositories: {cloud: {secretKey: {secure: v1:a:b}}}}\n",
      );
      const { config, undecrypted, plainSecrets } = readStackFile(path);
      assert.deepEqual(plainSecrets, []);
      assert.deepEqual(undecrypted, [
        "transcript-pipeline:secrets.backupPassphrase",
        "transcript-pipeline:secrets.repositories.cloud.secretKey",
      ]);
      const read = JSON.parse(config["transcript-pipeline:secrets"] ?? "") as unknown;
      assert.deepEqual(read, { repositories: { cloud: { secretKey: "not-decrypted" } } });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("says which file it is about, and which of its secrets are in plain text", () => {
    const directory = mkdtempSync(join(tmpdir(), "stack-file-"));
    try {
      const path = join(directory, "Pulumi.x.yaml");
      writeFileSync(
        path,
        "config:\n  secrets: {databasePassword: hunter2hunter2, sshPrivateKey: {secure: v1:a:b}}\n",
      );
      assert.deepEqual(readStackFile(path).plainSecrets, ["secrets.databasePassword"]);
      writeFileSync(
        path,
        "config:\n  secrets: {repositories: {cloud: {accessKey: {secure: v1:a:b}, secretKey: hunter2hunter2}}}\n",
      );
      assert.deepEqual(readStackFile(path).plainSecrets, ["secrets.repositories.cloud.secretKey"]);
      writeFileSync(path, "config: [\n");
      assert.throws(() => readStackFile(path), new RegExp(`^Error: ${path}: invalid YAML file`));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("is complete without its passphrase: what the configuration requires has a placeholder, and is named", () => {
    const directory = mkdtempSync(join(tmpdir(), "stack-file-"));
    const passphrase = process.env.PULUMI_CONFIG_PASSPHRASE;
    delete process.env.PULUMI_CONFIG_PASSPHRASE;
    try {
      const path = join(directory, "Pulumi.x.yaml");
      writeFileSync(
        path,
        "config:\n  secrets: {databasePassword: {secure: v1:a:b}, repositories: {cloud: {accessKey: {secure: v1:a:b}}}}\n",
      );
      const { config, undecrypted } = readStackFile(path);
      assert.deepEqual(JSON.parse(config["transcript-pipeline:secrets"] ?? ""), {
        repositories: { cloud: { accessKey: "not-decrypted" } },
      });
      assert.deepEqual(undecrypted, [
        "transcript-pipeline:secrets.databasePassword",
        "transcript-pipeline:secrets.repositories.cloud.accessKey",
      ]);
    } finally {
      if (passphrase !== undefined) process.env.PULUMI_CONFIG_PASSPHRASE = passphrase;
      rmSync(directory, { recursive: true });
    }
  });
});
