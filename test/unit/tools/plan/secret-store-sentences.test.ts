import assert from "node:assert/strict";
import type { EngineEvent, EventStep } from "../../../../tools/engine/events.ts";
import { summarize } from "../../../../tools/plan/summary.ts";

const EXTERNAL = "kubernetes:external-secrets.io/v1:ExternalSecret";
const SECRET = "kubernetes:core/v1:Secret";

function spec(store = "vault", values = ["owner"], target: object = {}) {
  return {
    secretStoreRef: { kind: "SecretStore", name: store },
    target: { creationPolicy: "Orphan", deletionPolicy: "Retain", ...target },
    data: values.map((key) => ({ secretKey: key, remoteRef: { key } })),
  };
}

function step(op: EventStep["op"], type: string, name: string, before?: object, after?: object): EngineEvent {
  const metadata: EventStep = {
    ...{ op, type, urn: `urn:pulumi:prod::transcript-pipeline::${type}::${name}` },
    ...(before && { old: { inputs: { spec: before } } }),
    ...(after && { new: { inputs: { spec: after } } }),
    ...(op === "update" && { detailedDiff: { spec: { diffKind: "update" } } }),
  };
  return { resourcePreEvent: { metadata } };
}
const said = (...events: EngineEvent[]) =>
  summarize(events).statements.map(({ severity, text }) => `${severity}: ${text}`);

describe("what a plan says about a secret store", () => {
  it("is, on the way there, which Secrets it takes over, and that none is deleted", () => {
    const lines = said(
      step("create", EXTERNAL, "postgres-secret", undefined, spec()),
      step("create", EXTERNAL, "postgres-superuser", undefined, spec()),
    );
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(
      lines[0] ?? "",
      /^attention: Takes the values of `postgres-secret`, `postgres-superuser` from the store `SecretStore vault`: no Secret is deleted/,
    );
  });

  it("is, on the way back, whose passwords are in force, and nothing of a new Secret", () => {
    const lines = said(
      step("create", SECRET, "postgres-secret", undefined, {}),
      step("delete", EXTERNAL, "postgres-secret", spec()),
    );
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(
      lines[0] ?? "",
      /^attention: Takes `postgres-secret` back from the store.*from before the store, are in force again/,
    );
  });

  it("is red for another store", () => {
    const [line, ...more] = said(step("update", EXTERNAL, "postgres-secret", spec(), spec("other")));
    assert.deepEqual(more, []);
    assert.match(
      line ?? "",
      /^danger: Takes the values of `postgres-secret` from another store: `SecretStore vault` → `SecretStore other`/,
    );
  });

  it("is red for a Secret that would not stay", () => {
    const lines = said(
      step(
        "update",
        EXTERNAL,
        "postgres-secret",
        spec(),
        spec("vault", ["owner"], { creationPolicy: "Owner" }),
      ),
    );
    assert.match(
      lines.join("\n"),
      /danger: Changes whether the Secret `postgres-secret` stays: creationPolicy `Orphan` → `Owner`/,
    );
  });

  it("is which value a new login needs", () => {
    const lines = said(
      step(
        "update",
        EXTERNAL,
        "postgres-logins",
        spec("vault", ["a"]),
        spec("vault", ["a", "t/prod/login-app"]),
      ),
    );
    assert.deepEqual(lines.length, 1);
    assert.match(
      lines[0] ?? "",
      /^attention: Reads `t\/prod\/login-app` from the store `SecretStore vault`: without it/,
    );
  });

  it("is that a login's Secret goes with the login, and little of any other change", () => {
    assert.match(
      said(step("delete", EXTERNAL, "postgres-login-app", spec())).join(),
      /`postgres-login-app` is not made from the store any more, and is deleted/,
    );
    assert.match(
      said(step("update", EXTERNAL, "postgres-secret", spec(), spec())).join(),
      /^routine: Updates/,
    );
  });
});
