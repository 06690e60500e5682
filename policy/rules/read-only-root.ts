import { containerText, podRule } from "../rule.ts";
import { field, shown } from "../values.ts";

export const readOnlyRoot = podRule({
  name: "read-only-root",
  asks: "a read-only root file system",
  description: "A container that can write its own files lets an intruder change the program it runs",
  level: "mandatory",
  check: (pod) =>
    pod.containers.flatMap((container) => {
      const value = field(container.body, "securityContext", "readOnlyRootFilesystem");
      if (value === true) return [];
      return [
        {
          subject: pod.object.subject,
          why: `${containerText(container)} has securityContext.readOnlyRootFilesystem ${shown(value)}`,
          remedy: "readOnlyRootFilesystem: true, with an emptyDir for what must be written",
        },
      ];
    }),
});
