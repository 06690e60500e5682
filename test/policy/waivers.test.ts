import assert from "node:assert/strict";
import { checkPackConfig, PackError, readConfig } from "../../policy/configuration.ts";
import { judge, messageOf } from "../../policy/judgement.ts";
import { rules } from "../../policy/rules/index.ts";
import { imageDigest } from "../../policy/rules/image-digest.ts";
import { changed, DAY, type Judged, set, stackOf } from "./stacks.ts";

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

  it("let one resource off one rule, up to their last day", () => {
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
    assert.match(said([{ ...waiver, until: "2026-13-40" }]).join(), /is no day of the calendar/);
  });

  for (const field of ["rule", "resource", "reason", "until"] as const) {
    it(`are refused without ${field}`, () => {
      assert.throws(
        () => said([{ ...waiver, [field]: undefined }]),
        new RegExp(`waivers\\[0\\]\\.${field} is missing`),
      );
    });
  }

  it("are refused for everything at once, or without a reason worth the name", () => {
    assert.throws(() => said([{ ...waiver, resource: "*" }]), PackError);
    assert.throws(() => said([{ ...waiver, reason: "later" }]), PackError);
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
      /image-digest\.require is unknown; there are required, waivers/,
    );
    assert.throws(
      () => readConfig(imageDigest, { required: "no" }),
      /image-digest\.required is "no", not boolean/,
    );
  });

  it("is refused with a rule that is not there, switched off or turned down", () => {
    assert.throws(() => checkPackConfig(rules, { "image-digests": {} }), /there is no rule image-digests/);
    assert.throws(() => checkPackConfig(rules, { all: "disabled" }), PackError);
    assert.throws(
      () => checkPackConfig(rules, { probes: { enforcementLevel: "advisory" } }),
      /write a waiver instead/,
    );
  });

  it("is refused without what a rule cannot do without", async () => {
    const prod = await stackOf("prod");
    assert.throws(() => judge(rules, prod.resources, {}, DAY), /volume-pinned\.node is missing/);
    assert.throws(() => judge(rules, [], prod.config, DAY), /there are no resources to judge/);
  });
});
