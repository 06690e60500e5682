/**
 * Limits of a role's sessions. scripts/reconcile-sessions.sh attaches them to each role: a member does not inherit its
 * group's settings. The timeouts guard against mistakes, because a session can change its own; a session cannot change
 * the number of connections.
 */
import { LOGIN_KINDS, type LoginKind } from "./login-kinds.ts";

/** Limits of one role's sessions. Timeouts in seconds; 0: no limit. */
export interface SessionLimit {
  statementTimeout: number;
  lockTimeout: number;
  idleInTransactionTimeout: number;
  /** Simultaneous connections. */
  connections: number;
}

/** The owner's limits, and those of each kind of login. */
export type SessionLimits = Readonly<Record<"owner" | LoginKind, SessionLimit>>;

/**
 * The text of sessions.conf: `<whose> <setting> <value>` lines. `connections` is the role's connection limit; every
 * other name is a PostgreSQL setting.
 */
export function sessionsConf(limits: SessionLimits): string {
  const lines = (["owner", ...LOGIN_KINDS] as const).flatMap((whose) => {
    const { statementTimeout, lockTimeout, idleInTransactionTimeout, connections } = limits[whose];
    return [
      `${whose} statement_timeout ${statementTimeout}s`,
      `${whose} lock_timeout ${lockTimeout}s`,
      `${whose} idle_in_transaction_session_timeout ${idleInTransactionTimeout}s`,
      `${whose} connections ${connections}`,
    ];
  });
  return `${lines.join("\n")}\n`;
}
