import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { isKeyOfForm, LOGINS_KEY, loginsTexts } from "../../../../components/credentials/logins.ts";
import type { Leaf, Text } from "../../../../components/secrets/description.ts";
import { readSealed } from "../../../../components/secrets/sealed-folder.ts";
import { readableText, sealedSecretOf } from "../../../../components/secrets/sealed-secret.ts";
import { objectionToSealed } from "../../../../components/secrets/sealed-source.ts";
import { namedTexts } from "../../../../components/secrets/unsealed-secret.ts";
import { writeSealed } from "../../../../tools/sealing/folder.ts";

const namespace = "transcript-pipeline";
const labels = { a: "b" };
const owner: Leaf = { leaf: "owner", value: undefined };
const texts: Record<string, Text> = { USER: ["u"], PASSWORD: [owner] };
const secret = { name: "postgres-secret", namespace, labels, texts };
const object = sealedSecretOf(secret, namedTexts(texts), { PASSWORD: "Ag" }, { USER: "u" });

describe("what is sealed, against what the program needs", () => {
  const objection = (changes: object, objects = new Map([["postgres-secret", object]])) =>
    objectionToSealed({ ...secret, ...changes }, { directory: "sealed/prod", stack: "prod", objects });
  const COMMAND = "npm run render -- --stack prod --seal <certificate>";

  it("is nothing to object to when the texts are the same, whatever their order", () => {
    assert.equal(objection({}), undefined);
    assert.equal(objection({ texts: { PASSWORD: [owner], USER: ["u"] } }), undefined);
  });

  it("names what is missing or different, and the command that seals it", () => {
    assert.equal(
      objection({}, new Map()),
      `secretStore.source is sealed-secrets, and there is no sealed/prod/postgres-secret.json. Seal it: ${COMMAND}`,
    );
    for (const [changed, keys] of [
      [{ USER: ["other"], PASSWORD: [owner] }, "USER"],
      [{ USER: ["u"], PASSWORD: [{ ...owner, leaf: "superuser" }] }, "PASSWORD"],
      [{ USER: ["u"] }, "PASSWORD"],
      [{ ...texts, MORE: ["x"] }, "MORE"],
    ] as const)
      assert.equal(
        objection({ texts: changed }),
        `sealed/prod/postgres-secret.json holds something else than the configuration asks for (${keys}). Seal it: ${COMMAND}`,
      );
    assert.match(objection({ labels: {} }) ?? "", /other labels than this version/);
  });

  it("shows what anybody may read as it is, templates included", () => {
    const text = "{{ .x }} {{{";
    assert.equal(readableText(sealedSecretOf(secret, {}, {}, { USER: text }), "USER"), text);
    assert.equal(readableText(object, "PASSWORD"), undefined);
  });

  it("has one key for each login, and the form even without any", () => {
    assert.deepEqual(loginsTexts([{ name: "alice", kind: "readonly", password: "p" }]), {
      form: ["<kind>.<login>\n"],
      "readonly.alice": ["p"],
    });
    assert.deepEqual(Object.keys(loginsTexts([])), ["form"]);
    assert.deepEqual(["form", "readonly.alice", LOGINS_KEY].map(isKeyOfForm), [true, true, false]);
  });
});

describe("the folder with what is sealed", () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "sealed-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it("is read as it was written, and a Secret that there is no longer leaves it", () => {
    const directory = join(folder, "sealed/prod");
    assert.equal(readSealed(directory).size, 0);
    assert.deepEqual(writeSealed(directory, [object], new Map()), []);
    const first = readFileSync(join(directory, "postgres-secret.json"));
    assert.deepEqual([...readSealed(directory)], [["postgres-secret", object]]);
    const gone = sealedSecretOf({ ...secret, name: "gone" }, {}, {}, {});
    writeSealed(directory, [object, gone], readSealed(directory));
    assert.deepEqual(writeSealed(directory, [object], readSealed(directory)), ["gone.json"]);
    assert.deepEqual(readdirSync(directory), ["postgres-secret.json"]);
    assert.deepEqual(readFileSync(join(directory, "postgres-secret.json")), first);
  });

  it("is refused, with each file that cannot be used", () => {
    const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
    write("README.md", "notes are nobody's business");
    write("a.json", "{");
    write("b.json", JSON.stringify({ kind: "Secret" }));
    write("c.json", JSON.stringify({ ...object, metadata: { ...object.metadata, annotations: {} } }));
    write("d.json", JSON.stringify(object));
    assert.throws(
      () => readSealed(folder),
      (error: Error) => {
        assert.ok(error instanceof pulumi.RunError);
        for (const said of [
          /a\.json is not JSON/,
          /b\.json does not hold one SealedSecret of bitnami\.com\/v1alpha1/,
          /c\.json was not written by render --seal/,
          /d\.json holds postgres-secret: name it postgres-secret\.json/,
          /git checkout -- .* or delete them and seal again: npm run render/,
        ])
          assert.match(error.message, said);
        assert.doesNotMatch(error.message, /README/);
        return true;
      },
    );
  });
});
