import assert from "node:assert/strict";
import { ConfigurationError, readSettings } from "../../../config.ts";
import { alertmanagerDestinations } from "../../../config/network.ts";
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

  it("takes an Alertmanager for the bundled Prometheus alone, and its port only with it", () => {
    const alertmanager = "alertmanager.monitoring.svc";
    const reading = readSettings("prod", {
      ...deployable(),
      monitoring: { prometheus: "bundled", alertmanager },
    });
    assert.deepEqual(alertmanagerDestinations(reading.settings), [
      { ports: [9093], namespace: "monitoring", podLabels: undefined },
    ]);
    assert.match(
      problems({ monitoring: { prometheus: "operator", alertmanager } }),
      /monitoring\.alertmanager: is "alertmanager\.monitoring\.svc", and is used by the bundled Prometheus alone: monitoring\.prometheus is operator\. To remove it/,
    );
    assert.match(
      problems({ monitoring: { prometheus: "bundled", alertmanagerPort: 9094 } }),
      /monitoring\.alertmanagerPort: is 9094, the port of no host\. Set one: pulumi config set --path monitoring\.alertmanager <value>/,
    );
    assert.match(
      problems({ monitoring: { prometheus: "bundled", alertmanager: "http://x:9093" } }),
      /monitoring\.alertmanager.*only a host name or an IP address.*monitoring\.alertmanagerPort/,
    );
  });

  it("says where the Alertmanager is, and refuses where one is that is not configured", () => {
    const monitoring = { prometheus: "bundled", alertmanager: "192.168.1.9", alertmanagerPort: 9094 };
    const at = (alertmanager: object) =>
      alertmanagerDestinations(
        readSettings("prod", { ...deployable(), monitoring, network: { alertmanager } }).settings,
      );
    assert.deepEqual(at({}), [{ ports: [9094], ranges: ["192.168.1.9/32"] }]);
    assert.deepEqual(at({ ranges: ["192.168.1.0/24"], ports: [80] }), [
      { ports: [80], ranges: ["192.168.1.0/24"] },
    ]);
    assert.match(
      problems({ network: { alertmanager: { namespace: "monitoring" } } }),
      /network\.alertmanager: is not used: there is no monitoring\.alertmanager\. To remove it/,
    );
    assert.match(
      problems({ monitoring, network: { alertmanager: { podLabels: { app: "alertmanager" } } } }),
      /network\.alertmanager\.namespace: is missing/,
    );
  });
});
