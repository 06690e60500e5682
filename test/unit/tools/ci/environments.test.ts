import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../../../tools/cli.ts";
import { policyFlags, type CiStack } from "../../../../tools/ci/stack.ts";
import { environments } from "../../../../tools/ci/environments.ts";

describe("the environments", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "environments-"));
    for (const name of ["Pulumi.yaml", "Pulumi.prod.yaml", "Pulumi.dev.yaml", "package.json"])
      writeFileSync(join(directory, name), "");
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("are the stack files, dev first", () => {
    for (const name of [
      "Pulumi.eu-west-2.yaml",
      "Pulumi.prod.eu.yaml",
      "Pulumi.a.yaml",
      "Pulumi.preview.yaml",
      "Pulumi.prod.yaml.orig",
    ])
      writeFileSync(join(directory, name), "");
    assert.deepEqual(environments(directory), ["dev", "a", "eu-west-2", "preview", "prod", "prod.eu"]);
  });

  for (const [file, says] of [
    ["Pulumi.--help.yaml", /"--help" is not of the form/],
    ["Pulumi.-x.yaml", /"-x" is not of the form/],
    ["Pulumi.x-.yaml", /"x-" is not of the form/],
    ["Pulumi.a--b.yaml", /"a--b" is not of the form/],
    ["Pulumi.__proto__.yaml", /"__proto__" is not of the form/],
    ["Pulumi.constructor.yaml", /"constructor" is a word with another meaning in JavaScript/],
    ["Pulumi.true.yaml", /"true" is a word with/],
    ["Pulumi.toString.yaml", /"toString" is not of the form/],
    ["Pulumi.PROD.yaml", /"PROD" is not of the form/],
    ["Pulumi.Prod.yaml", /"Prod" is not of the form/],
    ["Pulumi.preview-prod.yaml", /"preview-prod" begins with 'preview-'/],
    ["Pulumi.Preview-Prod.yaml", /begins with 'preview-'/],
    ["Pulumi.1st.yaml", /"1st" is not of the form/],
    ["Pulumi.a_b.yaml", /"a_b" is not of the form/],
    ["Pulumi.a..b.yaml", /"a\.\.b" is not of the form/],
    ["Pulumi.a.-b.yaml", /"a\.-b" is not of the form/],
    ["Pulumi.a.B.yaml", /"a\.B" is not of the form/],
    ["Pulumi.prod.bak.yaml", /"prod\.bak" ends like a copy/],
    ["Pulumi.prod-old.yaml", /"prod-old" ends like a copy/],
    ["Pulumi.prod.example.yaml", /"prod\.example" ends like a copy/],
    ["Pulumi.$(id).yaml", /is not of the form/],
    ["Pulumi.a\n::error::b.yaml", /"a\\n::error::b" is not of the form/],
    ["Pulumi.pröd.yaml", /is not of the form/],
    [`Pulumi.${"a".repeat(41)}.yaml`, /is not of the form/],
    ["Pulumi.test.yml", /"test" is not read by Pulumi here: its file ends in \.yml/],
    ["Pulumi.test.json", /its file ends in \.json/],
    ["pulumi.test.yaml", /"pulumi\.test\.yaml": the name "test" is not read by Pulumi here/],
  ] as const) {
    it(`do not include ${JSON.stringify(file)}, which is an error that says so`, () => {
      writeFileSync(join(directory, file), "");
      assert.throws(
        () => environments(directory),
        (error: Error) => {
          assert.match(error.message, says);
          assert.match(error.message, /Allowed: a regular file Pulumi\.<name>\.yaml.*git mv$/);
          // A line of a runner's log that begins with :: would be a command.
          assert.ok(!error.message.includes("\n"));
          return true;
        },
      );
    });
  }

  it("do not include a link or a directory of that name", () => {
    symlinkSync("/etc/passwd", join(directory, "Pulumi.link.yaml"));
    mkdirSync(join(directory, "Pulumi.folder.yaml"));
    assert.throws(
      () => environments(directory),
      /"link" is not a regular file.*\n.*|"folder" is not a regular file/,
    );
  });

  describe("are judged by the policy pack", () => {
    const flagsOf = (stack: string, pack = "policy") =>
      policyFlags({ stack, directory, hostname: "gen9" } as CiStack, pack);

    it("with their own configuration, if there is one", () => {
      assert.deepEqual(flagsOf("prod"), [
        ...["--policy-pack", "policy"],
        ...["--policy-pack-config", projectFile("policy/config.prod.json")],
      ]);
    });

    it("else with production's, and the node that their own file names", () => {
      const flags = flagsOf("prod.eu");
      assert.deepEqual(flags.slice(0, 3), ["--policy-pack", "policy", "--policy-pack-config"]);
      const read = (file: string) =>
        JSON.parse(readFileSync(file, "utf8")) as Record<string, Record<string, unknown>>;
      const production = read(projectFile("policy/config.prod.json"));
      assert.deepEqual(read(flags[3] ?? ""), {
        ...production,
        "volume-pinned": { ...production["volume-pinned"], node: "gen9" },
        placement: { ...production.placement, node: "gen9" },
      });
    });

    it("of another kind, which has its own configurations or none, without one", () => {
      assert.deepEqual(flagsOf("prod", directory), ["--policy-pack", directory]);
    });
  });
});
