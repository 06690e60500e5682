import assert from "node:assert/strict";
import { copyJob, copyLines, copyTime } from "../../../../tools/backup/copy.ts";
import { UsageError } from "../../../../tools/cli.ts";

const cronJob = {
  metadata: { name: "postgres-backup-drill", uid: "1234" },
  spec: {
    jobTemplate: {
      spec: {
        backoffLimit: 0,
        template: {
          spec: {
            containers: [
              { name: "drill", env: [{ name: "OWNER", value: "transcript_user" }] },
              { name: "other", env: [] },
            ],
          },
        },
      },
    },
  },
};

describe("a copy of the database as it was at a moment", () => {
  it("is a drill's Job with the moment, which is no proof: the drills' CronJob does not own it", () => {
    const job = copyJob(cronJob, "2026-11-28 14:30:00+01", "cloud") as {
      metadata: object;
      spec: { backoffLimit: number; template: { spec: { containers: { env: object[] }[] } } };
    };
    assert.deepEqual(job.metadata, { name: "postgres-backup-copy", namespace: "transcript-pipeline" });
    assert.equal(job.spec.backoffLimit, 0);
    const [drill, other] = job.spec.template.spec.containers;
    assert.deepEqual(drill?.env, [
      { name: "OWNER", value: "transcript_user" },
      { name: "COPY_TIME", value: "2026-11-28 14:30:00+01" },
      { name: "COPY_REPOSITORY", value: "cloud" },
    ]);
    assert.deepEqual(other?.env, []);
    assert.equal(cronJob.spec.jobTemplate.spec.template.spec.containers[0]?.env.length, 1, "it was changed");
  });

  it("needs a moment with its zone, and says so", () => {
    assert.equal(copyTime("2026-11-28T14:30:00Z"), "2026-11-28 14:30:00+00");
    for (const [written, says] of [
      [undefined, /copy: the moment is missing\. Allowed: a time with its zone, as in 2026/],
      ["yesterday", /copy: the moment is "yesterday"\. Allowed: a time with its zone/],
      ["2026-11-28 14:30:00", /copy: the moment is "2026-11-28 14:30:00"/],
    ] as const)
      assert.throws(
        () => copyTime(written),
        (error) => error instanceof UsageError && says.test(error.message),
      );
  });

  it("comes with commands for the stack's own cluster, owner and database", () => {
    const lines = copyLines({ context: "gen 8" }, "prod", { owner: "anna", database: "transcripts_db" });
    const text = lines.join("\n");
    assert.match(
      text,
      /kubectl --context 'gen 8' exec -i -n transcript-pipeline job\/postgres-backup-copy -c drill -- pg_dump -h \/tmp -U anna -d transcripts_db --table recordings \| kubectl --context 'gen 8' exec -i -n transcript-pipeline postgres-0 -- psql -U anna -d transcripts_db/,
    );
    assert.match(text, /npm run backup -- --stack prod copy end/);
  });
});
