import assert from "node:assert/strict";
import { pgHba } from "../../../../components/server/client-authentication.ts";
import type { EngineEvent, EventStep } from "../../../../tools/engine/events.ts";
import { summarize } from "../../../../tools/plan/summary.ts";

/** What a plan says about one change of an object's data. */
function said(
  op: EventStep["op"],
  type: string,
  name: string,
  before: Record<string, string> = {},
  after: Record<string, string> = {},
): string[] {
  const changed = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (key) => before[key] !== after[key],
  );
  const metadata: EventStep = {
    ...{ op, type, urn: `urn:pulumi:prod::transcript-pipeline::${type}::${name}` },
    old: { inputs: { data: before } },
    new: { inputs: { data: after } },
    detailedDiff: Object.fromEntries(changed.map((key) => [`data["${key}"]`, { diffKind: "update" }])),
  };
  const event: EngineEvent = { resourcePreEvent: { metadata } };
  return summarize([event]).statements.map(({ severity, text }) => `${severity}: ${text}`);
}
const CONFIG_MAP = "kubernetes:core/v1:ConfigMap";
const SECRET = "kubernetes:core/v1:Secret";
const PASSWORD = "random:index/randomPassword:RandomPassword";
const certificate = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
const trust = (before: string[], after: string[]) =>
  said(
    "update",
    CONFIG_MAP,
    "postgres-ca",
    { "ca.crt": before.map(certificate).join("") },
    { "ca.crt": after.map(certificate).join("") },
  );
const config = (before: Record<string, string>, after: Record<string, string>) =>
  said("update", CONFIG_MAP, "postgres-config", before, after);

describe("what a plan says about encryption", () => {
  it("is red when TLS is switched off, weakened, or no longer required", () => {
    const [on, off] = [{ "postgresql.conf": "ssl = 'on'\n" }, { "postgresql.conf": "" }];
    assert.match(config(on, off).join("\n"), /danger: Switches TLS off/);
    const of = (version: string) => ({
      "postgresql.conf": `ssl = 'on'\nssl_min_protocol_version = '${version}'\n`,
    });
    assert.match(
      config(of("TLSv1.3"), of("TLSv1.2")).join("\n"),
      /danger: Accepts a weaker protocol.*TLSv1\.3.*TLSv1\.2/,
    );
    assert.doesNotMatch(config(of("TLSv1.2"), of("TLSv1.3")).join("\n"), /weaker/);
    const [strict, loose] = [{ "pg_hba.conf": pgHba([], true) }, { "pg_hba.conf": pgHba() }];
    assert.match(
      config(strict, loose).join("\n"),
      /danger: Accepts logins over the network without encryption/,
    );
  });

  it("says what the switch does to a stack from before", () => {
    const [strict, loose] = [{ "pg_hba.conf": pgHba([], true) }, { "pg_hba.conf": pgHba() }];
    assert.match(
      config(loose, strict).join("\n"),
      /attention: Refuses logins over the network without encryption/,
    );
    const [off, on] = [{ "postgresql.conf": "" }, { "postgresql.conf": "ssl = 'on'\n" }];
    assert.match(config(off, on).join("\n"), /attention: Encrypts connections from now on/);
  });

  it("tells the steps of a new authority apart, and is red where clients are cut off", () => {
    assert.match(trust(["a"], ["a", "b"]).join("\n"), /^attention: Adds an authority to what clients trust/);
    assert.match(trust(["a", "b"], ["b", "a"]).join("\n"), /^attention: Changes the order/);
    assert.match(trust(["b", "a"], ["b"]).join("\n"), /^danger: Takes an authority away/);
    assert.match(trust(["a"], ["b"]).join("\n"), /^danger: Takes an authority away/);
    assert.match(
      said("update", SECRET, "postgres-ca", { "tls.key": "a" }, { "tls.key": "b" }).join("\n"),
      /^danger: Changes the authority that signs/,
    );
    assert.match(said("delete", SECRET, "postgres-ca").join("\n"), /^danger: Takes away the key/);
    assert.match(
      said("delete", CONFIG_MAP, "postgres-ca").join("\n"),
      /^danger: Takes away what clients verify/,
    );
  });

  it("names the authority that is generated or forgotten", () => {
    assert.match(
      said("delete", PASSWORD, "postgres-tls-authority-2026").join("\n"),
      /^danger: Forgets.*2026/,
    );
  });
});
