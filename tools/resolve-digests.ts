/**
 * `npm run resolve-digests -- --stack <name>`: asks the registries for the digest of each configured image, and writes
 * it after the image's tag in Pulumi.<stack>.yaml.
 */
import { parseArgs } from "node:util";
import { projectFile, runTool, UsageError } from "./cli.ts";
import { writeDigests } from "./digests/digests.ts";

const usage = `usage: npm run resolve-digests -- --stack <name> [--config-file <file>] [--refresh]
  --stack <name>        the stack, as in Pulumi.<name>.yaml
  --config-file <file>  the file to write to. Default: Pulumi.<stack>.yaml
  --refresh             resolve images that have a digest too`;

await runTool(usage, async () => {
  const { values } = parseArgs({
    options: {
      stack: { type: "string" },
      "config-file": { type: "string" },
      refresh: { type: "boolean", default: false },
    },
  });
  if (values.stack === undefined) throw new UsageError(usage);
  const path = values["config-file"] ?? projectFile(`Pulumi.${values.stack}.yaml`);
  for (const line of await writeDigests(path, values)) console.log(line);
  console.log(`Remove the waivers of image-digest from policy/config.${values.stack}.json now.`);
});
