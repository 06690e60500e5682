/**
 * `npm test`: what protects most, fast ones first. Its last lines say what was skipped and why, what failed, and how
 * much passed: of long outputs only the end is kept.
 */
import { answersHelp, projectFile } from "../tools/cli.ts";
import { changesBetween, checkoutState, CheckoutWatch } from "./checkout-state.ts";
import { runInProject, runMocha } from "./mocha-run.ts";
import { filesOf, PARTS } from "./parts.ts";
import { endOf, type Result, sum } from "./results.ts";

const names = ["static", ...PARTS.map(({ name }) => name)];
const usage = `usage: npm test -- [quick] ${names.map((name) => `[${name}]`).join(" ")}
  quick   what gives an answer in five minutes: no cluster, no engine, no PostgreSQL
  ${names[0]}  types, format and lint
  others  the tests below test/<name>
Without a name all parts are run, one after the other, in about an hour. Of very long lists a sample is taken, another
one each day; the rest, and what takes long, is run by npm run test:long.
At the end each skipped and each failed test is named, and the parts' seconds and the counts are printed.`;
if (answersHelp(usage)) process.exit(0);

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => name !== "quick" && !names.includes(name));
if (unknown.length > 0) {
  console.error(`${unknown.join(", ")}: not a part of the tests. Allowed: quick, ${names.join(", ")}`);
  process.exit(2);
}
const selection = asked.includes("quick") ? "quick" : "usual";
const only = asked.filter((name) => name !== "quick");
const wanted = (name: string) => only.length === 0 || only.includes(name);

/** A check that passes or fails as a whole. */
async function check(name: string, command: string, args: readonly string[]): Promise<Result> {
  const status = await runInProject(command, args);
  console.log(`${status === 0 ? "✔" : "✖"} ${name}`);
  return status === 0
    ? { passed: 1, failed: [], skipped: [] }
    : {
        passed: 0,
        failed: [`static: ${name}: ${command} ${args.join(" ")} ended with ${status}`],
        skipped: [],
      };
}

/** Types, format and lint. */
async function checks(): Promise<Result> {
  const results = await Promise.all([
    check("types", "tsc", ["--noEmit"]),
    check("format", "prettier", ["--check", "--log-level", "warn", "."]),
    check("lint", "eslint", ["."]),
  ]);
  return sum(results);
}

const before = checkoutState(projectFile("."));
const watched = new CheckoutWatch(projectFile("."));
const results: Result[] = [];
const seconds: string[] = [];

async function run(name: string, part: () => Promise<Result>): Promise<void> {
  if (!wanted(name)) return;
  const started = Date.now();
  results.push(await part());
  seconds.push(`${name} ${Math.round((Date.now() - started) / 1000)}`);
}

await run("static", checks);
for (const part of PARTS) {
  const files = filesOf(part, selection);
  if (files.length > 0) await run(part.name, () => runMocha(part, files));
}

const changes = changesBetween(before, checkoutState(projectFile(".")));
for (const path of watched.close()) {
  if (!changes.some((change) => change.endsWith(` ${path}`))) changes.push(`wrote ${path} for a while`);
}
results.push({
  passed: changes.length === 0 ? 1 : 0,
  failed: changes.map((change) => `a test ${change} in the checkout`),
  skipped: [],
});

const total = sum(results);
console.log(`seconds: ${seconds.join(", ")}`);
for (const line of endOf(total)) console.log(line);
process.exitCode = total.failed.length === 0 ? 0 : 1;
