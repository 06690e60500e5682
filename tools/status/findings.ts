/** What is wrong, from what was found: the rules' findings, and those that only the cluster's objects show. Pure. */
import { BACKUP_NAME, NOTIFIER_NAME, SERVER_NAME, SERVER_POD } from "../../components/kubernetes/names.ts";
import {
  type Figure,
  isWrong,
  type Rule,
  RULES,
  type Severity,
  sentence,
} from "../../components/monitoring/rules.ts";
import { readableSpan } from "../../quantities.ts";
import { troublesOf } from "../../cluster/pod-troubles.ts";
import { type Found, type Status, statusOf } from "../backup/status.ts";
import type { Look, StatusPod } from "./look.ts";

/** Something that is wrong, or will be. */
export interface Finding {
  /** The rule's name. */
  name: string;
  severity: Severity;
  /** What is wrong, with why as far as it is known. */
  words: string;
  /** What to do. */
  remedy: string;
  /** The page that says more. */
  page: string;
}

/** The whole status, as --json prints it. */
export interface StatusReport {
  stack: string;
  /** When it was asked, ISO 8601. */
  at: string;
  /** The gravest of the findings. `unknown`: nothing is wrong, but something did not answer. */
  state: "ok" | "unknown" | Severity;
  /** The gravest first. */
  findings: Finding[];
  figures: Figure[];
  backups: Status | undefined;
  /** Of PostgreSQL. */
  version: string | undefined;
  /** What did not answer, and why. */
  unanswered: string[];
}

const page = (name: string) => `docs/${name}`;
const DEPLOY = (stack: string) => (stack === "dev" ? "npm run up" : `pulumi up --stack ${stack}`);

const condition = (pod: StatusPod, type: string) =>
  pod.status?.conditions?.find((candidate) => candidate.type === type)?.status === "True";

/** Why a pod that should be ready is not, or undefined if it is. */
function unreadiness(pods: readonly StatusPod[], name: string): string | undefined {
  const pod = pods.find(({ metadata }) => metadata.name === name);
  if (!pod) return "there is no such pod";
  if (condition(pod, "Ready")) return undefined;
  // The pod's own reason is that of an eviction, or of a node that is away.
  const reasons = [pod.status?.reason ?? "", ...troublesOf(pod)].filter((reason) => reason !== "");
  return reasons.join("; ") || "it is starting, or does not accept connections";
}

/** Seconds for which a restart is told. */
const RECENT = 3600;

/** Containers that ended by themselves a short time ago. */
function restarts(pods: readonly StatusPod[], at: string): Finding[] {
  return pods.flatMap((pod) =>
    (pod.status?.containerStatuses ?? []).flatMap((container): Finding[] => {
      const { name, restartCount = 0, lastState } = container as typeof container & { restartCount?: number };
      const ended = lastState?.terminated as { finishedAt?: string; reason?: string } | undefined;
      const ago = (Date.parse(at) - Date.parse(ended?.finishedAt ?? "")) / 1000;
      if (restartCount === 0 || !(ago < RECENT)) return [];
      const times = restartCount === 1 ? "once" : `${restartCount} times`;
      return [
        {
          name: "pod-restarting",
          severity: "warning",
          words: `container ${name} of ${pod.metadata.name} was restarted ${times}, the last time ${readableSpan(Math.max(0, ago))} ago (${ended?.reason ?? "no reason"})`,
          remedy: `why: kubectl -n transcript-pipeline logs ${pod.metadata.name} -c ${name} --previous`,
          page: page("server-refuses-to-start.md"),
        },
      ];
    }),
  );
}

/** What the cluster's objects show. */
function clusterFindings(stack: string, { cluster, at }: Look): Finding[] {
  if (cluster instanceof Error)
    return [
      {
        name: "cluster-silent",
        severity: "critical",
        words: `the cluster does not answer: ${cluster.message}`,
        remedy: "kubectl cluster-info; on the node: systemctl status k3s",
        page: page("status.md#the-cluster-does-not-answer"),
      },
    ];
  if (!cluster.isDeployed)
    return [
      {
        name: "not-deployed",
        severity: "critical",
        words: `stack ${stack} has no server in this cluster`,
        remedy: DEPLOY(stack),
        page: page("redeploy.md"),
      },
    ];
  const findings: Finding[] = [];
  const server = unreadiness(cluster.pods, SERVER_POD);
  if (server !== undefined)
    findings.push({
      name: "server-down",
      severity: "critical",
      words: `the database is not up: ${server}`,
      remedy: `kubectl -n transcript-pipeline describe statefulset/${SERVER_NAME} pod/${SERVER_POD}`,
      page: page("server-refuses-to-start.md"),
    });
  if (cluster.repositories === undefined)
    findings.push({
      name: "no-backups",
      severity: "warning",
      words: "this stack makes no backups: a loss of the disk loses everything",
      remedy: "configure a repository",
      page: page("backups.md"),
    });
  else {
    const agent = unreadiness(cluster.pods, `${BACKUP_NAME}-0`);
    if (agent !== undefined)
      findings.push({
        name: "backup-agent-down",
        severity: "critical",
        words: `nothing is archived: the backup agent is not up: ${agent}`,
        remedy: `kubectl -n transcript-pipeline describe statefulset/${BACKUP_NAME} pod/${BACKUP_NAME}-0`,
        page: page("backups.md"),
      });
  }
  const notifier = cluster.isNotified ? unreadiness(cluster.pods, `${NOTIFIER_NAME}-0`) : undefined;
  if (notifier !== undefined)
    findings.push({
      name: "notifier-down",
      severity: "warning",
      words: `somebody could not be told what is wrong: the notifier is not up, or reaches not every sink: ${notifier}`,
      remedy: `npm run notify -- --test --stack ${stack}`,
      page: page("notifications.md#a-message-does-not-arrive"),
    });
  for (const name of cluster.collectors) {
    const reason = unreadiness(cluster.pods, `${name}-0`);
    if (reason === undefined) continue;
    findings.push({
      name: "metrics-missing",
      severity: "warning",
      words: `metrics are not collected: ${name} is not up: ${reason}`,
      remedy: `kubectl -n transcript-pipeline logs ${name}-0 --all-containers --tail 20`,
      page: page("monitoring.md#prometheus-has-no-figures"),
    });
  }
  findings.push(...restarts(cluster.pods, at));
  return findings;
}

/** What failed of the backups' runs, and nothing has made up for since. */
function runFindings(backups: Status | undefined): Finding[] {
  return (backups?.runs ?? [])
    .filter(({ state }) => state === "failed")
    .map(({ what, job, words }) => ({
      name: "run-failed",
      severity: "warning" as const,
      words: `the last ${what} failed${words === "" ? "" : `: ${words}`}`,
      remedy: `kubectl -n transcript-pipeline logs job/${job} --all-containers`,
      page: page(what === "dump" ? "dumps.md" : "backups.md"),
    }));
}

/** What the rules find; of two about one figure the graver one. */
function ruleFindings(
  rules: readonly Rule[],
  figures: readonly Figure[],
  reasons: Readonly<Record<string, string>>,
): Finding[] {
  const told = new Set<string>();
  return rules.flatMap((rule) =>
    figures
      .filter((figure) => isWrong(rule, figure))
      .flatMap((figure): Finding[] => {
        const subject = `${figure.name} ${figure.label}`;
        if (told.has(subject)) return [];
        told.add(subject);
        const reason = reasons[figure.name];
        return [
          {
            name: rule.name,
            severity: rule.severity,
            words: sentence(rule, figure) + (reason === undefined ? "" : ` (${reason})`),
            remedy: rule.remedy,
            page: page(rule.page),
          },
        ];
      }),
  );
}

const RANK: Readonly<Record<Severity, number>> = { critical: 0, warning: 1 };

/** The figures of all parts. */
function figuresOf({ node, database, jobs }: Look): Figure[] {
  return [node, database]
    .flatMap((part) => (part instanceof Error ? [] : part.figures))
    .concat(jobs instanceof Error ? [] : jobs);
}

/** What there is of backups, as far as the cluster answers. */
function backupsOf({ cluster, database, repositories }: Look): Status | undefined {
  if (cluster instanceof Error || cluster.repositories === undefined) return undefined;
  const found: Found = {
    repositories: cluster.repositories,
    information: repositories,
    server: database instanceof Error ? database : database.backups,
    jobs: cluster.jobs,
    pods: cluster.pods,
  };
  return statusOf(found);
}

/**
 * The status of everything that was found.
 *
 * @param rules those with the stack's own limits. @default those with the usual ones
 */
export function report(stack: string, look: Look, rules: readonly Rule[] = RULES): StatusReport {
  const { at, cluster, node, database, jobs, repositories } = look;
  const backups = backupsOf(look);
  const findings = clusterFindings(stack, look);
  // What depends on something that is down needs no words of its own.
  const isUp = findings.every(
    ({ name }) => !["cluster-silent", "not-deployed", "server-down"].includes(name),
  );
  if (isUp && database instanceof Error)
    findings.push({
      name: "database-silent",
      severity: "critical",
      words: `the database does not answer: ${database.message}`,
      remedy: `kubectl -n transcript-pipeline logs ${SERVER_POD} -c postgres --tail 20`,
      page: page("status.md#the-database-does-not-answer"),
    });
  const figures = figuresOf(look);
  findings.push(
    ...ruleFindings(rules, figures, node instanceof Error ? {} : node.reasons),
    ...runFindings(backups),
  );
  // Stable: the rules' own order within a severity.
  findings.sort((a, b) => RANK[a.severity] - RANK[b.severity]);
  const parts: [string, unknown][] = [
    ["the server's node", node],
    ["the queue of jobs", jobs],
    ...(cluster instanceof Error || cluster.repositories === undefined
      ? []
      : [["the repositories", repositories] as [string, unknown]]),
  ];
  const unanswered = isUp
    ? parts.flatMap(([what, part]) => (part instanceof Error ? [`${what}: ${part.message}`] : []))
    : [];
  return {
    stack,
    at,
    state: findings[0]?.severity ?? (unanswered.length > 0 ? "unknown" : "ok"),
    findings,
    figures,
    backups,
    version: database instanceof Error ? undefined : database.version,
    unanswered,
  };
}
