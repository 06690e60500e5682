import assert from "node:assert/strict";
import { podsOfStack } from "../../deployed-pods.ts";

describe("the labels of Jobs' pods", () => {
  it("leave to the Job controller what it sets: a preview creates a replaced Job under another name", async () => {
    for (const stack of ["dev", "prod"]) {
      const jobs = (await podsOfStack(stack)).filter(({ kind }) => /Job$/.test(kind));
      assert.ok(jobs.length >= 2);
      for (const { name, labels } of jobs)
        assert.deepEqual(
          Object.keys(labels).filter((label) =>
            /^(batch\.kubernetes\.io\/)?(job-name|controller-uid)$/.test(label),
          ),
          [],
          `${stack} ${name}`,
        );
    }
  });
});
