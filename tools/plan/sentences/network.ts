/** The network policies: who may reach the database, and what the backups may reach. */
import { DEFAULT_DENY_NAME, POLICY_PREFIX } from "../../../components/kubernetes/names.ts";
import { at, type Change } from "../changes.ts";
import { list, quoted, type Say } from "../statements.ts";
import type { Sentences } from "./sentences.ts";

/** Everybody at the other end of a policy's rules, each as one text. */
function peersOf(object: Change["old"], rules: "ingress" | "egress"): string[] {
  const all = at(object, `spec.${rules}`);
  return (Array.isArray(all) ? all : []).flatMap((rule: Record<string, unknown>) => {
    const peers = rule[rules === "ingress" ? "from" : "to"];
    const ports = Array.isArray(rule.ports) ? rule.ports.map((port) => String(at(port, "port"))) : [];
    const suffix = ports.length === 0 ? "on every port" : `on ${list(ports)}`;
    if (!Array.isArray(peers) || peers.length === 0) return [`everybody ${suffix}`];
    return peers.map((peer) => `${peerText(peer)} ${suffix}`);
  });
}

const labelsText = (labels: unknown) =>
  Object.entries((labels ?? {}) as Record<string, unknown>)
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(",");

/** The text at a path. */
const textAt = (value: unknown, path: string): string | undefined => {
  const found = at(value, path);
  return typeof found === "string" ? found : undefined;
};

function peerText(peer: unknown): string {
  const cidr = textAt(peer, "ipBlock.cidr");
  if (cidr !== undefined) return cidr;
  const pods = labelsText(at(peer, "podSelector.matchLabels")) || "every pod";
  const namespace = at(peer, "namespaceSelector");
  if (namespace === undefined) return pods;
  const name = textAt(namespace, 'matchLabels["kubernetes.io/metadata.name"]');
  return `${pods} in ${name ?? (labelsText(at(namespace, "matchLabels")) || "every namespace")}`;
}

function sayRules(change: Change, say: Say): void {
  let said = false;
  for (const [rules, opens, closes] of [
    [
      "ingress",
      "Lets more clients reach the database",
      "Lets fewer clients reach the database: their next connection fails",
    ],
    ["egress", "Lets pods reach more", "Lets pods reach less: their next connection fails"],
  ] as const) {
    const [before, after] = [peersOf(change.old, rules), peersOf(change.new, rules)];
    const added = after.filter((peer) => !before.includes(peer));
    const gone = before.filter((peer) => !after.includes(peer));
    if (added.length > 0) say("attention", `${opens}: ${quoted(list(added))} (${change.name})`);
    if (gone.length > 0) say("attention", `${closes}: ${quoted(list(gone))} (${change.name})`);
    said ||= added.length > 0 || gone.length > 0;
  }
  if (!said) say("attention", `Changes which pods a network policy is about (${change.name})`);
}

/** A change of one policy. */
function sayPolicy(change: Change, say: Say): void {
  const { kind, name, logicalName } = change;
  const deny = logicalName === DEFAULT_DENY_NAME;
  if (kind === "create") {
    if (deny)
      return say(
        "attention",
        "Denies every connection of the namespace's pods, in and out, but for what the other network policies allow. Sessions that are open stay open",
      );
    for (const peer of peersOf(change.new, "ingress"))
      say("routine", `Lets clients reach the database: ${quoted(peer)}`);
    return say("routine", `Creates ${name}`);
  }
  if (kind === "update") {
    if (!deny) return sayRules(change, say);
    return say("danger", `Changes what is denied to every pod of the namespace (${name})`);
  }
  if (deny)
    return say(
      "danger",
      `Opens the database to every pod in the cluster: ${name} is deleted, and only passwords are in the way`,
    );
  say(
    "attention",
    `Takes away what a network policy allows: ${quoted(list([...peersOf(change.old, "ingress"), ...peersOf(change.old, "egress")]))} (${name})`,
  );
}

export const network: Sentences = {
  owns: ({ type, logicalName }) => type.endsWith(":NetworkPolicy") && logicalName.startsWith(POLICY_PREFIX),
  say: sayPolicy,
  // The rest of them is silent where all is denied no more.
  silences(plan) {
    const goes = plan.some(({ kind, logicalName }) => kind === "delete" && logicalName === DEFAULT_DENY_NAME);
    return ({ kind, logicalName }) =>
      goes && kind === "delete" && logicalName !== DEFAULT_DENY_NAME && logicalName.startsWith(POLICY_PREFIX);
  },
};
