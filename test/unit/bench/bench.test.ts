import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import ts from "typescript";
import { type Action, costs } from "../../../bench/action-graph.ts";
import { commonJs } from "../../../bench/common-js.ts";
import { childSeconds, secondsIn } from "../../../bench/process-times.ts";
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

describe("the CPU time of a build", () => {
  const second = 1e9;
  const actions: Action[] = [
    { ID: 0, Mode: "go build", Deps: [1, 4] },
    { ID: 1, Mode: "link", Package: "a", Deps: [2, 3], CmdUser: 2 * second, CmdSys: second },
    { ID: 2, Mode: "build", Package: "a", Deps: [3], CmdUser: second },
    { ID: 3, Mode: "build", Package: "shared", Deps: [6], CmdUser: 10 * second, CmdSys: second / 2 },
    { ID: 4, Mode: "link", Package: "b", Deps: [5, 3], CmdUser: second },
    { ID: 5, Mode: "build", Package: "b", Deps: [3], CmdSys: second },
    { ID: 6, Mode: "build", Package: "in the cache", Deps: null },
  ];

  it("counts what parts share once, for the first of them", () => {
    assert.deepEqual(costs(actions, [["a"], ["b"]]), [
      { compile: 11.5, link: 3, actions: 3 },
      { compile: 1, link: 1, actions: 2 },
    ]);
    assert.deepEqual(costs(actions, [["b"]]), [{ compile: 11.5, link: 1, actions: 3 }]);
    assert.throws(() => costs(actions, [["c"]]), /c was not linked/);
  });

  it("is that of the programs that were started, with all of theirs", () => {
    const fields = [..."S 1 1 1 0 -1 0 0 0 0 0 70 80".split(" "), "250", "125", "20"];
    assert.equal(secondsIn(`7 (a) b (c) ${fields.join(" ")}`), 3.75);
    assert.throws(() => secondsIn("7 (a) S 1"), /not a process's times/);
    const before = childSeconds();
    const busy = "const end = process.cpuUsage().user + 3e5; while (process.cpuUsage().user < end);";
    execFileSync("sh", ["-c", '"$0" -e "$1"; true', process.execPath, busy]);
    assert.ok(childSeconds() - before > 0.2);
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
