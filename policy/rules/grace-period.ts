import { serversOf } from "../postgres.ts";
import { podRule } from "../rule.ts";
import { shown } from "../values.ts";

interface Config {
  seconds: number;
}

export const gracePeriod = podRule<Config>({
  name: "grace-period",
  asks: "time for the server's last checkpoint",
  description:
    "Giving the server too little time to stop kills it in its last checkpoint, and its next start needs crash recovery",
  level: "mandatory",
  schema: {
    properties: {
      seconds: {
        type: "integer",
        minimum: 31,
        default: 120,
        description: "Minimum terminationGracePeriodSeconds of a database",
      },
    },
  },
  check: (pod, { seconds }) => {
    if (serversOf(pod).length === 0) return [];
    const period = pod.spec.terminationGracePeriodSeconds;
    if (typeof period === "number" && period >= seconds) return [];
    return [
      {
        subject: pod.object.subject,
        why: `terminationGracePeriodSeconds is ${shown(period)}, and the default is 30`,
        remedy: `terminationGracePeriodSeconds: ${seconds} or more`,
      },
    ];
  },
});
