import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ESLint, Linter } from "eslint";
import ts from "typescript";
import { projectFile } from "../../tools/cli.ts";

/** The TypeScript files of the checkout, tests apart. */
function sources(): string[] {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.ts"], {
    cwd: projectFile("."),
    encoding: "utf8",
  });
  return listed.split("\n").filter((file) => file !== "" && !file.startsWith("test/"));
}

/** What a file of the project imports of the project, types included. */
function importsOf(file: string): string[] {
  const text = readFileSync(projectFile(file), "utf8");
  return ts
    .preProcessFile(text, true, true)
    .importedFiles.map(({ fileName }) => fileName)
    .filter((name) => name.startsWith("."))
    .map((name) => join(dirname(file), name));
}

/** A circle that begins and ends at a file, or undefined. */
function circleFrom(start: string, imports: ReadonlyMap<string, string[]>): string[] | undefined {
  const visited = new Set<string>();
  const search = (file: string, path: string[]): string[] | undefined => {
    for (const next of imports.get(file) ?? []) {
      if (next === start) return [...path, next];
      if (visited.has(next)) continue;
      visited.add(next);
      const found = search(next, [...path, next]);
      if (found) return found;
    }
    return undefined;
  };
  return search(start, [start]);
}

describe("the walls between the wings", function () {
  this.timeout(60_000);

  it("let no circle of imports through", () => {
    const imports = new Map(sources().map((file) => [file, importsOf(file)]));
    const circles = [...imports.keys()].flatMap((file) => circleFrom(file, imports)?.join(" → ") ?? []);
    assert.deepEqual(circles, []);
  });

  for (const [file, forbidden] of [
    ["components/server/server.ts", "../../config.ts"],
    ["components/server/server.ts", "../../config/names.ts"],
    ["components/database.ts", "../cluster/kubectl.ts"],
    ["components/database.ts", "../tools/cli.ts"],
    ["components/kubernetes/pods.ts", "../../program.ts"],
    ["postgres/tuning.ts", "@pulumi/pulumi"],
    ["postgres/tuning.ts", "../components/kubernetes/names.ts"],
    ["postgres/tuning.ts", "../config.ts"],
    ["config/fields.ts", "../components/database.ts"],
    ["config.ts", "./components/database.ts"],
    ["config/fields.ts", "../tools/cli.ts"],
    ["cluster/live.ts", "../tools/cli.ts"],
    ["policy/pods.ts", "../postgres/memory.ts"],
    ["policy/rules/no-token.ts", "../../components/kubernetes/names.ts"],
    ["policy/rules/no-token.ts", "../../config.ts"],
    ["policy/rules/no-token.ts", "../../tools/cli.ts"],
  ] as const) {
    it(`${file} may not import ${forbidden}`, async () => {
      const config = (await new ESLint({ cwd: projectFile(".") }).calculateConfigForFile(
        projectFile(file),
      )) as {
        rules: Record<string, Linter.RuleEntry>;
      };
      const rule = config.rules["no-restricted-imports"];
      assert.ok(rule, `no wall around ${file}`);
      const judged = new Linter().verify(`import { a } from "${forbidden}";\n`, [
        { rules: { "no-restricted-imports": rule } },
      ]);
      assert.deepEqual(
        judged.map(({ ruleId, severity }) => [ruleId, severity]),
        [["no-restricted-imports", 2]],
      );
      const allowed = new Linter().verify(`import { a } from "../quantities.ts";\n`, [
        { rules: { "no-restricted-imports": rule } },
      ]);
      assert.deepEqual(allowed, []);
    });
  }
});
