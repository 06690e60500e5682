// Mocha's own spec reporter, which also writes the result of each test for test/run.ts: one line of JSON, a MochaResult
// of test/results.ts, to the file named by TEST_RESULTS. With `mocha --parallel` it runs in the parent process, and
// knows only what mocha passes between the processes: titles, the file, the error.
//
// Where files run one after the other it also prints the seconds of the longest ones, with their hooks, which mocha's
// own durations leave out and which are most of what a cluster suite takes.
"use strict";

const { appendFileSync } = require("node:fs");
const { relative } = require("node:path");
const { reporters, Runner } = require("mocha");

/** Files whose seconds are printed. */
const LONGEST = 15;

const reported = (test) => ({
  title: test.fullTitle(),
  ...(test.file && { file: relative(process.cwd(), test.file) }),
});

module.exports = class extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const pending = [];
    const failed = [];
    const seconds = new Map();
    let last = Date.now();
    const count = (runnable) => {
      const now = Date.now();
      const file = runnable.file ?? runnable.parent?.file ?? "hooks of all files";
      seconds.set(file, (seconds.get(file) ?? 0) + (now - last) / 1000);
      last = now;
    };
    runner.on(Runner.constants.EVENT_HOOK_END, count);
    runner.on(Runner.constants.EVENT_TEST_END, count);
    runner.on(Runner.constants.EVENT_TEST_PENDING, (test) => pending.push(reported(test)));
    runner.on(Runner.constants.EVENT_TEST_FAIL, (test, error) => {
      const message = String(error?.message ?? error);
      failed.push({ ...reported(test), message });
      // At once too: of a run of hours that is ended before its end, nothing else would say why.
      if (!options.parallel) console.log(message.replaceAll(/^/gm, "        "));
    });
    runner.on(Runner.constants.EVENT_RUN_END, () => {
      if (!options.parallel && seconds.size > 1) {
        const longest = [...seconds].sort(([, a], [, b]) => b - a).slice(0, LONGEST);
        console.log("Seconds of the longest files, with their hooks:");
        for (const [file, taken] of longest)
          console.log(`${taken.toFixed(0).padStart(6)} ${relative(process.cwd(), file)}`);
      }
      if (!process.env.TEST_RESULTS) return;
      const result = { passed: runner.stats.passes, failed, pending };
      appendFileSync(process.env.TEST_RESULTS, `${JSON.stringify(result)}\n`);
    });
  }
};
