import { type Container, volumesOf } from "../pods.ts";
import { serversOf } from "../postgres.ts";
import { podRule } from "../rule.ts";
import { field, listAt, shown, textAt, UNKNOWN } from "../values.ts";

/** Whether a container that is not a server's writes where its data is: a second one of it undoes what the first does. */
const writesData = ({ body }: Container) =>
  listAt(body, "volumeMounts").some(
    (mount) =>
      (textAt(mount, "mountPath") ?? "").startsWith("/var/lib/postgresql") &&
      field(mount, "readOnly") !== true,
  );

export const oneWriter = podRule({
  name: "one-writer",
  asks: "one server on a data directory",
  description: "Two servers on one data directory corrupt the database",
  level: "mandatory",
  check: (pod) => {
    const serves = serversOf(pod).length > 0;
    if (!serves && !pod.containers.some(writesData)) return [];
    const { kind, subject, body } = pod.object;
    const shared = volumesOf(pod).some((volume) => volume.persistentVolumeClaim !== undefined);
    if (!shared && listAt(body, "spec", "volumeClaimTemplates").length > 0) return [];
    const findings = [];
    if (serves && kind !== "StatefulSet" && kind !== "Pod") {
      findings.push({
        subject,
        why: `a database server is run by a ${kind}, which starts a new pod while the old one still runs`,
        remedy: "a StatefulSet, which never runs two pods of one name",
      });
    }
    const replicas = field(body, "spec", "replicas");
    if (kind !== "Pod" && (replicas === UNKNOWN || (typeof replicas === "number" && replicas > 1))) {
      findings.push({
        subject,
        why: `spec.replicas is ${shown(replicas)}, and all of them mount the same claim`,
        remedy: "spec.replicas: 1",
      });
    }
    return findings;
  },
});
