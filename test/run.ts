/**
 * `npm test`: everything there is to check, fast ones first, and at the end one line with the counts. What this
 * machine cannot run is listed by name and reason.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { answersHelp, projectFile } from "../tools/cli.ts";
import { changesBetween, checkoutState, CheckoutWatch } from "./checkout-state.ts";

const usage = `usage: npm test -- [static] [unit] [postgres] [policy] [workflows] [cluster]
Everything, or the parts that are named.`;
if (answersHelp(usage)) process.exit(0);

interface Result {
  passed: number;
  failed: number;
  skipped: { name: string; reason: string }[];
}

const results = mkdtempSync(join(tmpdir(), "transcript-pipeline-test-"));

function runInProject(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: projectFile("."),
      stdio: ["ignore", "inherit", "inherit"],
      env: {
        ...process.env,
        PATH: `${projectFile("node_modules/.bin")}${delimiter}${process.env.PATH}`,
        ...env,
      },
    });
    child.on("error", reject);
    child.on("close", (status) => resolve(status ?? 1));
  });
}

/** A check that passes or fails as a whole. */
async function check(name: string, command: string, args: string[]): Promise<Result> {
  const status = await runInProject(command, args);
  console.log(`${status === 0 ? "✔" : "✖"} ${name}`);
  return { passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, skipped: [] };
}

/** The mocha tests of one folder. */
async function mocha(folder: string): Promise<Result> {
  const file = join(results, `${folder}.json`);
  const hooks = existsSync(projectFile(`test/${folder}/hooks.ts`))
    ? ["--require", `./test/${folder}/hooks.ts`]
    : [];
  const status = await runInProject(
    "mocha",
    ["--reporter", "test/reporter.cjs", ...hooks, `test/${folder}/**/*.test.ts`],
    { TEST_RESULTS: file },
  );
  // No results: mocha itself could not run, and its tests must not pass for passed.
  const result: Result = existsSync(file)
    ? (JSON.parse(readFileSync(file, "utf8")) as Result)
    : { passed: 0, failed: 1, skipped: [] };
  if (status !== 0 && result.failed === 0) result.failed = 1;
  return result;
}

const only = process.argv.slice(2);
const wanted = (name: string) => only.length === 0 || only.includes(name);

const before = checkoutState(projectFile("."));
const watched = new CheckoutWatch(projectFile("."));
const total: Result = { passed: 0, failed: 0, skipped: [] };
function count(...parts: Result[]): void {
  for (const part of parts) {
    total.passed += part.passed;
    total.failed += part.failed;
    total.skipped.push(...part.skipped);
  }
}

try {
  if (wanted("static")) {
    count(
      ...(await Promise.all([
        check("types", "tsc", ["--noEmit"]),
        check("format", "prettier", ["--check", "--log-level", "warn", "."]),
        check("lint", "eslint", ["."]),
      ])),
    );
  }
  for (const folder of ["unit", "postgres", "policy", "workflows", "cluster"]) {
    if (wanted(folder) && existsSync(projectFile(`test/${folder}`))) count(await mocha(folder));
  }
} finally {
  rmSync(results, { recursive: true });
}

const changes = changesBetween(before, checkoutState(projectFile(".")));
for (const path of watched.close()) {
  if (!changes.some((change) => change.endsWith(` ${path}`))) changes.push(`wrote ${path} for a while`);
}
for (const change of changes) console.log(`✖ a test ${change} in the checkout`);
count({ passed: changes.length === 0 ? 1 : 0, failed: changes.length, skipped: [] });

for (const { name, reason } of total.skipped) console.log(`skipped: ${name}: ${reason}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped.length} skipped`);
process.exitCode = total.failed === 0 ? 0 : 1;
