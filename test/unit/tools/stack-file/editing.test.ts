import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { projectFile } from "../../../../tools/cli.ts";
import { configText, readStackDocument, StackFileError } from "../../../../tools/stack-file/document.ts";
import { type Change, edited, withEncryptionSalt, withFields } from "../../../../tools/stack-file/editing.ts";
import { stackFiles } from "../../../stack-files/reading.ts";

/** What a program reads, by full key. */
const read = (text: string): Record<string, string> =>
  Object.fromEntries(
    [...readStackDocument(Buffer.from(text), "transcript-pipeline").config].map(([key, value]) => [
      key,
      configText(value),
    ]),
  );

const FILE = `# Figures of the guide.
config:
  transcript-pipeline:node:
    # The name of your node.
    hostname: gen8 # of the rack
    labels: { a: "1", b: 0x1F }

  transcript-pipeline:secrets:
    databasePassword:
      secure: v1:nonce:text
encryptionsalt: v1:a:v1:b:c
`;

describe("a stack's file that is changed", () => {
  it("keeps its comments, its secure values and every value as it is written", () => {
    assert.equal(
      withFields(FILE, { node: { hostname: "gen9", connection: "local" } }),
      FILE.replace("gen8", "gen9").replace(
        'labels: { a: "1", b: 0x1F }\n',
        'labels: { a: "1", b: 0x1F }\n    connection: local\n',
      ),
    );
  });

  it("gets a section that it does not have, and one from nothing", () => {
    const image = { migration: { image: "dbmate:2", retries: 3, wait: true } };
    const written = "transcript-pipeline:migration:\n    image: dbmate:2\n    retries: 3\n    wait: true\n";
    assert.ok(withFields(FILE, image).includes(`  ${written}encryptionsalt`));
    for (const empty of ["", "# nothing yet\n", "config:\n", "{}\n"])
      assert.deepEqual(read(withFields(empty, image)), {
        "transcript-pipeline:migration": '{"image":"dbmate:2","retries":3,"wait":true}',
      });
    assert.match(withFields("# nothing yet\n", image), /^# nothing yet\n/);
  });

  it("loses fields that are set to undefined, and is not given a section for them", () => {
    const less = withFields(FILE, { node: { labels: undefined }, cluster: { context: undefined } });
    assert.deepEqual(read(less)["transcript-pipeline:node"], '{"hostname":"gen8"}');
    assert.ok(!("transcript-pipeline:cluster" in read(less)));
  });

  it("has a section once, with or without its namespace", () => {
    for (const key of ["node", "transcript-pipeline:node", "transcript-pipeline:config:node"])
      assert.equal(
        withFields(`config:\n  ${key}:\n    a: 1\n`, { node: { hostname: "gen9" } }),
        `config:\n  ${key}:\n    a: 1\n    hostname: gen9\n`,
      );
  });

  it("keeps texts that look like other values as texts, whatever the engine would take them for", () => {
    const texts = [
      "123",
      "0777",
      "1_000",
      "true",
      "~",
      "",
      "2026-01-01",
      "1e3",
      "yes",
      ".inf",
      " x ",
      "a: b",
    ];
    texts.push("# x", "- x", "a\nb", "ü", '"', "'", "[", "{{x}}", "*x", "&x", "!x", "<<", "%", "a #b", "1:2");
    const fields = Object.fromEntries(texts.map((text, index) => [`f${index}`, text]));
    const names = Object.fromEntries(texts.filter((text) => text !== "<<").map((text) => [text, "1"]));
    const result = read(
      withFields(FILE, { database: { ...fields, names, list: texts, number: 1.5, no: null } }),
    );
    assert.deepEqual(JSON.parse(result["transcript-pipeline:database"] ?? ""), {
      ...fields,
      names,
      list: texts,
      number: 1.5,
      no: null,
    });
  });

  it("changes fields below fields", () => {
    const changes: Change[] = [
      { path: ["database", "settings", "pg_trgm.similarity_threshold"], value: 0.5 },
      { path: ["database", "settings", "work_mem"], value: "4MB" },
      { path: ["database", "settings", "work_mem"], value: "8MB" },
    ];
    assert.deepEqual(read(edited("config: {}\n", changes)), {
      "transcript-pipeline:database": '{"settings":{"pg_trgm.similarity_threshold":0.5,"work_mem":"8MB"}}',
    });
  });

  it("changes no other section that shares an anchor with it", () => {
    const shared =
      "config:\n  node: &n\n    hostname: &h gen8\n    deep: { a: 1 }\n  storage: *n\n  database: { <<: *n, name: *h }\n";
    const before = read(shared);
    for (const section of ["node", "storage", "database"]) {
      const changed = read(edited(shared, [{ path: [section, "hostname"], value: "gen9" }]));
      const key = `transcript-pipeline:${section}`;
      const { name, ...own } = JSON.parse(before[key] ?? "") as Record<string, unknown>;
      assert.deepEqual({ ...changed, [key]: undefined }, { ...before, [key]: undefined });
      assert.deepEqual(JSON.parse(changed[key] ?? ""), {
        ...own,
        ...(name !== undefined && { name }),
        hostname: "gen9",
      });
      const deep = read(edited(shared, [{ path: [section, "deep", "a"], value: 2 }]));
      assert.match(deep[key] ?? "", /"deep":\{"a":2\}/);
    }
  });

  it("is refused if the engine refuses it, or if a change is not possible", () => {
    assert.throws(() => withFields("config: [\n", { node: { a: 1 } }), StackFileError);
    assert.throws(
      () => withFields("config:\n  node: x\n", { node: { a: 1 } }),
      /node is not a map of fields/,
    );
    assert.throws(
      () => withFields("config:\n  node: { <<: { a: 1 } }\n", { node: { a: undefined } }),
      /transcript-pipeline:node cannot be changed.*by hand/,
    );
  });

  it("keeps its salt, or is given one", () => {
    assert.equal(withEncryptionSalt(FILE, undefined), FILE);
    const salt = "v1:x:v1:y:z";
    assert.equal(withEncryptionSalt(FILE, salt), FILE.replace("v1:a:v1:b:c", salt));
    assert.equal(withEncryptionSalt("config: {}\n", salt), `config: {}\nencryptionsalt: ${salt}\n`);
  });

  it("is read as before in everything that was not changed, whatever else it holds", () => {
    const refused: string[] = [];
    let count = 0;
    for (const name of stackFiles()) {
      let text: string;
      let before: Record<string, string>;
      try {
        text = new TextDecoder("utf-8", { fatal: true }).decode(
          readFileSync(projectFile(`test/stack-files/${name}`)),
        );
        before = read(text);
      } catch {
        continue;
      }
      const key = "transcript-pipeline:migration";
      let result: string;
      try {
        result = edited(text, [{ path: ["migration", "image"], value: "dbmate:2" }]);
      } catch (error) {
        assert.ok(error instanceof StackFileError, name);
        refused.push(`${name}: ${error.message}`);
        continue;
      }
      count++;
      const after = read(result);
      assert.deepEqual({ ...after, [key]: undefined }, { ...before, [key]: undefined }, `${name}\n${result}`);
      assert.equal((JSON.parse(after[key] ?? "") as { image: string }).image, "dbmate:2", name);
    }
    assert.deepEqual(refused, []);
    assert.ok(count > 100, `${count} files`);
  });
});
