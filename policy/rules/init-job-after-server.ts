import { SETTINGS_JOB } from "../declarations.ts";
import { podsIn } from "../pods.ts";
import { isDatabaseImage, serversOf } from "../postgres.ts";
import { waitsFor } from "../resources.ts";
import { stackRule } from "../rule.ts";
import { field, listAt, textAt } from "../values.ts";

export const initJobAfterServer = stackRule({
  name: "init-job-after-server",
  asks: "the init Job depends on the server",
  description: "An init Job that runs before its server is up spends its attempts waiting, and fails",
  level: "mandatory",
  check: (stack) => {
    const pods = podsIn(stack);
    const servers = pods.filter((pod) => serversOf(pod).length > 0 && !pod.object.patch);
    if (servers.length === 0) return [];
    return pods
      .filter(({ object, containers }) => {
        if (object.kind !== "Job" || object.patch) return false;
        // The server comes after this one: settings-tried.
        if (object.subject === SETTINGS_JOB) return false;
        return containers.some(
          ({ body }) =>
            isDatabaseImage(textAt(body, "image")) ||
            /dbmate|flyway|liquibase|migrate/.test(textAt(body, "image") ?? "") ||
            listAt(body, "env").some((entry) => field(entry, "name") === "PGHOST"),
        );
      })
      .flatMap(({ object }) => {
        const reached = waitsFor(object.resource, stack);
        if (servers.some((server) => reached.has(server.object.resource.urn))) return [];
        return [
          {
            subject: object.subject,
            urn: object.resource.urn,
            why: `it does not depend on ${servers.map((server) => server.object.subject).join(" or ")}`,
            remedy: "{ dependsOn: [the server's component] } in its options",
          },
        ];
      });
  },
});
