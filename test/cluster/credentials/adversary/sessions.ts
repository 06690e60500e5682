/** This test's own sessions: the adversary's, the unprotected superuser's, and the one that checks and cleans up. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { inPod, type Ran } from "../../support.ts";
import { ADVERSARY_OPTIONS, attachAll, type Hostile } from "./settings.ts";

/** The name that sessions of tests as `postgres` give themselves in the server's log. */
export const MARK = "tests";

/** SQL of this folder. */
export const sqlFile = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8");

const psql = (user: string, options: string, ...args: string[]) => [
  ...["env", `PGAPPNAME=${MARK}`, `PGOPTIONS=${options}`, "psql", "-X", "-q", "-At", "-U", user],
  ...["-d", "transcripts_db", ...args],
];

const strict = ["-v", "ON_ERROR_STOP=1"];

const HEARD = "-- all of it was heard";

/**
 * Runs psql in the server's pod. `kubectl exec` may lose an input that is sent as the stream is being set up, and psql, given
 * nothing, does nothing and succeeds: it says when it has come to the end, and where it has neither said nor done anything
 * it is asked again.
 */
async function psqlInPod(command: readonly string[], input: string): Promise<Ran> {
  for (let attempt = 1; ; attempt++) {
    const ran = await inPod(command, `${input}\n\\echo ${HEARD}\n`);
    const heard = ran.stdout.includes(HEARD);
    if (heard || attempt === 5 || !/^(psql: .*no password supplied)?\s*$/.test(ran.output))
      return {
        ...ran,
        stdout: ran.stdout.replace(`${HEARD}\n`, ""),
        output: ran.output.replace(`${HEARD}\n`, ""),
      };
  }
}

/** The owner, which nothing that it has attached to the database disturbs. Must succeed. */
export async function asOwner(
  sql: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<string> {
  const given = Object.entries(variables).flatMap(([name, value]) => ["-v", `${name}=${value}`]);
  const ran = await psqlInPod(psql("transcript_user", ADVERSARY_OPTIONS, ...strict, ...given), sql);
  assert.equal(ran.status, 0, ran.output);
  return ran.stdout.trim();
}

/** Whether a statement fails for want of a privilege, by statement. The answers are PostgreSQL's codes. */
export async function answersTo(
  statements: readonly string[],
  command: readonly string[],
  input = "",
): Promise<string[]> {
  const script = statements.map((statement) => `${statement};\n\\echo ---\n`).join("");
  const ran = await psqlInPod(["bash", "-c", 'exec "$@" 2>&1', "-", ...command], input + script);
  return statements.map(
    (statement, index) => `${statement}: ${(ran.stdout.split("---\n")[index] ?? "no answer").trim()}`,
  );
}

/** {@link answersTo} the owner. */
export const answersToOwner = (statements: readonly string[]) =>
  answersTo(statements, psql("transcript_user", ADVERSARY_OPTIONS, "-v", "VERBOSITY=sqlstate"));

/** {@link answersTo} a login that comes over TCP with its password. */
export const answersToLogin = (login: string, password: string, statements: readonly string[]) =>
  answersTo(
    statements,
    [
      ...["bash", "-c", 'IFS= read -r PGPASSWORD || exit 99; export PGPASSWORD; exec "$@"', "-"],
      ...["psql", "-X", "-q", "-w", "-At", "-v", "VERBOSITY=sqlstate", "-h", "127.0.0.1", "-U", login],
      ...["-d", "transcripts_db"],
    ],
    `${password}\n`,
  );

/** A superuser who did what the product's sessions must not: its options take back every protection of the role's. */
export function asUnprotected(sql: string, path = '"$user",public', ...args: string[]): Promise<Ran> {
  const options = `${ADVERSARY_OPTIONS} -c search_path=${path}`;
  return psqlInPod(psql("postgres", options, ...args), sql);
}

/** The test's superuser, which no trap can catch. Must succeed. */
export async function asSuperuser(sql: string): Promise<string> {
  const options = `${ADVERSARY_OPTIONS} -c search_path=pg_catalog -c quote_all_identifiers=off -c datestyle=ISO`;
  const ran = await psqlInPod(psql("postgres", options, ...strict), sql);
  assert.equal(ran.status, 0, ran.output);
  return ran.stdout.trim();
}

const RIVAL = "tests_superuser";

/**
 * What sessions of a superuser without settings of its own answer while one setting after the other is attached to the
 * database. The role `postgres` has settings of its own, so another superuser is made for this.
 */
export async function reached(
  settings: readonly { name: string; value: string; seen?: string }[],
): Promise<string[]> {
  const password = randomBytes(18).toString("hex");
  await asSuperuser(
    `drop role if exists ${RIVAL}; create role ${RIVAL} superuser login password '${password}'`,
  );
  const script = `
    IFS= read -r PGPASSWORD || exit 99; export PGPASSWORD
    owner() { PGOPTIONS='${ADVERSARY_OPTIONS}' psql -X -q -U transcript_user -d transcripts_db -v ON_ERROR_STOP=1 -c 'do $$begin end$$' -c "$1"; }
    while IFS=$'\\t' read -r name value seen; do
      owner "alter database transcripts_db set $name = $value"
      psql -X -q -w -At -h 127.0.0.1 -U ${RIVAL} -d transcripts_db -c "$seen" 2>&1 | tail -n 1 | sed 's/^psql: .*FATAL: /FATAL: /'
      owner "alter database transcripts_db reset $name"
    done`;
  try {
    const lines = settings.map(({ name, value, seen }) => `${name}\t${value}\t${seen ?? `show ${name}`}\n`);
    const ran = await inPod(["bash", "-c", script], `${password}\n${lines.join("")}`);
    return ran.stdout.trim().split("\n");
  } finally {
    await asSuperuser(`drop role ${RIVAL}`);
  }
}

/** Attaches the settings of settings.ts again whenever somebody has taken them off, as long as the work goes on. */
export async function attachingAllTheTime<T>(
  settings: readonly Hostile[],
  work: () => Promise<T>,
): Promise<T> {
  let working = true;
  let attached: ((value: unknown) => void) | undefined;
  const first = new Promise((resolve) => (attached = resolve));
  const attaching = (async () => {
    while (working) {
      // There may be no server now.
      const ran = await inPod(
        psql("transcript_user", ADVERSARY_OPTIONS, "-c", "do $$begin end$$", "-c", attachAll(settings)),
      );
      if (ran.status === 0) attached?.(undefined);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  })();
  try {
    await first;
    return await work();
  } finally {
    working = false;
    await attaching;
  }
}
