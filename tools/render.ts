/**
 * `npm run render -- --stack <name> --out <dir>`: writes the program's objects as files for kubectl, Argo CD or Flux.
 */
import { parseArgs } from "node:util";
import { projectFile, runTool, UsageError } from "./cli.ts";
import {
  applyCommands,
  refuseMissingSecrets,
  refuseTooLarge,
  renderStack,
  writeRendering,
} from "./evaluation/rendering.ts";

const usage = `usage: npm run render -- --stack <name> [--out <dir>] [--config-file <file>] [--secrets]
  --stack <name>        the stack, as in Pulumi.<name>.yaml
  --out <dir>           the directory to write to. Default: rendered/<stack>
  --config-file <file>  its configuration. Default: Pulumi.<stack>.yaml
  --secrets             write Secrets too, in plain text. Needs the stack's passphrase if it has secure values`;

await runTool(usage, async () => {
  const { values } = parseArgs({
    options: {
      stack: { type: "string" },
      out: { type: "string" },
      "config-file": { type: "string" },
      secrets: { type: "boolean", default: false },
    },
  });
  if (values.stack === undefined) throw new UsageError(usage);
  const out = values.out ?? `rendered/${values.stack}`;
  const configFile = values["config-file"] ?? projectFile(`Pulumi.${values.stack}.yaml`);
  const rendering = await renderStack(values.stack, configFile);
  for (const warning of rendering.warnings) console.error(`warning: ${warning}`);
  refuseTooLarge(rendering);
  if (values.secrets) refuseMissingSecrets(rendering);
  const written = writeRendering(rendering, out, { secrets: values.secrets });
  for (const note of written.notes) console.error(note);
  console.log(`${written.files.length} objects in ${out}. To apply them:`);
  for (const command of applyCommands(rendering, out)) console.log(`  ${command}`);
});
