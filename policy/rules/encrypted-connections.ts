import { accessLines, type AccessRule, accessRuleOf } from "../access-files.ts";
import { EVERYWHERE, isLoopback, isWithin, type Network, networksOf } from "../networks.ts";
import { podsOf } from "../pods.ts";
import {
  configurationFiles,
  parseSettings,
  SERVER_CONFIG,
  settingsFiles,
  settingsOnCommandLine,
} from "../postgres.ts";
import type { KubernetesObject } from "../resources.ts";
import { type Finding, objectRule } from "../rule.ts";

const ON = /^(on|t|tr|tru|true|y|ye|yes|1)$/i;
/** Types of lines by which a connection without TLS can log in. */
const PLAIN = ["host", "hostnossl", "hostgssenc", "hostnogssenc"];

/** The networks of a line outside the pod; those that only the server knows can be any. */
function outside({ address, mask }: AccessRule): readonly Network[] {
  return (networksOf(address, mask) ?? EVERYWHERE).filter((network) => !isLoopback(network));
}

/** Whether a line that refuses everybody's plain connections covers a network. */
const isRefused = (network: Network, refused: readonly Network[]) =>
  refused.some((other) => isWithin(network, other));

function findingsInAccess(file: string, text: string, subject: string): Finding[] {
  const refused: Network[] = [];
  return accessLines(text).flatMap((entry): Finding[] => {
    const rule = accessRuleOf(entry);
    if (!rule || !PLAIN.includes(rule.type)) return [];
    const networks = outside(rule);
    if (rule.method === "reject") {
      const everybody = [rule.databases, rule.users].every((words) =>
        words.some(({ text: word, quoted }) => word === "all" && !quoted),
      );
      if (everybody && /^(host|hostnossl)$/.test(rule.type)) refused.push(...networks);
      return [];
    }
    if (networks.every((network) => isRefused(network, refused))) return [];
    return [
      {
        subject,
        why: `data["${file}"] has the line "${entry.line}", by which clients log in without TLS: what they ask and read crosses the network as plain text`,
        remedy: `"${entry.line.replace(/^\w+/, "hostssl")}": pulumi config set --path tls.plainConnections refused; or, until every client encrypts, a dated waiver in policy/config.<stack>.json`,
      },
    ];
  });
}

const SWITCH_ON = "ssl = on: pulumi config set --path tls.source generated";

/** Where PostgreSQL is told whether it speaks TLS. */
function switches(object: KubernetesObject): { where: string; value: string | undefined }[] {
  return [
    ...Object.entries(settingsFiles(object)).flatMap(([file, text]) => {
      const value = parseSettings(text).ssl;
      const isServers = object.name === SERVER_CONFIG && file === "postgresql.conf";
      return value === undefined && !isServers ? [] : [{ where: `data["${file}"]`, value }];
    }),
    ...podsOf(object).flatMap((pod) =>
      pod.containers.flatMap((container) => {
        const value = settingsOnCommandLine(container).ssl;
        return value === undefined
          ? []
          : [{ where: `the command line of container ${container.name}`, value }];
      }),
    ),
  ];
}

export const encryptedConnections = objectRule({
  name: "encrypted-connections",
  asks: "ssl on, and no line of pg_hba.conf by which a client from outside the pod logs in without TLS",
  description:
    "Connections without TLS show every statement and every row to whoever can read the network, and let them be changed",
  level: "mandatory",
  check: (object) => [
    ...switches(object).flatMap(({ where, value }): Finding[] =>
      ON.test(value ?? "")
        ? []
        : [
            {
              subject: object.subject,
              why: `${where} ${value === undefined ? "does not set ssl, which is off by default" : `sets ssl to ${value}`}`,
              remedy: SWITCH_ON,
            },
          ],
    ),
    ...(object.kind === "ConfigMap"
      ? Object.entries(configurationFiles(object.body))
          .filter(([file]) => file.includes("hba"))
          .flatMap(([file, text]) => findingsInAccess(file, text, object.subject))
      : []),
  ],
});
