import { podRule } from "../rule.ts";
import { shown } from "../values.ts";

export const noServiceLinks = podRule({
  name: "no-service-links",
  asks: "no service links",
  description:
    "Leaving service links on gives containers POSTGRES_PORT=tcp://…, which images read as their own setting",
  level: "mandatory",
  check: (pod) =>
    pod.spec.enableServiceLinks === false
      ? []
      : [
          {
            subject: pod.object.subject,
            why: `enableServiceLinks is ${shown(pod.spec.enableServiceLinks)}, and the default is true`,
            remedy: "enableServiceLinks: false",
          },
        ],
});
