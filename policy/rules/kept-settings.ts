import { accessLines } from "../access-files.ts";
import { parseSettings, SERVER_CONFIG, sessionLines, settingLines } from "../postgres.ts";
import { type Finding, objectRule } from "../rule.ts";
import { field, hasUnknown, UNKNOWN } from "../values.ts";

/** What the program always writes, and what happens without it. */
const KEPT: Readonly<Record<string, string>> = {
  listen_addresses: "nobody reaches the server from another pod",
  port: "it is wherever PostgreSQL's default is",
  unix_socket_directories: "the reconciler and the Jobs do not find the server",
  hba_file: "the data directory's pg_hba.conf says who gets in",
  ident_file: "the data directory's pg_ident.conf says who is who",
  password_encryption: "how passwords are kept is up to a default",
  authentication_timeout: "clients that do not log in hold connections for a minute",
  shared_preload_libraries: "nothing counts statements, and monitoring fails",
  "pg_stat_statements.track": "which statements are counted is up to a default",
  "pg_stat_statements.track_utility": "passwords in ALTER ROLE are shown in its view",
  log_min_error_statement: "statements that fail are written to the log, passwords in them",
  log_destination: "where the log goes is up to a default",
  logging_collector: "whether the log reaches the pod's is up to a default",
  search_path: "queries do not find pgvector's types and functions",
  temp_file_limit: "one query can fill the volume",
  max_wal_size: "bulk loads force checkpoint after checkpoint",
  max_locks_per_transaction: "a full lock table lets nobody in",
  huge_pages: "the server ends with SIGBUS where the node has huge pages",
  dynamic_shared_memory_type: "where shared memory is, is up to a default",
};

const FILES: Readonly<Record<string, { lines: (text: string) => unknown[]; without: string }>> = {
  "postgresql.conf": { lines: settingLines, without: "the server has PostgreSQL's defaults" },
  "pg_hba.conf": { lines: accessLines, without: "the server does not say who gets in" },
  "pg_ident.conf": { lines: accessLines, without: "nobody comes in over the socket" },
  "sessions.conf": { lines: sessionLines, without: "no session is held to anything" },
};

const WHOSE = ["owner", "readwrite", "readonly", "monitoring"];
const LIMITS = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "connections"];

export const keptSettings = objectRule({
  name: "kept-settings",
  asks: "the files of the server's configuration, the settings that the program always writes, and the limits of each kind of role",
  description: "Who leaves out what the program relies on has it done by defaults that keep less",
  level: "mandatory",
  check: ({ kind, name, body, subject, patch }) => {
    // A Patch leaves alone what it does not name.
    if (kind !== "ConfigMap" || name !== SERVER_CONFIG || patch) return [];
    const data = field(body, "data");
    if (data === UNKNOWN) return [];
    const findings: Finding[] = [];
    const refuse = (why: string, remedy: string) => findings.push({ subject, why, remedy });
    for (const [file, { lines, without }] of Object.entries(FILES)) {
      const text = field(data, file);
      if (hasUnknown(text) || (typeof text === "string" && lines(text).length > 0)) continue;
      const state = text === undefined ? "is missing" : "has no line";
      refuse(`data["${file}"] ${state}: ${without}`, `${file} as the program writes it`);
    }
    const settings = field(data, "postgresql.conf");
    if (typeof settings === "string" && settingLines(settings).length > 0) {
      const written = parseSettings(settings);
      for (const [setting, without] of Object.entries(KEPT)) {
        if (written[setting] === undefined)
          refuse(
            `data["postgresql.conf"] does not set ${setting}: ${without}`,
            `${setting}, as the program writes it`,
          );
      }
    }
    const sessions = field(data, "sessions.conf");
    const written = typeof sessions === "string" ? sessionLines(sessions) : [];
    if (written.length > 0) {
      for (const whose of WHOSE) {
        const missing = LIMITS.filter(
          (limit) => !written.some((line) => line.whose === whose && line.name === limit),
        );
        if (missing.length > 0)
          refuse(
            `data["sessions.conf"] does not hold ${whose} to ${missing.join(", ")}`,
            missing.map((limit) => `${whose} ${limit} <value>`).join(", "),
          );
      }
    }
    return findings;
  },
});
