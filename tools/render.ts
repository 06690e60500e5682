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
import { sealStack } from "./sealing/seal-stack.ts";

const usage = `usage: npm run render -- --stack <name> [--out <dir>] [--config-file <file>] [--secrets | --seal <certificate> …]
  --stack <name>        the stack, as in Pulumi.<name>.yaml
  --out <dir>           the directory to write to. Default: rendered/<stack>
  --config-file <file>  its configuration. Default: Pulumi.<stack>.yaml
  --secrets             write Secrets too, in plain text. Needs the stack's passphrase if it has secure values
  --seal <certificate>  write SealedSecrets instead, for the controller with this certificate, and keep them in the
                        project (sealed/<stack>). Those already there are kept
  --reseal <name>       with --seal: replace this value. Repeatable
  --values <file>       with --seal: values by name, such as the keys of a repository. Default: those in force in the
                        cluster, else what is configured, else made up
  --new                 with --seal: the stack is not deployed yet, so no cluster is asked`;

await runTool(usage, async () => {
  const { values } = parseArgs({
    options: {
      stack: { type: "string" },
      out: { type: "string" },
      "config-file": { type: "string" },
      secrets: { type: "boolean", default: false },
      seal: { type: "string" },
      reseal: { type: "string", multiple: true, default: [] },
      values: { type: "string" },
      new: { type: "boolean", default: false },
    },
  });
  if (values.stack === undefined) throw new UsageError(usage);
  const out = values.out ?? `rendered/${values.stack}`;
  const configFile = values["config-file"] ?? projectFile(`Pulumi.${values.stack}.yaml`);
  const { seal: certificate, reseal, values: given, new: isNew } = values;
  const sealing = reseal.length > 0 || given !== undefined || isNew;
  if (certificate === undefined ? sealing : values.secrets) throw new UsageError(usage);
  const named = values["config-file"];
  const { rendering, notes } =
    certificate === undefined
      ? { rendering: await renderStack(values.stack, configFile), notes: [] }
      : await sealStack(values.stack, configFile, {
          certificate,
          reseal,
          values: given,
          isNew,
          configFile: named,
        });
  for (const warning of rendering.warnings) console.error(`warning: ${warning}`);
  refuseTooLarge(rendering);
  if (values.secrets) refuseMissingSecrets(rendering);
  const written = writeRendering(rendering, out, {
    // Sealed, there is none.
    secrets: values.secrets || certificate !== undefined,
  });
  for (const note of [...notes, ...written.notes]) console.error(note);
  console.log(`${written.files.length} objects in ${out}. To apply them:`);
  for (const command of applyCommands(rendering, out)) console.log(`  ${command}`);
});
