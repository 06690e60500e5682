// Mocha's own spec reporter, which also writes the result of each test for test/run.ts: one line of JSON, a MochaResult
// of test/results.ts, to the file named by TEST_RESULTS. With `mocha --parallel` it runs in the parent process, and
// knows only what mocha passes between the processes: titles, the file, the error.
"use strict";

const { appendFileSync } = require("node:fs");
const { relative } = require("node:path");
const { reporters, Runner } = require("mocha");

const reported = (test) => ({
  title: test.fullTitle(),
  ...(test.file && { file: relative(process.cwd(), test.file) }),
});

module.exports = class extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const pending = [];
    const failed = [];
    runner.on(Runner.constants.EVENT_TEST_PENDING, (test) => pending.push(reported(test)));
    runner.on(Runner.constants.EVENT_TEST_FAIL, (test, error) => {
      failed.push({ ...reported(test), message: String(error?.message ?? error) });
    });
    runner.on(Runner.constants.EVENT_RUN_END, () => {
      if (!process.env.TEST_RESULTS) return;
      const result = { passed: runner.stats.passes, failed, pending };
      appendFileSync(process.env.TEST_RESULTS, `${JSON.stringify(result)}\n`);
    });
  }
};
