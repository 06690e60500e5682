import { objectRule } from "../rule.ts";
import { field, shown } from "../values.ts";

export const jobsEnd = objectRule({
  name: "jobs-end",
  asks: "a deadline on every Job",
  description: "A Job without an end is waited for forever, or is created again by every refresh",
  level: "mandatory",
  check: ({ kind, patch, body, subject }) => {
    const path = kind === "Job" ? ["spec"] : kind === "CronJob" ? ["spec", "jobTemplate", "spec"] : undefined;
    if (!path || (patch && body.spec === undefined)) return [];
    const deadline = field(body, ...path, "activeDeadlineSeconds");
    const findings =
      typeof deadline === "number" && deadline > 0
        ? []
        : [
            {
              subject,
              why: `${path.join(".")}.activeDeadlineSeconds is ${shown(deadline)}`,
              remedy: `${path.join(".")}.activeDeadlineSeconds: the seconds it may take, including waiting`,
            },
          ];
    const kept = field(body, "spec", "ttlSecondsAfterFinished");
    if (kind === "Job" && kept !== undefined) {
      findings.push({
        subject,
        why: `spec.ttlSecondsAfterFinished is ${shown(kept)}: the finished Job is deleted, and the next refresh runs it again`,
        remedy: "remove ttlSecondsAfterFinished",
      });
    }
    return findings;
  },
});
