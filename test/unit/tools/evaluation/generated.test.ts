import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../../../tools/cli.ts";
import { generatedIn } from "../../../../tools/evaluation/generated.ts";
import type { Manifest } from "../../../../tools/evaluation/manifests.ts";
import { renderMarked } from "../../../../tools/evaluation/rendering.ts";

const secret = (name: string, stringData: Record<string, string>): Manifest => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, namespace: "here" },
  stringData,
});

/** The program with two passwords, as one evaluation has it. */
const evaluated = (one: string, other: string, salt = "same"): Manifest[] => [
  secret("all", { lines: `reader ${one}\nwriter ${other}\n`, format: "1", salted: `${salt}:${one}` }),
  secret("one", { USER: "reader", PASSWORD: one }),
  secret("other", { USER: "writer", PASSWORD: other }),
  secret("copy", { PASSWORD: one }),
];

describe("a generated value", () => {
  it("is recognized because it differs each time, alone or inside others, whatever the Secret's name", () => {
    const { values, parts } = generatedIn(
      evaluated("first-one", "first-other"),
      evaluated("second-one", "second-other"),
    );
    assert.deepEqual(values, ["first-one", "first-other"]);
    assert.deepEqual(Object.fromEntries(parts), {
      "/Secret/here/all": { lines: ["reader ", 0, "\nwriter ", 1, "\n"], salted: ["same:", 0] },
      "/Secret/here/one": { PASSWORD: [0] },
      "/Secret/here/other": { PASSWORD: [1] },
      "/Secret/here/copy": { PASSWORD: [0] },
    });
  });

  it("is a separate one if it contains another one and something else that was made up", () => {
    const { values, parts } = generatedIn(
      evaluated("first-one", "first-other", "salt-a"),
      evaluated("second-one", "second-other", "salt-b"),
    );
    assert.deepEqual(values, ["first-one", "first-other", "salt-a:first-one"]);
    assert.deepEqual(parts.get("/Secret/here/all")?.salted, [2]);
  });

  it("is found in data as well, with characters that a pattern would read otherwise", () => {
    const dataOf = (text: string): Manifest[] => [
      {
        ...secret("a", {}),
        data: { key: Buffer.from(text).toString("base64") },
        stringData: { url: `x:${text}@y` },
      },
    ];
    const { values, parts } = generatedIn(dataOf("a.b*c(d[e"), dataOf("f+g|h)i]j"));
    assert.deepEqual(values, ["a.b*c(d[e"]);
    assert.deepEqual(parts.get("/Secret/here/a"), { key: [0], url: ["x:", 0, "@y"] });
  });

  it("that is short is not searched for inside others, where it would be found by chance", () => {
    const { parts } = generatedIn(
      [secret("a", { pin: "17", text: "about 17 things, pin 17" })],
      [secret("a", { pin: "23", text: "about 17 things, pin 23" })],
    );
    assert.deepEqual(parts.get("/Secret/here/a"), { pin: [0], text: [1] });
  });

  it("outside a Secret is refused, by the object's name", () => {
    const config = (text: string): Manifest => ({
      ...secret("settings", {}),
      kind: "ConfigMap",
      data: { text },
    });
    assert.throws(() => generatedIn([config("a")], [config("b")]), /ConfigMap settings differs each time/);
    assert.throws(() => generatedIn([config("a")], []), /ConfigMap settings differs each time/);
  });
});

describe("the program's own Secrets", () => {
  let directory: string;
  before(() => (directory = mkdtempSync(join(tmpdir(), "generated-"))));
  after(() => rmSync(directory, { recursive: true }));

  it("have their generated passwords marked, and the objects are in the order of dependency", async () => {
    const stackFile = join(directory, "Pulumi.prod.yaml");
    const prod = readFileSync(projectFile("Pulumi.prod.yaml"), "utf8");
    assert.match(prod, / {2}transcript-pipeline:database:\n/);
    writeFileSync(
      stackFile,
      prod.replace(
        "  transcript-pipeline:database:\n",
        (section) => `${section}    logins: { reader: readonly }\n`,
      ),
    );
    const warnings: unknown[] = [];
    const warn: (...texts: unknown[]) => void = console.warn.bind(console);
    console.warn = (text: unknown) => warnings.push(text);
    const rendering = await renderMarked("prod", stackFile).finally(() => {
      console.warn = warn;
    });
    assert.equal(new Set(warnings).size, warnings.length, "the second evaluation repeats the warnings");
    const { parts, values } = rendering.generated;
    const marked = Object.fromEntries(
      [...parts].map(
        ([id, keys]) =>
          [
            id
              .split("/")
              .slice(1)
              .join(" ")
              .replace(/^Secret \S+ /, ""),
            Object.keys(keys).sort(),
          ] as const,
      ),
    );
    assert.deepEqual(marked, {
      // What is public of it is repeated for clients.
      "postgres-ca": ["ca.crt", "tls.crt", "tls.key"],
      "ConfigMap transcript-pipeline postgres-ca": ["ca.crt"],
      "postgres-secret": ["POSTGRES_PASSWORD"],
      "postgres-superuser": ["POSTGRES_PASSWORD"],
      "postgres-login-reader": ["POSTGRES_PASSWORD"],
      "postgres-logins": ["credentials"],
    });
    // The passwords, and the authority's key and certificate.
    assert.equal(values.length, 5);
    const logins = parts.get("/Secret/transcript-pipeline/postgres-logins")?.credentials;
    assert.deepEqual([logins?.[0], logins?.[2]], ["readonly reader ", "\n"]);
    const kinds = rendering.objects.map(({ kind }) => kind);
    assert.equal(kinds[0], "Namespace");
    assert.ok(kinds.indexOf("StatefulSet") < kinds.lastIndexOf("Job"), kinds.join());
    assert.equal(rendering.objects.length, rendering.files.length);
  });
});
