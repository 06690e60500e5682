import { podsIn } from "../pods.ts";
import { isDatabaseImage, serversOf } from "../postgres.ts";
import type { Resource } from "../resources.ts";
import { stackRule } from "../rule.ts";
import { field, listAt, textAt } from "../values.ts";

/** Everything that a resource waits for, by URN. */
function waitsFor(resource: Resource, byUrn: ReadonlyMap<string, Resource>): Set<string> {
  const reached = new Set<string>();
  const visit = ({ dependencies }: Resource) => {
    for (const urn of dependencies) {
      if (reached.has(urn)) continue;
      reached.add(urn);
      const next = byUrn.get(urn);
      if (next) visit(next);
    }
  };
  visit(resource);
  return reached;
}

export const initJobAfterServer = stackRule({
  name: "init-job-after-server",
  description:
    "Who runs the init Job before its server is up has a Job that spends its attempts waiting, and fails",
  level: "mandatory",
  check: (stack) => {
    const byUrn = new Map(stack.map((resource) => [resource.urn, resource]));
    const pods = podsIn(stack);
    const servers = pods.filter((pod) => serversOf(pod).length > 0 && !pod.object.patch);
    if (servers.length === 0) return [];
    return pods
      .filter(({ object, containers }) => {
        if (object.kind !== "Job" || object.patch) return false;
        return containers.some(
          ({ body }) =>
            isDatabaseImage(textAt(body, "image")) ||
            /dbmate|flyway|liquibase|migrate/.test(textAt(body, "image") ?? "") ||
            listAt(body, "env").some((entry) => field(entry, "name") === "PGHOST"),
        );
      })
      .flatMap(({ object }) => {
        const reached = waitsFor(object.resource, byUrn);
        if (servers.some((server) => reached.has(server.object.resource.urn))) return [];
        return [
          {
            subject: object.subject,
            urn: object.resource.urn,
            why: `it depends on none of ${servers.map((server) => server.object.subject).join(", ")}`,
            remedy: "{ dependsOn: [the server's component] } in its options",
          },
        ];
      });
  },
});
