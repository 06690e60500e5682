import assert from "node:assert/strict";
import { ConfigurationError, readSettings } from "../../../config.ts";
import { deployable, type Raw } from "../../settings.ts";

function problems(changes: Raw): string {
  try {
    readSettings("prod", { ...deployable(), ...changes });
    return "";
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.message;
  }
}
const warnings = (changes: Raw) => readSettings("prod", { ...deployable(), ...changes }).warnings.join("\n");

describe("the section monitoring", () => {
  it("has nobody collect metrics where nothing is set", () => {
    assert.equal(readSettings("prod", deployable()).settings.monitoring.prometheus, "none");
  });

  it("names what is allowed", () => {
    assert.match(
      problems({ monitoring: { prometheus: "yes" } }),
      /monitoring\.prometheus.*none, annotations, operator(,| or) bundled/,
    );
    assert.match(problems({ monitoring: { retentionSize: "much" } }), /monitoring\.retentionSize.*a size/);
  });

  it("takes the name exporter for itself only where there are metrics", () => {
    const database = { ...deployable().database, logins: { exporter: "readonly" } };
    assert.equal(problems({ database }), "");
    assert.match(
      problems({ database, monitoring: { prometheus: "bundled" } }),
      /database\.logins\.exporter: is the name of the login that reads the figures for monitoring\.prometheus/,
    );
    const owner = { ...deployable().database, owner: "exporter" };
    assert.match(
      problems({ database: owner, monitoring: { prometheus: "bundled" } }),
      /database\.owner: is "exporter"/,
    );
  });

  it("warns where somebody collects metrics whom the network policies do not let in", () => {
    const prometheus = { namespace: "monitoring" };
    for (const kind of ["operator", "annotations"]) {
      const monitoring = { prometheus: kind };
      assert.match(warnings({ monitoring }), /nobody may read the metrics.*network\.scrapers/);
      assert.doesNotMatch(warnings({ monitoring, network: { scrapers: { prometheus } } }), /may read/);
      assert.doesNotMatch(warnings({ monitoring, network: { policies: "none" } }), /may read/);
    }
    assert.doesNotMatch(warnings({ monitoring: { prometheus: "bundled" } }), /may read/);
  });

  it("refuses scrapers of nothing, and those that are everybody next to the database", () => {
    assert.match(
      problems({ network: { scrapers: { prometheus: { namespace: "monitoring" } } } }),
      /network\.scrapers\.prometheus: is not used: monitoring\.prometheus is none/,
    );
    assert.match(
      problems({ monitoring: { prometheus: "bundled" }, network: { scrapers: { own: {} } } }),
      /network\.scrapers\.own: names nobody/,
    );
  });
});
