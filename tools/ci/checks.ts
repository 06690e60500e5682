/**
 * `checks`: what can be checked without credentials in every environment: that it renders, that Kubernetes knows every
 * field of what it renders, and that it passes the policy pack.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { projectFile, runTool } from "../cli.ts";
import { run } from "../processes.ts";
import { environments } from "./environments.ts";
import { withNode } from "./stack-config.ts";
import { kubernetesVersion } from "../local-cluster/build.ts";
import { KUBECONFORM, kubernetesOpenApi, writeSchemas } from "./schemas.ts";

/** Runs one of the checks and prints its result. */
async function check(name: string, action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action();
    console.log(`✔ ${name}`);
    return true;
  } catch (error) {
    console.error(`✖ ${name}\n${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}

const npm = (script: string, ...args: string[]) =>
  run("npm", ["run", "--silent", script, "--", ...args], { cwd: projectFile(".") });

const usage = `usage: node tools/ci/checks.ts [--stack <name>]... [--without schema]...
  --stack <name>   only this environment; may be given several times. Default: all of them
  --without <name> skip a check`;

await runTool(usage, async () => {
  const { values } = parseArgs({
    options: {
      stack: { type: "string", multiple: true },
      without: { type: "string", multiple: true, default: [] },
    },
  });
  const wanted = (name: string) => !values.without.includes(name);
  const directory = mkdtempSync(join(tmpdir(), "transcript-pipeline-checks-"));
  try {
    let schemas = "";
    const results: boolean[] = [];
    if (wanted("schema")) {
      results.push(
        await check(`schemas of Kubernetes ${kubernetesVersion()}`, async () => {
          schemas = writeSchemas(await kubernetesOpenApi(), join(directory, "schemas"));
        }),
      );
    }
    for (const stack of values.stack ?? environments()) {
      const out = join(directory, stack);
      mkdirSync(join(directory, "config"), { recursive: true });
      // A file that leaves the node open is checked with a made-up node's name.
      const copy = withNode(stack, "some-node", join(directory, "config"));
      const of = ["--stack", stack, ...(copy === undefined ? [] : ["--config-file", copy])];
      // Including Secrets, made up here and removed with the directory, so that their fields are checked too.
      const rendered = await check(`${stack}: renders`, () =>
        npm("render", ...of, "--out", out, "--secrets"),
      );
      results.push(rendered);
      if (rendered && schemas !== "") {
        const args = [
          "-strict",
          "-summary",
          "-ignore-filename-pattern",
          "kustomization",
          "-schema-location",
          schemas,
          out,
        ];
        results.push(
          await check(`${stack}: fields`, () => run("go", ["run", KUBECONFORM, ...args], { cwd: tmpdir() })),
        );
      }
      if (wanted("policy")) results.push(await check(`${stack}: policy`, () => npm("policy", ...of)));
    }
    process.exitCode = results.every(Boolean) ? 0 : 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
