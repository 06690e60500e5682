import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { checkPackConfig, type PackConfig, PackError, readConfig } from "../../policy/configuration.ts";
import { judge, messageOf } from "../../policy/judgement.ts";
import { rules } from "../../policy/rules/index.ts";
import { imageDigest } from "../../policy/rules/image-digest.ts";
import { hashOf } from "../../policy/programs.ts";
import { projectFile } from "../../tools/cli.ts";
import { add, changed, DAY, decentDeployment, type Judged, metadata, set, setAt, stackOf } from "./stacks.ts";

const waiver = {
  rule: "no-token",
  resource: "StatefulSet/postgres",
  reason: "it speaks to the API",
  until: "2026-12-31",
};

describe("waivers", function () {
  this.timeout(60_000);
  let broken: Judged;
  before(async () => {
    broken = changed(
      await stackOf("prod"),
      set("StatefulSet/postgres", "spec/template/spec/automountServiceAccountToken", true),
    );
  });
  const said = (waivers: unknown[], day = DAY) =>
    judge(rules, broken.resources, { ...broken.config, "no-token": { waivers } }, day)
      .filter(({ rule }) => rule.name === "no-token")
      .map(messageOf);

  it("let one resource break one rule, up to their last day", () => {
    assert.equal(said([]).length, 1);
    assert.deepEqual(said([waiver]), []);
    assert.deepEqual(said([waiver], "2026-12-31"), []);
  });

  it("fail when they have ended, whether or not there is still something to waive", async () => {
    assert.equal(said([waiver], "2027-01-01").length, 2);
    assert.match(
      said([waiver], "2027-01-01").join(),
      /its waiver ended on 2026-12-31 \(it speaks to the API\)/,
    );
    const prod = await stackOf("prod");
    const ended = judge(
      rules,
      prod.resources,
      { ...prod.config, "no-token": { waivers: [waiver] } },
      "2027-01-01",
    );
    assert.ok(ended.some(({ rule, why }) => rule.name === "no-token" && why.includes("ended")));
  });

  it("are for the resource they name, and for no other", () => {
    assert.equal(said([{ ...waiver, resource: "StatefulSet/other" }]).length, 1);
  });

  it("name their rule", () => {
    assert.match(
      said([{ ...waiver, rule: "probes" }]).join(),
      /a waiver under no-token names the rule probes/,
    );
  });

  it("end on a day of the calendar", () => {
    assert.match(said([{ ...waiver, until: "2026-13-40" }]).join(), /is not a day of the calendar/);
  });

  for (const field of ["rule", "resource", "reason", "until"] as const) {
    it(`are refused without ${field}`, () => {
      assert.throws(
        () => said([{ ...waiver, [field]: undefined }]),
        new RegExp(`waivers\\[0\\]\\.${field} is missing`),
      );
    });
  }

  it("are refused for everything at once, or without a real reason", () => {
    assert.throws(() => said([{ ...waiver, resource: "*" }]), PackError);
    assert.throws(() => said([{ ...waiver, reason: "later" }]), PackError);
  });

  it("are the last of the four things that a new workload takes, in the order of docs/policies.md", async () => {
    const prod = await stackOf("prod");
    const body = decentDeployment("api");
    const container = "spec/template/spec/containers/0";
    setAt(body, `${container}/envFrom`, [{ secretRef: { name: "postgres-login-worker" } }]);
    const plain = ["PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGAPPNAME", "NODE_ENV", "LOG_LEVEL"];
    const name = { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } };
    setAt(body, `${container}/env`, [...plain.map((one) => ({ name: one, value: "x" })), name]);
    setAt(body, "spec/template/spec/volumes", [
      { name: "tmp", emptyDir: { sizeLimit: "16Mi" } },
      { name: "config", configMap: { name: "api-config" } },
    ]);
    setAt(body, `${container}/volumeMounts`, [
      { name: "tmp", mountPath: "/tmp" },
      { name: "config", mountPath: "/etc/api", readOnly: true },
    ]);
    setAt(body, "spec/template/metadata/annotations", {
      "prometheus.io/scrape": "true",
      "checksum/config": "0123abcd",
    });
    setAt(body, `${container}/resources/limits/nvidia.com~1gpu`, 1);
    setAt(body, `${container}/args`, ["serve"]);
    setAt(body, `${container}/image`, "ghcr.io/example/api:1.2.3");
    const { resources } = changed(
      prod,
      add("kubernetes:apps/v1:Deployment", body),
      add("kubernetes:core/v1:ConfigMap", {
        metadata: metadata("api-config"),
        data: { "api.yaml": "port: 8080" },
      }),
    );
    const steps: [string, Record<string, unknown>][] = [
      ["declared-kinds", { declared: ["kubernetes:apps/v1:Deployment"] }],
      [
        "declared-environment",
        {
          declared: [
            "Deployment/api api all from secret postgres-login-worker",
            "Deployment/api api POD_NAME from field metadata.name",
          ],
        },
      ],
      [
        "declared-mounts",
        {
          declared: [
            "Deployment/api api /tmp emptyDir tmp",
            "Deployment/api api /etc/api read-only configMap api-config",
          ],
        },
      ],
      ["declared-objects", { declared: ["ConfigMap/api-config in transcript-pipeline"] }],
      [
        "declared-fields",
        {
          declared: [
            'ConfigMap/api-config data["api.yaml"]',
            'Deployment/api spec.template.metadata.annotations["prometheus.io/scrape"]',
          ],
        },
      ],
      ["gpu-declared", { workloads: ["Deployment/api"] }],
      ["declared-programs", { declared: [`Deployment/api api args ${hashOf(["serve"])}`] }],
      [
        "image-digest",
        {
          waivers: [
            ...((prod.config["image-digest"]?.waivers ?? []) as unknown[]),
            { ...waiver, rule: "image-digest", resource: "Deployment/api" },
          ],
        },
      ],
    ];
    const refusedBy = (config: PackConfig, day = DAY) => [
      ...new Set(
        judge(rules, resources, config, day)
          .filter(({ rule }) => rule.level === "mandatory")
          .map(({ rule }) => rule.name),
      ),
    ];
    const documented = readFileSync(projectFile("docs/policies.md"), "utf8");
    for (const [rule, { declared = [] }] of steps) {
      // Its hash is the violation's to print.
      for (const line of rule === "declared-programs" ? [] : (declared as string[])) {
        assert.ok(documented.includes(line), `docs/policies.md does not have ${line}`);
      }
    }
    const taken: PackConfig = { ...prod.config };
    for (const [rule, fields] of steps) {
      assert.ok(refusedBy(taken).includes(rule), `${rule} refuses nothing`);
      taken[rule] = { ...taken[rule], ...fields };
    }
    assert.deepEqual(refusedBy(taken), []);
    assert.deepEqual(refusedBy(taken, "2027-01-01"), ["image-digest"]);
  });

  it("carry prod until a digest has been read, and then fail", async () => {
    const prod = await stackOf("prod");
    const later = judge([imageDigest], prod.resources, prod.config, "2099-01-01");
    assert.ok(later.length > 0);
  });
});

describe("the pack's configuration", function () {
  this.timeout(60_000);
  it("gives every field its default, and every field says what it is", () => {
    assert.deepEqual(readConfig(imageDigest, {}).config, { required: true });
    for (const { schema } of rules) {
      for (const property of Object.values(schema?.properties ?? {}))
        assert.match(property.description, /\S/);
    }
  });

  it("is refused with a field that no rule has, or of another type", () => {
    assert.throws(
      () => readConfig(imageDigest, { require: true }),
      /image-digest\.require is unknown; known fields: required, waivers/,
    );
    assert.throws(
      () => readConfig(imageDigest, { required: "no" }),
      /image-digest\.required is "no", not boolean/,
    );
  });

  it("is refused with a rule that does not exist, is switched off or lowered", () => {
    assert.throws(() => checkPackConfig(rules, { "image-digests": {} }), /there is no rule image-digests/);
    assert.throws(() => checkPackConfig(rules, { all: "disabled" }), PackError);
    assert.throws(
      () => checkPackConfig(rules, { probes: { enforcementLevel: "advisory" } }),
      /write a waiver instead/,
    );
  });

  it("is refused without a required field", async () => {
    const prod = await stackOf("prod");
    assert.throws(() => judge(rules, prod.resources, {}, DAY), /volume-pinned\.node is missing/);
    assert.throws(() => judge(rules, [], prod.config, DAY), /there are no resources to judge/);
  });
});
