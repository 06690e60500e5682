import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { projectFile } from "../../tools/cli.ts";
import { evaluate } from "../../tools/evaluation/evaluate.ts";
import { changed, type Raw } from "../settings.ts";

/** The same stack with everything switched on that registers something of its own. */
function everything(): Raw {
  const image = "pgvector/pgvector:0.8.6-pg16-bookworm";
  const raw = changed("node.connection", "local");
  return {
    ...raw,
    database: { ...raw.database, image, upgradeTo: image, logins: { app: "readwrite" } },
    backup: {
      repositories: {
        disk: { kind: "directory", path: "/mnt/backup/postgres" },
        cloud: { kind: "s3", endpoint: "s3.example.com", bucket: "backups" },
      },
    },
    notify: { sinks: { phone: { kind: "ntfy" } } },
    monitoring: { prometheus: "bundled" },
    secrets: {
      repositories: { cloud: { accessKey: "AKIAEXAMPLE", secretKey: "of-the-store" } },
      sinks: { phone: { url: "https://ntfy.example.com/topic" } },
    },
  };
}

/** Type, name and parents of each resource, which identify it in people's state files. */
async function identities(stack: string): Promise<string[]> {
  const config = Object.entries(everything()).map(([name, value]) => [
    `transcript-pipeline:${name}`,
    JSON.stringify(value),
  ]);
  const { registrations } = await evaluate(stack, Object.fromEntries(config) as Record<string, string>, [
    "transcript-pipeline:secrets",
  ]);
  const names = new Map(registrations.map(({ urn, name }) => [urn, name]));
  return registrations
    .map(({ type, name, parent }) => `${type} ${name} below ${names.get(parent) ?? "nothing"}`)
    .sort();
}

describe("every resource keeps its type, its name and its parent, which are in people's state files:", () => {
  for (const stack of ["dev", "prod"]) {
    it(stack, async () => {
      const path = "test/fixtures/registrations.txt";
      const kept = readFileSync(projectFile(path), "utf8").trim().split("\n");
      const found = (await identities(stack)).map((line) => line.replaceAll(`-${stack}`, "-<stack>"));
      const gone = kept.filter((line) => !found.includes(line));
      assert.deepEqual(
        gone,
        [],
        `a deployed stack would replace these. Give the new ones \`aliases\`, or ${path} the new lines if nobody has ` +
          `deployed them`,
      );
      assert.deepEqual(
        found.filter((line) => !kept.includes(line)),
        [],
        `these are new: add the lines to ${path}`,
      );
    });
  }
});
