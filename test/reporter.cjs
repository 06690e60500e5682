// Mocha's own spec reporter, which also writes what was counted for test/run.ts: one line of JSON to the file
// named by TEST_RESULTS. A skipped test has the reason that its suite, or a suite above it, gives as `skipReason`.
"use strict";

const { appendFileSync } = require("node:fs");
const { reporters, Runner } = require("mocha");

module.exports = class extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const skipped = [];
    runner.on(Runner.constants.EVENT_TEST_PENDING, (test) => {
      let suite = test.parent;
      while (suite && !suite.skipReason) suite = suite.parent;
      skipped.push({
        name: test.fullTitle(),
        reason: test.skipReason ?? suite?.skipReason ?? "no reason given",
      });
    });
    runner.on(Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures } = runner.stats;
      if (process.env.TEST_RESULTS) {
        appendFileSync(
          process.env.TEST_RESULTS,
          `${JSON.stringify({ passed: passes, failed: failures, skipped })}\n`,
        );
      }
    });
  }
};
