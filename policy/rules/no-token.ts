import { podsOf, volumesOf } from "../pods.ts";
import { type Finding, objectRule } from "../rule.ts";
import { field, listAt, shown, textAt } from "../values.ts";

interface Config {
  workloads: string[];
}

export const noToken = objectRule<Config>({
  name: "no-token",
  asks: "no login to the API in a pod unless declared",
  description: "Mounting a token gives anyone who breaks into the pod a login to the cluster's API",
  level: "mandatory",
  schema: {
    properties: {
      workloads: {
        type: "array",
        items: { type: "string" },
        default: [],
        description: "Workloads and ServiceAccounts that use the API, such as Deployment/operator",
      },
    },
  },
  check: (object, { workloads }) => {
    const { subject, kind, body } = object;
    if (workloads.includes(subject)) return [];
    const remedy = `automountServiceAccountToken: false, or ${subject} in no-token.workloads`;
    const findings: Finding[] = [];
    if (kind === "ServiceAccount" && body.automountServiceAccountToken !== false && !object.patch) {
      findings.push({
        subject,
        why: `automountServiceAccountToken is ${shown(body.automountServiceAccountToken)}; every pod that uses it gets its token`,
        remedy,
      });
    }
    for (const pod of podsOf(object)) {
      if (pod.spec.automountServiceAccountToken !== false) {
        findings.push({
          subject,
          why: `automountServiceAccountToken is ${shown(pod.spec.automountServiceAccountToken)}, and the default is to mount it`,
          remedy,
        });
      }
      for (const volume of volumesOf(pod)) {
        const token = listAt(volume, "projected", "sources")
          .map((source) => field(source, "serviceAccountToken"))
          .find((found) => found !== undefined);
        if (token === undefined) continue;
        findings.push({
          subject,
          why: `volume ${textAt(volume, "name")} projects a serviceAccountToken: ${shown(token)}`,
          remedy: `no such volume, or ${subject} in no-token.workloads`,
        });
      }
    }
    return findings;
  },
});
