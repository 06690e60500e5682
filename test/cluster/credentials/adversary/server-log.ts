/** What the server's log says about superuser sessions and traps. Needs `log_connections`. */

/** A session of `postgres`, in the log. */
export interface SuperuserSession {
  pid: number;
  /** Empty where it gave none. */
  application: string;
  database: string;
  /** Whether its first statement was that of components/server/scripts/superuser-session.sql. */
  protected: boolean;
}

/** `%m [%p] …LEVEL:  message`. A line within somebody's message begins with a tab, and is nobody's word. */
const LINE = /^\d{4}-\S+ \S+ \S+ \[(\d+)\] (?:\S+ )?(?:LOG|WARNING|ERROR|FATAL|NOTICE):  (.*)$/;
const AUTHORIZED =
  /^connection authorized: user=postgres (?:database=(\S+))?(?: application_name=(.*?))?(?: SSL enabled .*)?$/;

/** Every superuser session in a log, in order. A process's number may be reused later. */
export function superuserSessions(log: string): SuperuserSession[] {
  const sessions: SuperuserSession[] = [];
  const current = new Map<number, SuperuserSession>();
  for (const line of log.split("\n")) {
    const [, number = "", message = ""] = LINE.exec(line) ?? [];
    const pid = Number(number);
    if (message.startsWith("connection received")) current.delete(pid);
    const [authorized, database = "", application = ""] = AUTHORIZED.exec(message) ?? [];
    if (authorized !== undefined) {
      const session = { pid, application, database, protected: false };
      sessions.push(session);
      current.set(pid, session);
    }
    const session = current.get(pid);
    if (session && message.startsWith("superuser session protected: ")) session.protected = true;
  }
  return sessions;
}

/** Sessions that are neither the product's, by name and by protection, nor marked as those of the tests. */
export function unprotectedSessions(log: string, marks: readonly string[]): SuperuserSession[] {
  return superuserSessions(log).filter(
    ({ application, protected: isProtected }) =>
      !marks.includes(application) && !(application.startsWith("transcript-pipeline/") && isProtected),
  );
}

/** The traps that ran as a superuser, each once, with the session's application name. */
export function sprungTraps(log: string): string[] {
  const names = new Map<number, string>();
  const sprung = new Set<string>();
  for (const line of log.split("\n")) {
    const [, number = "", message = ""] = LINE.exec(line) ?? [];
    const [authorized, database = "", application = ""] = AUTHORIZED.exec(message) ?? [];
    if (authorized !== undefined) names.set(Number(number), application || `unnamed, on ${database}`);
    const trap = /^trap sprung by (.*)/.exec(message)?.[1];
    if (trap !== undefined) sprung.add(`${names.get(Number(number)) ?? "?"}: ${trap}`);
  }
  return [...sprung];
}
