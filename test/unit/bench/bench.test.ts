import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import ts from "typescript";
import { commonJs } from "../../../bench/common-js.ts";
import { roundsWanted } from "../../../bench/rounds.ts";
import { projectFile } from "../../../tools/cli.ts";
import { missingRounds, SHORT_ROUNDS } from "../../short-rounds.ts";

describe("a measurement", () => {
  const { scripts } = JSON.parse(readFileSync(projectFile("package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };

  it("runs a short round in the long run, whichever it is", () => {
    assert.deepEqual(missingRounds(Object.keys(scripts)), []);
    assert.deepEqual(missingRounds(["bench:new", "bench:up"]), ["bench:new"]);
    for (const name of [...Object.keys(SHORT_ROUNDS), "test:long"]) assert.ok(name in scripts, name);
  });

  it("takes a number of rounds, and nothing else for one", () => {
    assert.equal(roundsWanted(5, []), 5);
    assert.equal(roundsWanted(5, ["--rounds", "1"]), 1);
    for (const wrong of ["0", "-1", "1.5", "many", ""])
      assert.throws(() => roundsWanted(5, [`--rounds=${wrong}`]), RangeError);
    assert.throws(() => roundsWanted(5, ["--round", "1"]), /--round/);
  });
});

describe("the program for ts-node", () => {
  const errors = (text: string) => {
    const { diagnostics = [] } = ts.transpileModule(text, {
      reportDiagnostics: true,
      compilerOptions: {
        target: ts.ScriptTarget.ESNext,
        module: ts.ModuleKind.CommonJS,
        ignoreDeprecations: "6.0",
      },
    });
    return diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
  };

  it("has its imports without endings and attributes, and no import.meta", () => {
    const text = commonJs(
      "a.ts",
      'import b from "./b.ts";\nimport c from "../c.json" with { type: "json" };\nexport { d } from "./d.ts";\n' +
        'export const at = new URL(`./${b}/`, import.meta.url);\nconst text = "./not-an-import.ts";\n',
    );
    assert.match(text, /from "\.\/b";\nimport c from "\.\.\/c\.json" ;\nexport \{ d \} from "\.\/d";/);
    assert.match(text, /"\.\/not-an-import\.ts"/);
    assert.doesNotMatch(text, /import\.meta/);
    assert.deepEqual(errors(text), []);
  });

  it("awaits nothing outside a function, whatever is awaited", () => {
    const entry = 'import a from "./a.ts";\nconst { b } = await a();\nexport const c = b;\n';
    assert.match(errors(entry).join(), /Top-level 'await'|^$/);
    const text = commonJs("index.ts", entry);
    assert.equal(
      text,
      'import a from "./a";\nvoid (async () => {\nconst { b } = await a();\n const c = b;\n\n})();\n',
    );
    const inside = "export async function f() {\n  await g();\n}\n";
    assert.equal(commonJs("f.ts", inside), inside);
  });

  it("is the whole program of today", () => {
    for (const file of [
      "index.ts",
      "config.ts",
      "program.ts",
      "cluster/live.ts",
      "sql/files.ts",
      "components/kubernetes/scripts.ts",
    ]) {
      const text = commonJs(file, readFileSync(projectFile(file), "utf8"));
      assert.deepEqual(errors(text), [], file);
      assert.doesNotMatch(text, /import\.meta|from "\.[^"]*\.ts"/, file);
    }
  });
});
