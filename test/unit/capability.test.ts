import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { rules } from "../../policy/rules/index.ts";
import { projectFile } from "../../tools/cli.ts";
import { copyProject } from "../../tools/project-copy.ts";

/** What a capability brings: its own files. */
const OWN: Readonly<Record<string, string>> = {
  "components/greeting/greeting.ts": `/** A ConfigMap with a greeting. */
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labelsOf } from "../kubernetes/labels.ts";

/** Arguments of {@link Greeting}. */
export interface GreetingArgs {
  namespace: pulumi.Input<string>;
  /** What it says. */
  text: pulumi.Input<string>;
}

/** A greeting for everybody. */
export class Greeting extends pulumi.ComponentResource {
  constructor(name: string, args: GreetingArgs, opts?: pulumi.ComponentResourceOptions) {
    super("transcript-pipeline:index:Greeting", name, {}, opts);
    const metadata = { name, namespace: args.namespace, labels: labelsOf("greeting") };
    new k8s.core.v1.ConfigMap(
      name,
      { metadata, data: { text: args.text } },
      { parent: this, deleteBeforeReplace: true },
    );
    this.registerOutputs();
  }
}
`,
  "config/greeting.ts": `/** The section \`greeting\`. */
import { defaulted, flag, oneOf } from "./fields.ts";
import type { Section } from "./reader.ts";

export const greeting = {
  enabled: defaulted(true, flag({ description: "Whether there is a greeting" })),
  text: defaulted("hello", oneOf(["hello", "good day"], { description: "What it says" })),
} as const satisfies Section;
`,
  "policy/rules/greeting-polite.ts": `import { objectRule } from "../rule.ts";
import { textAt } from "../values.ts";

export const greetingPolite = objectRule({
  name: "greeting-polite",
  asks: "a greeting that says something",
  description: "An empty greeting offends everybody who looks for one",
  level: "mandatory",
  check: ({ subject, body }) =>
    subject === "ConfigMap/greeting" && (textAt(body, "data", "text") ?? "") === ""
      ? [{ subject, why: "data.text is empty", remedy: "a text" }]
      : [],
});
`,
  "tools/plan/sentences/greeting.ts": `/** The greeting. */
import type { Sentences } from "./sentences.ts";

export const greeting: Sentences = {
  owns: ({ logicalName }) => logicalName === "greeting",
  say: (_change, say) => say("routine", "Greets otherwise"),
};
`,
  "docs/greeting.md": "# Change the greeting\n\nSet `greeting.text`.\n",
};

/** The files that everybody who adds a capability adds a line to, as CONTRIBUTING.md has them, and after what. */
const LINES: Readonly<Record<string, readonly (readonly [after: string, line: string])[]>> = {
  "Pulumi.yaml": [
    ["config:\n", "  greeting:\n    type: object\n    default: {}\n    description: The greeting\n"],
  ],
  "config/table.ts": [
    ['import { migration } from "./migration.ts";\n', 'import { greeting } from "./greeting.ts";\n'],
    ["export const table = {\n", "  greeting,\n"],
  ],
  "program.ts": [
    [
      'import { Database } from "./components/database.ts";\n',
      'import { Greeting } from "./components/greeting/greeting.ts";\n',
    ],
    [
      "  const postgres = new Database(",
      '  if (settings.greeting.enabled)\n    new Greeting("greeting", { namespace: namespaceName, text: settings.greeting.text }, onCluster);\n\n',
    ],
  ],
  "policy/rules/index.ts": [
    [
      'import { gpuDeclared } from "./gpu-declared.ts";\n',
      'import { greetingPolite } from "./greeting-polite.ts";\n',
    ],
    ["  gpuDeclared,\n", "  greetingPolite,\n"],
  ],
  "policy/declarations.ts": [
    ["  ...[\n", '    "ConfigMap/greeting",\n'],
    [
      "export const OBJECT_FIELDS: Readonly<Record<string, readonly string[]>> = {\n",
      '  "ConfigMap/greeting": [\'data["text"]\'],\n',
    ],
  ],
  "tools/plan/sentences/index.ts": [
    ['import { credentials } from "./credentials.ts";\n', 'import { greeting } from "./greeting.ts";\n'],
    ["export const capabilities: readonly Sentences[] = [\n", "  greeting,\n"],
  ],
  "test/fixtures/registrations.txt": [
    ["", "kubernetes:core/v1:ConfigMap greeting below greeting\n"],
    ["", "transcript-pipeline:index:Greeting greeting below transcript-pipeline-<stack>\n"],
  ],
};

/** Written by `npm run docs`. */
const GENERATED = ["README.md", "docs/policies.md", "docs/status.md", "docs/monitoring.md"];

describe("adding a capability takes the files that CONTRIBUTING.md names, and no other:", function () {
  this.timeout(240_000);
  let copy: string;
  const node = (...args: string[]) => {
    const ran = spawnSync(process.execPath, args, { cwd: copy, encoding: "utf8" });
    return { status: ran.status, output: ran.stdout + ran.stderr };
  };
  const succeeds = (...args: string[]) => {
    const { status, output } = node(...args);
    assert.equal(status, 0, output);
    return output;
  };

  before(() => {
    copy = mkdtempSync(join(tmpdir(), "capability-"));
    copyProject(copy);
    execFileSync("git", ["init", "-q"], { cwd: copy });
    execFileSync("git", ["add", "-A"], { cwd: copy });
    for (const [file, text] of Object.entries(OWN)) {
      mkdirSync(dirname(join(copy, file)), { recursive: true });
      writeFileSync(join(copy, file), text);
    }
    for (const [file, lines] of Object.entries(LINES)) {
      let text = readFileSync(join(copy, file), "utf8");
      for (const [after, line] of lines) {
        const at = text.indexOf(after);
        assert.ok(at >= 0, `${file} has no ${after}`);
        // The component itself goes before what stands there.
        const position = after.startsWith("  const ") ? at : at + after.length;
        text = text.slice(0, position) + line + text.slice(position);
      }
      writeFileSync(join(copy, file), text);
    }
  });
  after(() => rmSync(copy, { recursive: true, force: true }));

  it("it compiles, and no wall is broken", () => {
    succeeds("node_modules/typescript/bin/tsc", "--noEmit");
    const files = [...Object.keys(OWN), ...Object.keys(LINES)].filter((file) => file.endsWith(".ts"));
    succeeds("node_modules/eslint/bin/eslint.js", ...files);
  });

  it("its objects are registered, rendered and judged, and its sentences are printed", () => {
    succeeds("tools/render.ts", "--stack", "prod", "--out", "rendered/prod");
    const rendered = readdirSync(join(copy, "rendered/prod")).map((file) =>
      readFileSync(join(copy, "rendered/prod", file), "utf8"),
    );
    assert.equal(
      rendered.filter((text) => /name: greeting\n/.test(text) && /text: hello\n/.test(text)).length,
      1,
    );
    assert.ok(
      succeeds("tools/policy.ts", "--stack", "prod").includes(`${rules.length + 1} rules, 0 mandatory`),
    );
    const script = `
      import { summarize } from "./tools/plan/summary.ts";
      const urn = "urn:pulumi:prod::transcript-pipeline::kubernetes:core/v1:ConfigMap::greeting";
      const metadata = { op: "update", urn, type: "kubernetes:core/v1:ConfigMap" };
      console.log(JSON.stringify(summarize([{ resourcePreEvent: { metadata } }])));`;
    assert.match(succeeds("--input-type=module", "-e", script), /Greets otherwise/);
  });

  it("its section is read, documented, and its mistakes have words", () => {
    succeeds("tools/docs.ts");
    assert.match(readFileSync(join(copy, "README.md"), "utf8"), /`greeting\.text`.*hello/);
    assert.match(readFileSync(join(copy, "docs/policies.md"), "utf8"), /`greeting-polite`.*says something/);
    const file = join(copy, "Pulumi.prod.yaml");
    writeFileSync(file, `${readFileSync(file, "utf8")}  transcript-pipeline:greeting:\n    txet: hello\n`);
    const { status, output } = node("tools/render.ts", "--stack", "prod");
    assert.equal(status, 1, output);
    assert.match(output, /greeting\.txet: .*Did you mean greeting\.text\?/);
    execFileSync("git", ["checkout", "-q", "--", "Pulumi.prod.yaml"], { cwd: copy });
  });

  it("the tests of the whole hold: what is in people's state files, and the walls", () => {
    const tests = ["test/unit/registrations.test.ts", "test/unit/walls.test.ts", "test/unit/program.test.ts"];
    succeeds("node_modules/mocha/bin/mocha.js", "--reporter", "dot", "--timeout", "60000", ...tests);
  });

  it("nothing else has changed", () => {
    const listed = (...args: string[]) =>
      execFileSync("git", args, { cwd: copy, encoding: "utf8" })
        .split("\n")
        .filter((file) => file !== "");
    // Compared with what was added before.
    const changed = [
      ...listed("diff", "--name-only"),
      ...listed("ls-files", "--others", "--exclude-standard"),
    ];
    const named = [...Object.keys(OWN), ...Object.keys(LINES), ...GENERATED];
    assert.deepEqual(
      changed.filter((file) => !named.includes(file)),
      [],
    );
    const guide = readFileSync(projectFile("CONTRIBUTING.md"), "utf8");
    for (const file of Object.keys(LINES))
      assert.ok(guide.includes(`\`${file}\``), `CONTRIBUTING.md: ${file}`);
  });
});
