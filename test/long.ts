/**
 * `npm run test:long`: what takes longer than `npm test` and rots where nobody runs it: one short round of every
 * measurement (`npm run bench:*`), and of the faults. At the end one line with the counts; what this machine cannot run
 * is listed by name and reason. Names on the command line choose: `npm run test:long -- bench:hnsw`.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { answersHelp, projectFile } from "../tools/cli.ts";
import { findEngine } from "../tools/engine/engine.ts";
import { clusterObstacle } from "./cluster/support.ts";
import { missingRounds, SHORT_ROUNDS } from "./short-rounds.ts";

const { scripts } = JSON.parse(readFileSync(projectFile("package.json"), "utf8")) as {
  scripts: Record<string, string>;
};

function npmRun(name: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn("npm", ["run", "--silent", name, "--", ...args], {
      cwd: projectFile("."),
      stdio: ["ignore", "inherit", "inherit"],
    });
    child.on("error", reject);
    child.on("close", (status) => resolve(status ?? 1));
  });
}

const usage = `usage: npm run test:long -- [<name> ...]
One short round of every measurement and of the faults, or of those named: ${Object.keys(SHORT_ROUNDS).join(", ")}`;
if (answersHelp(usage)) process.exit(0);

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !(name in SHORT_ROUNDS));
if (unknown.length > 0) {
  console.error(`${unknown.join(", ")}: not a name. Allowed: ${Object.keys(SHORT_ROUNDS).join(", ")}`);
  process.exit(2);
}

const engine = await findEngine();
const cluster = clusterObstacle();
const failed = missingRounds(Object.keys(scripts)).map(
  (name) => `${name}: has no short round in test/short-rounds.ts`,
);
const skipped: string[] = [];
let passed = 0;
for (const [name, { args, needs }] of Object.entries(SHORT_ROUNDS)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  const obstacle =
    needs.includes("engine") && "reason" in engine
      ? `no Pulumi CLI: ${engine.reason}`
      : needs.includes("cluster")
        ? cluster
        : undefined;
  if (obstacle !== undefined) {
    skipped.push(`${name}: ${obstacle}`);
    continue;
  }
  const status = await npmRun(name, args);
  console.log(`${status === 0 ? "✔" : "✖"} ${name} ${args.join(" ")}`);
  if (status === 0) passed++;
  else failed.push(`${name}: ended with ${status}`);
}

for (const line of skipped) console.log(`skipped: ${line}`);
for (const line of failed) console.log(`failed: ${line}`);
console.log(`${passed} passed, ${failed.length} failed, ${skipped.length} skipped`);
process.exitCode = failed.length === 0 ? 0 : 1;
