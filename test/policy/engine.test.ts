import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PackConfig } from "../../policy/configuration.ts";
import { judgeOne } from "../../policy/judgement.ts";
import type { Rule } from "../../policy/rule.ts";
import { rules } from "../../policy/rules/index.ts";
import { UNKNOWN } from "../../policy/values.ts";
import { projectFile } from "../../tools/cli.ts";
import { findEngine } from "../../tools/engine/engine.ts";
import { breaks, brokenBy } from "./breaks.ts";
import { Deployments, type Outcome } from "./deployment.ts";
import { add, changed, DAY, drop, type Judged, metadata, type Name, set, stackOf } from "./stacks.ts";
import { sampled, shareOf } from "../sample.ts";
import { skip } from "../skip.ts";

const PV = "PersistentVolume/postgres-pv";
const SERVER = "spec/template/spec/containers/0";
const UP = ["up", "--yes", "--skip-preview"];
/** Enough to keep two cores busy. */
const AT_ONCE = 3;

/** The configuration with waivers that hold on the day of the test: the engine's clock cannot be set. */
function heldToday(config: PackConfig): PackConfig {
  const tomorrow = new Date(Date.now() + 2 * 86_400_000).toISOString().slice(0, 10);
  return JSON.parse(JSON.stringify(config), (key, value: unknown) =>
    key === "until" ? tomorrow : value,
  ) as PackConfig;
}

/** Applies a function to each entry, a few at a time. */
async function eachOf<Entry, Result>(
  entries: readonly Entry[],
  apply: (entry: Entry) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < entries.length; index = next++) {
      results[index] = await apply(entries[index] as Entry);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

/**
 * The part of a broken stack that a rule about single resources objects to, with the provider it needs: nothing
 * else can then stop it.
 */
function essence(rule: Rule, broken: Judged): Judged {
  if (!("checkResource" in rule)) return broken;
  const resources = broken.resources.filter(
    (resource) =>
      resource.type === "pulumi:providers:kubernetes" ||
      judgeOne([rule], resource, broken.config, DAY).length > 0,
  );
  return { ...broken, resources, config: { ...broken.config, "expected-resources": { kinds: [] } } };
}

describe("the pack in the real engine", function () {
  this.timeout(180_000);
  let directory: string;
  let deployments: Deployments;
  let prod: Judged;
  const stacks = new Map<Name, Judged>();

  before(async function () {
    const engine = await findEngine();
    if ("reason" in engine) {
      skip(this, "no Pulumi CLI is available on this machine");
    }
    directory = mkdtempSync(join(tmpdir(), "policy-engine-"));
    deployments = new Deployments(engine, directory);
    await deployments.prepare();
    for (const name of ["dev", "prod"] as const) {
      const stack = await stackOf(name);
      const config = {
        ...heldToday(stack.config),
        // A provider that writes files takes no context.
        "explicit-provider": { context: false },
        "declared-providers": { declared: ["kubernetes cluster renderYamlToDirectory"] },
      };
      stacks.set(name, { ...stack, config });
    }
    prod = stacks.get("prod") as Judged;
  });
  after(() => {
    if (directory) rmSync(directory, { recursive: true, force: true });
  });

  const isStopped = ({ succeeded, output, deployed }: Outcome, by: RegExp) => {
    assert.equal(succeeded, false, `it was deployed:\n${output}`);
    assert.match(output, by);
    assert.equal(deployed, 0, "objects were deployed");
  };

  for (const name of ["dev", "prod"] as const) {
    it(`deploys ${name} as it is committed`, async () => {
      const { succeeded, output, deployed } = await deployments.run(
        ["up", "--yes"],
        stacks.get(name) as Judged,
      );
      assert.ok(succeeded, output);
      assert.doesNotMatch(output, /\[mandatory\]/);
      assert.equal(
        deployed,
        stacks.get(name)?.resources.filter(({ type }) => type.startsWith("kubernetes:")).length,
      );
    });
  }

  it("previews the program itself, and lets prod pass", async () => {
    const config = join(directory, "prod.json");
    writeFileSync(config, JSON.stringify(heldToday((await stackOf("prod")).config)));
    const stackFile = join(directory, "Pulumi.prod.yaml");
    writeFileSync(stackFile, readFileSync(projectFile("Pulumi.prod.yaml")));
    const { succeeded, output } = await deployments.previewProgram("prod", stackFile, config);
    assert.ok(succeeded, output);
    assert.doesNotMatch(output, /\[mandatory\]/);
    assert.match(output, /\[advisory\] {2}postgres-doubtful/);
  });

  it("stops a stack that breaks a mandatory rule, whichever it is", async function () {
    this.timeout(1_800_000);
    const every = Object.entries(breaks).map(([rule, [way]]) => ({ rule, way }));
    const ways = sampled("rules broken in the engine", every, 8);
    const failures: string[] = [];
    let alone = 0;
    await eachOf(ways, async ({ rule, way }) => {
      if (!way) return;
      const judged = rules.find(({ name }) => name === rule) as Rule;
      const broken = essence(judged, brokenBy(way, stacks.get(way.stack ?? "prod") as Judged));
      const outcome = await deployments.run(["up", "--yes"], { ...broken, config: heldToday(broken.config) });
      const said = new RegExp(`\\[mandatory\\] {2}${rule} `).test(outcome.output);
      const others = [...outcome.output.matchAll(/\[mandatory\] {2}(\S+)/g)].filter(
        ([, name]) => name !== rule,
      );
      if (others.length === 0) alone++;
      if (outcome.succeeded || outcome.deployed > 0 || !said) {
        failures.push(
          `${rule}: ${outcome.succeeded ? "deployed" : said ? "deployed in part" : `stopped by something else:\n${outcome.output}`}`,
        );
      }
    });
    console.log(
      `      mandatory rules broken one by one, ${shareOf(ways, every)}: ${ways.length - failures.length} stacks stopped, ${alone} of them by that rule alone`,
    );
    assert.deepEqual(failures, []);
  });

  it("stops at the resource in an update without a preview", async () => {
    const first = prod.resources.filter(({ type }) => !type.startsWith("kubernetes:"));
    const volume = prod.resources.filter(({ type }) => type.endsWith(":PersistentVolume"));
    const broken = changed(
      { ...prod, resources: [...first, ...volume] },
      set(PV, "spec/persistentVolumeReclaimPolicy", "Delete"),
    );
    isStopped(await deployments.run(UP, broken), /\[mandatory\] {2}volume-retained/);
  });

  it("does not let unknown values hide a reclaim policy or missing limits", async () => {
    const broken = changed(
      prod,
      set(PV, "spec/persistentVolumeReclaimPolicy", "Delete"),
      set(PV, "metadata/labels/app.kubernetes.io~1name", UNKNOWN),
      set(PV, "spec/capacity/storage", UNKNOWN),
      drop("StatefulSet/postgres", `${SERVER}/resources/limits/memory`),
      set("StatefulSet/postgres", `${SERVER}/image`, UNKNOWN),
      set("StatefulSet/postgres", `${SERVER}/command`, UNKNOWN),
      set("StatefulSet/postgres", "metadata/labels", UNKNOWN),
    );
    const outcome = await deployments.run(["preview"], broken);
    isStopped(outcome, /\[mandatory\] {2}volume-retained[^]*persistentVolumeReclaimPolicy is "Delete"/);
    assert.match(
      outcome.output,
      /\[mandatory\] {2}resource-limits[^]*container postgres has resources.limits.memory missing/,
    );
    assert.doesNotMatch(outcome.output, /can't run policy/);
  });

  it("treats an unknown reclaim policy or limit as broken", async () => {
    const broken = changed(
      prod,
      set(PV, "spec/persistentVolumeReclaimPolicy", UNKNOWN),
      set("StatefulSet/postgres", "spec/template/spec/containers", UNKNOWN),
      set("Job/postgres-init", `${SERVER}/resources/limits/memory`, UNKNOWN),
    );
    const outcome = await deployments.run(["preview"], broken);
    isStopped(outcome, /\[mandatory\] {2}volume-retained[^]*not known before the deployment/);
    assert.match(outcome.output, /StatefulSet\/postgres: .*cannot be seen/);
    assert.match(
      outcome.output,
      /Job\/postgres-init: container migrate has resources.limits.memory not known/,
    );
  });

  it("lets a preview pass when no unknown value affects data, limits or privileges", async () => {
    const harmless = changed(
      prod,
      set("StatefulSet/postgres", "metadata/namespace", UNKNOWN),
      set("StatefulSet/postgres", `${SERVER}/readinessProbe/exec/command/0`, UNKNOWN),
      set("StatefulSet/postgres", `${SERVER}/startupProbe/failureThreshold`, UNKNOWN),
      add("kubernetes:networking.k8s.io/v1:NetworkPolicy", {
        metadata: metadata("clients"),
        spec: {
          podSelector: { matchLabels: { app: "postgres" } },
          policyTypes: ["Ingress"],
          ingress: [{ from: UNKNOWN, ports: [{ port: 5432, protocol: "TCP" }] }],
        },
      }),
    );
    const config = {
      ...harmless.config,
      "declared-objects": { declared: ["NetworkPolicy/clients in transcript-pipeline"] },
    };
    const { succeeded, output } = await deployments.run(["preview"], { ...harmless, config });
    assert.ok(succeeded, output);
    assert.doesNotMatch(output, /\[mandatory\]|can't run policy/);
  });

  it("stops when a rule crashes", async () => {
    const outcome = await deployments.run(
      UP,
      { ...prod, config: undefined },
      projectFile("test/policy/fixtures/crashing-pack"),
    );
    isStopped(outcome, /a fault in the rule itself/);
  });

  it("stops when the pack cannot be loaded", async () => {
    const outcome = await deployments.run(UP, prod, projectFile("test/policy/fixtures"));
    isStopped(outcome, /PulumiPolicy\.yaml|policy pack/);
  });

  it("stops without its configuration", async () => {
    isStopped(await deployments.run(UP, { ...prod, config: undefined }), /node is required/);
  });

  it("stops at a configuration that it does not understand", async () => {
    const config = { ...prod.config, placement: { node: "gen8", nodes: ["gen9"] } };
    isStopped(
      await deployments.run(UP, { ...prod, config }),
      /placement\.nodes is unknown; known fields: node, waivers/,
    );
  });

  it("stops at a waiver that has ended", async () => {
    const config = {
      ...prod.config,
      "image-digest": {
        waivers: [
          {
            rule: "image-digest",
            resource: "StatefulSet/postgres",
            reason: "not read from the registry yet",
            until: "2020-01-01",
          },
        ],
      },
    };
    isStopped(
      await deployments.run(UP, { ...prod, config }),
      /\[mandatory\] {2}image-digest[^]*its waiver ended on 2020-01-01/,
    );
  });

  it("stops when it finds none of the expected resources", async () => {
    const resources = prod.resources.filter(({ type }) => !type.startsWith("kubernetes:"));
    isStopped(
      await deployments.run(["up", "--yes"], { ...prod, resources }),
      /\[mandatory\] {2}expected-resources[^]*there is no StatefulSet/,
    );
  });
});
