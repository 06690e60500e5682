import { accessLines } from "../access-files.ts";
import { parseSettings, SERVER_CONFIG, sessionLines, settingLines } from "../postgres.ts";
import { type Finding, objectRule } from "../rule.ts";
import { field, hasUnknown, UNKNOWN } from "../values.ts";

/** What the program always writes, and what happens without it. */
const KEPT: Readonly<Record<string, string>> = {
  listen_addresses: "other pods cannot reach the server",
  port: "a default decides where the server listens",
  unix_socket_directories: "the reconciler and the Jobs do not find the server",
  hba_file: "the data directory's pg_hba.conf decides who may connect",
  ident_file: "the data directory's pg_ident.conf maps the users",
  password_encryption: "a default decides how passwords are stored",
  authentication_timeout: "clients that do not log in hold connections for a minute",
  shared_preload_libraries: "nothing counts statements, and monitoring fails",
  "pg_stat_statements.track": "a default decides which statements are counted",
  "pg_stat_statements.track_utility": "passwords in ALTER ROLE are shown in its view",
  log_min_error_statement: "failed statements are written to the log, including passwords",
  log_destination: "a default decides where the log goes",
  logging_collector: "a default decides whether the log reaches the pod's",
  search_path: "queries do not find pgvector's types and functions",
  temp_file_limit: "one query can fill the volume",
  max_wal_size: "bulk loads force checkpoint after checkpoint",
  max_locks_per_transaction: "a full lock table keeps everybody out",
  huge_pages: "the server dies of SIGBUS on a node with huge pages",
  dynamic_shared_memory_type: "a default decides where shared memory is",
};

const FILES: Readonly<Record<string, { lines: (text: string) => unknown[]; without: string }>> = {
  "postgresql.conf": { lines: settingLines, without: "the server has PostgreSQL's defaults" },
  "pg_hba.conf": { lines: accessLines, without: "nothing decides who may connect" },
  "pg_ident.conf": { lines: accessLines, without: "nobody can connect over the socket" },
  "sessions.conf": { lines: sessionLines, without: "sessions have no limits" },
};

const WHOSE = ["owner", "readwrite", "readonly", "monitoring"];
const LIMITS = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "connections"];

export const keptSettings = objectRule({
  name: "kept-settings",
  asks: "the files of the server's configuration, the settings that the program always writes, and the limits of each kind of role",
  description: "Leaving out a setting that the program relies on falls back to a default that protects less",
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
