import { volumesOf } from "../pods.ts";
import { dataDirectory, mountOver, serversOf } from "../postgres.ts";
import { containerText, podRule } from "../rule.ts";
import { field, hasUnknown, listAt, shown, textAt } from "../values.ts";

export const dataDirectoryOnClaim = podRule({
  name: "data-directory-on-claim",
  asks: "the data directory on a claimed volume",
  description: "Keeping the data directory off a claimed volume loses every row when the pod goes",
  level: "mandatory",
  check: (pod) =>
    serversOf(pod).flatMap((server) => {
      const directory = dataDirectory(server);
      const mount = mountOver(server, directory);
      const name = field(mount, "name");
      const volume = volumesOf(pod).find((candidate) => candidate.name === name);
      const templates = listAt(pod.object.body, "spec", "volumeClaimTemplates");
      if (field(volume, "persistentVolumeClaim") !== undefined) return [];
      if (templates.some((template) => name !== undefined && field(template, "metadata", "name") === name))
        return [];
      const source = Object.keys(volume ?? {}).find((key) => key !== "name");
      return [
        {
          subject: pod.object.subject,
          why: `${containerText(server)} has its data directory ${directory} ${
            mount === undefined
              ? hasUnknown(server.body.volumeMounts)
                ? "in volumeMounts that are not known before the deployment"
                : "in no volume at all"
              : `in volume ${textAt(mount, "name") ?? shown(name)}, ${
                  source
                    ? `a volume of type ${source}`
                    : hasUnknown(pod.spec.volumes)
                      ? "which is not known before the deployment"
                      : "which the pod does not have"
                }`
          }`,
          remedy: `mount a volume with persistentVolumeClaim: { claimName } at ${directory} or above it`,
        },
      ];
    }),
});
