/** Logins that the program itself adds to those of the configuration, where what needs them is configured. */
import type { Problem } from "../problem.ts";
import type { MonitoringValues } from "./monitoring.ts";
import type { NotifyValues } from "./notify.ts";
import { commandToRemove, commandToSet } from "./reader.ts";

/** The login that reads the figures for whoever is told. */
export const NOTIFIER_LOGIN = "notifier";
/** The login that reads the figures for Prometheus. */
export const EXPORTER_LOGIN = "exporter";

/** What the logins depend on. */
interface Looked {
  notify: Pick<NotifyValues, "sinks">;
  monitoring: Pick<MonitoringValues, "prometheus">;
}

/** Whether metrics are exported. */
export function hasExporter({ monitoring }: Pick<Looked, "monitoring">): boolean {
  return monitoring.prometheus !== "none";
}

/** Their names, all of the kind `monitoring`. */
export function ownLogins(looked: Looked): string[] {
  return [
    ...(Object.keys(looked.notify.sinks).length > 0 ? [NOTIFIER_LOGIN] : []),
    ...(hasExporter(looked) ? [EXPORTER_LOGIN] : []),
  ];
}

const PURPOSES: Readonly<Record<string, string>> = {
  [NOTIFIER_LOGIN]: "the login that reads the figures for the messages of notify.sinks",
  [EXPORTER_LOGIN]: "the login that reads the figures for monitoring.prometheus",
};

/** A login of the configuration, or the owner, with one of these names. */
export function ownLoginProblems({
  database,
  ...looked
}: Looked & { database: { owner: string; logins: Readonly<Record<string, unknown>> } }): Problem[] {
  return ownLogins(looked).flatMap((login) => {
    const problems: Problem[] = [];
    if (login in database.logins) {
      const key = `database.logins.${login}`;
      problems.push({
        key,
        message: `is the name of ${PURPOSES[login]}. To remove it: ${commandToRemove(key)}`,
      });
    }
    if (database.owner === login) {
      const key = "database.owner";
      problems.push({
        key,
        message: `is "${login}", the name of ${PURPOSES[login]}. Allowed: any other name. Set it: ${commandToSet(key, false)}`,
      });
    }
    return problems;
  });
}
