/**
 * `npm run test:long`: what `npm test` leaves out, and what would rot if nobody ran it: one short round of every
 * measurement (`npm run bench:*`), and of all faults. Run it before calling work done; a machine that has fewer hours at
 * once runs it folder by folder. Its last lines say what was skipped and why, what failed, and how much passed.
 */
import { readFileSync } from "node:fs";
import { answersHelp, projectFile } from "../tools/cli.ts";
import { findEngine } from "../tools/engine/engine.ts";
import { clusterObstacle } from "./cluster/support.ts";
import { runInProject, runMocha } from "./mocha-run.ts";
import { filesOf, PARTS, pathCovers } from "./parts.ts";
import { endOf, type Result, sum } from "./results.ts";
import { missingRounds, SHORT_ROUNDS } from "./short-rounds.ts";

const { scripts } = JSON.parse(readFileSync(projectFile("package.json"), "utf8")) as {
  scripts: Record<string, string>;
};
const parts = PARTS.filter((part) => filesOf(part, "long").length > 0);
const names = [...parts.map(({ name }) => name), ...Object.keys(SHORT_ROUNDS)];

const usage = `usage: npm run test:long -- [<name> ...]
What npm test leaves out, with everything of which it takes a sample (${parts.map(({ name }) => name).join(", ")}), and one short round
of every measurement and of all faults. Or what is named: ${names.join(", ")}, or a folder or a file of them,
such as test/cluster/backup`;
if (answersHelp(usage)) process.exit(0);

const chosen = process.argv.slice(2);
const longFiles = parts.flatMap((part) => filesOf(part, "long"));
const unknown = chosen.filter(
  (name) => !names.includes(name) && !longFiles.some((file) => pathCovers(name, file)),
);
if (unknown.length > 0) {
  console.error(
    `${unknown.join(", ")}: not a name, and no folder or file of the long run. ` +
      `Allowed: ${names.join(", ")}, or a path such as test/cluster/backup`,
  );
  process.exit(2);
}
const wanted = (name: string) => chosen.length === 0 || chosen.includes(name);
const wantedFiles = (part: (typeof parts)[number]) =>
  filesOf(part, "long").filter((file) => wanted(part.name) || chosen.some((name) => pathCovers(name, file)));

const nothing: Result = { passed: 0, failed: [], skipped: [] };
const results: Result[] = missingRounds(Object.keys(scripts)).map((name) => ({
  ...nothing,
  failed: [`${name}: has no short round in test/short-rounds.ts`],
}));

for (const part of parts) {
  const files = wantedFiles(part);
  if (files.length > 0) results.push(await runMocha(part, files, { TEST_EVERYTHING: "1" }));
}

const engine = await findEngine();
const cluster = clusterObstacle();
for (const [name, { args, needs }] of Object.entries(SHORT_ROUNDS)) {
  if (!wanted(name)) continue;
  const obstacle =
    needs.includes("engine") && "reason" in engine
      ? `no Pulumi CLI: ${engine.reason}`
      : needs.includes("cluster")
        ? cluster
        : undefined;
  if (obstacle !== undefined) {
    results.push({ ...nothing, skipped: [`${name}: ${obstacle}`] });
    continue;
  }
  const status = await runInProject("npm", ["run", "--silent", name, "--", ...args]);
  console.log(`${status === 0 ? "✔" : "✖"} ${name} ${args.join(" ")}`);
  results.push(
    status === 0 ? { ...nothing, passed: 1 } : { ...nothing, failed: [`${name}: ended with ${status}`] },
  );
}

const total = sum(results);
for (const line of endOf(total)) console.log(line);
process.exitCode = total.failed.length === 0 ? 0 : 1;
