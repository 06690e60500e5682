import assert from "node:assert/strict";
import type { EngineEvent, EventStep } from "../../../../tools/engine/events.ts";
import { summarize } from "../../../../tools/plan/summary.ts";

/** What a plan says about a SealedSecret. */
function said(op: EventStep["op"], ...paths: string[]): string[] {
  const type = "kubernetes:bitnami.com/v1alpha1:SealedSecret";
  const metadata: EventStep = {
    ...{ op, type, urn: `urn:pulumi:prod::transcript-pipeline::${type}::postgres-logins` },
    old: { inputs: {} },
    new: { inputs: {} },
    detailedDiff: Object.fromEntries(paths.map((path) => [path, { diffKind: "update" as const }])),
  };
  const event: EngineEvent = { resourcePreEvent: { metadata } };
  return summarize([event]).statements.map(({ severity, text }) => `${severity}: ${text}`);
}

describe("what a plan says about sealed Secrets", () => {
  it("who makes the Secret from then on", () => {
    assert.match(
      said("create").join(),
      /^attention: The controller of Sealed Secrets makes the Secret `postgres-logins`/,
    );
    assert.match(
      said("delete").join(),
      /^attention: The controller no longer makes the Secret .* stays as it is/,
    );
  });

  it("that a Secret is taken back, and not that it is new", () => {
    const step = (op: EventStep["op"], type: string): EngineEvent => ({
      resourcePreEvent: {
        metadata: {
          ...{ op, type, urn: `urn:pulumi:prod::transcript-pipeline::${type}::postgres-logins` },
          old: { inputs: {} },
          new: { inputs: {} },
        },
      },
    });
    const { statements } = summarize([
      step("delete", "kubernetes:bitnami.com/v1alpha1:SealedSecret"),
      step("create", "kubernetes:core/v1:Secret"),
    ]);
    assert.equal(statements.length, 1);
    assert.match(statements[0]?.text ?? "", /^Takes the Secret `postgres-logins` back .* is not deleted/);
  });

  it("which values change, and not how", () => {
    assert.match(
      said("update", 'spec.encryptedData["readonly.alice"]', "spec.encryptedData.x").join(),
      /^attention: Changes a secret: SealedSecret .*readonly\.alice`, `x` sealed again$/,
    );
    assert.match(said("update", 'metadata.labels["a/b"]').join(), /^routine: Updates SealedSecret/);
  });

  it("that others could open them", () => {
    assert.match(
      said("update", 'metadata.annotations["sealedsecrets.bitnami.com/cluster-wide"]').join(),
      /^danger: Lets others open what is sealed/,
    );
  });
});
