/** `npm run status -- --stack <name>`: is it up, is it safe, is it fast, and what runs out next. */
import { parseArgs } from "node:util";
import { runTool, UsageError } from "./cli.ts";
import { clusterOf } from "./stack-cluster.ts";
import { rulesOf } from "./status/limits.ts";
import { report, type StatusReport } from "./status/findings.ts";
import { look } from "./status/look.ts";
import { statusPage } from "./status/page.ts";
import { statusWords } from "./status/words.ts";

const usage = `usage: npm run status -- --stack <name> [--json | --html]
Asks the cluster, the database and the repositories, ten seconds at most, and says what is wrong, the gravest first, and
what to type. Exits as plugins of Nagios do: 0 all is well, 1 something will be wrong, 2 something is wrong, 3 not known.
  --stack <name>        the stack, as in Pulumi.<name>.yaml. Default: dev
  --config-file <file>  its configuration. Default: Pulumi.<stack>.yaml; for what \`npm run up\` has deployed, its own
  --json                everything that was found, for programs
  --html                a page for a browser: npm run -s status -- --html >status.html`;

/** https://www.monitoring-plugins.org/doc/guidelines.html */
const EXIT: Readonly<Record<StatusReport["state"], number>> = { ok: 0, warning: 1, critical: 2, unknown: 3 };

let answered = false;
await runTool(usage, async () => {
  const { values, positionals } = parseArgs({
    options: {
      stack: { type: "string", default: "dev" },
      "config-file": { type: "string" },
      json: { type: "boolean", default: false },
      html: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  if (positionals.length > 0 || (values.json && values.html)) throw new UsageError(usage);
  const status = report(
    values.stack,
    await look(clusterOf(values.stack, values["config-file"])),
    rulesOf(values.stack, values["config-file"]),
  );
  if (values.json) console.log(JSON.stringify(status, undefined, 2));
  // Not process.stdout.write, which throws when nobody reads to the end: the exit status would be another.
  else if (values.html) console.log(statusPage(status).trimEnd());
  else console.log(statusWords(status).join("\n"));
  process.exitCode = EXIT[status.state];
  answered = true;
});
// It could not be asked, or not in this way.
if (!answered && process.exitCode !== undefined) process.exitCode = EXIT.unknown;
