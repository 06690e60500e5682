/**
 * What a session of a role is held to. scripts/reconcile-sessions.sh attaches it to each role: a member does not inherit
 * the settings of its group. The times are against mistakes, as every session can change its own; the number of
 * connections holds against anybody.
 */
import { LOGIN_KINDS, type LoginKind } from "./login-kinds.ts";

/** Limits of one role's sessions. Times are seconds; 0 is no limit. */
export interface SessionLimit {
  statementTimeout: number;
  lockTimeout: number;
  idleInTransactionTimeout: number;
  /** Connections at once. */
  connections: number;
}

/** By whom: the owner, and each kind of login. */
export type SessionLimits = Readonly<Record<"owner" | LoginKind, SessionLimit>>;

/**
 * The text of sessions.conf: `<whose> <setting> <value>` lines. `connections` is the role's connection limit, every other
 * name a setting of PostgreSQL's.
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
