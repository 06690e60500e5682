import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SETTINGS } from "../../postgres/catalogue.ts";
import { quotedValue } from "../../postgres/conf-file.ts";
import { conflictsIn } from "../../postgres/combinations.ts";
import { OFFICIAL_IMAGE, isTakenByOfficialImage } from "../../postgres/official-image.ts";
import { plainValue, readValue } from "../../postgres/values.ts";
import {
  makeDataDirectory,
  type Programs,
  startServer,
  stopServer,
  understood,
} from "../../tools/postgres-programs.ts";
import { Random } from "../random.ts";
import { casesFor } from "./cases.ts";
import { withPrograms } from "./programs.ts";

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));

interface Case {
  name: string;
  value: string;
}

/**
 * Settings that say where the server's own files are, which it looks for at once; they are never configured
 * (postgres/settings.ts).
 */
const FILES = ["config_file", "data_directory", "hba_file", "ident_file"];

/** A directory that must exist is one of the container's. */
const OF_THE_CONTAINER = ["basic_archive.archive_directory"];

/** Whose check hooks look into a database when a session reads the file, and not when the server starts. */
const OF_A_DATABASE =
  /^(default_table_access_method|default_tablespace|default_text_search_config|transaction_\w+|recovery_target_time)$/;

/** What is checked only when the server has loaded its libraries, not when postgres -C reads it. */
const CHECKED_LATER = /\.|^wal_consistency_checking$/;

/** Whether PostgreSQL accepts a value, by the program: the value itself, and the sum that check hooks use. */
function predicted({ name, value }: Case): boolean {
  if (!("value" in readValue(name, value))) return false;
  return !conflictsIn({ [name]: value }).some(({ message }) => /Allowed: a sum of/.test(message));
}

const shown = ({ name, value }: Case) => `${name}=${JSON.stringify(value)}`;

/** Groups in which each setting is at most once. */
function rounds(cases: readonly Case[], size = Infinity): Case[][] {
  const groups: Case[][] = [];
  const times = new Map<string, number>();
  for (const one of cases) {
    let round = times.get(one.name) ?? 0;
    while ((groups[round]?.length ?? 0) >= size) round++;
    (groups[round] ??= []).push(one);
    times.set(one.name, round + 1);
  }
  return groups;
}

describe(`PostgreSQL's own reading of settings (SEED=${seed})`, function () {
  this.timeout(15 * 60_000);
  let programs: Programs;
  let data = "";
  withPrograms(async (ready) => {
    programs = ready;
    data = await makeDataDirectory(programs, "values");
  });

  const random = new Random("settings", seed);
  const core = Object.entries(SETTINGS).filter(([name]) => ![...FILES, ...OF_THE_CONTAINER].includes(name));
  const cases = core.flatMap(([name, description]) =>
    casesFor(name, description, random).map((value): Case => ({ name, value })),
  );
  const isAddition = ({ name, value }: Case) => isTakenByOfficialImage(name, value);
  const expected = cases.filter((one) => !isAddition(one));

  const pickSome = (from: readonly Case[], count: number) => {
    const left = [...from];
    return Array.from({ length: Math.min(count, left.length) }, () =>
      left.splice(random.between(0, left.length - 1), 1),
    ).flat();
  };

  /** What PostgreSQL answers to one setting. */
  const ask = ({ name, value }: Case) => understood(programs, data, name, [`${name}=${value}`]);

  it(`is the program's, value by value: a line of postgresql.conf each, ${cases.length} cases`, async () => {
    const libraries = new Set(Object.values(SETTINGS).flatMap(({ library }) => library ?? []));
    const preload = `shared_preload_libraries = '${[...libraries].join(", ")}'`;
    const server = await makeDataDirectory(programs, "reading");
    const file = join(programs.scratch, "round.conf");
    const started = await startServer(programs, server, `${preload}\ninclude_if_exists = '${file}'\n`);
    assert.ok(started.ready, started.log);
    const disagreements: string[] = [];
    try {
      for (const round of rounds(expected.filter(({ name }) => !OF_A_DATABASE.test(name)))) {
        writeFileSync(file, round.map(({ name, value }) => `${name} = ${quotedValue(value)}\n`).join(""));
        const { ok, output, errors } = await programs.run("psql", [
          ...["-XAtq", "-c", "set client_min_messages = debug3"],
          ...["-c", "select json_agg(f) from pg_file_settings f where sourcefile like '%/round.conf'"],
        ]);
        assert.ok(ok, errors);
        const lines = JSON.parse(output) as { name: string; setting: string; error: string | null }[];
        for (const one of round) {
          const line = lines.find(({ name }) => name === one.name);
          if (line?.setting !== one.value)
            disagreements.push(`${shown(one)} is written so that it is read as ${line?.setting}`);
          // A value that only waits for a restart is not wrong.
          const waits = errors.includes(`parameter "${one.name}" cannot be changed without restarting`);
          const isRefused = line?.error !== null && !waits;
          if (isRefused === predicted(one))
            disagreements.push(`${shown(one)}: PostgreSQL ${isRefused ? "refuses" : "takes"} it`);
        }
      }
    } finally {
      await stopServer(programs, server);
    }
    assert.deepEqual(disagreements, []);
  });

  it("is the program's for postgres -C: everything that is accepted, together, and a part of what is refused, one by one", async () => {
    const disagreements: string[] = [];
    const checked = expected.filter(({ name }) => !CHECKED_LATER.test(name));
    const taken = checked.filter(predicted);
    const check = async (group: Case[]): Promise<void> => {
      const given = group.map(({ name, value }) => `${name}=${value}`);
      // Sums over maxima are of values that are set together.
      const answer = await understood(programs, data, group[0]?.name ?? "", given);
      if ("value" in answer) return;
      const [one] = group;
      if (group.length === 1 && one)
        disagreements.push(`${shown(one)} is taken, and PostgreSQL says ${answer.objection}`);
      if (group.length < 2) return;
      const half = Math.ceil(group.length / 2);
      await check(group.slice(0, half));
      await check(group.slice(half));
    };
    for (const group of rounds(taken)) await check(group);
    for (const one of pickSome(
      checked.filter((one) => !predicted(one)),
      150,
    )) {
      if ("value" in (await ask(one)))
        disagreements.push(`${shown(one)} is refused, and PostgreSQL takes it`);
    }
    assert.deepEqual(disagreements, []);
  });

  it("reads the same numbers", async () => {
    const disagreements: string[] = [];
    const numbers = expected.filter(
      (one) =>
        !CHECKED_LATER.test(one.name) &&
        predicted(one) &&
        ["integer", "real"].includes(SETTINGS[one.name]?.type ?? ""),
    );
    for (const one of pickSome(numbers, 150)) {
      const answer = await ask(one);
      const read = readValue(one.name, one.value);
      const understands = "value" in answer ? Number(answer.value) : NaN;
      const expects = "value" in read ? Number(read.value) : NaN;
      const isRaised = ["autovacuum_work_mem", "wal_buffers"].includes(one.name) && understands > expects;
      // Reals are printed with six digits.
      if (!isRaised && !(Math.abs(understands - expects) <= Math.abs(expects) * 1e-5))
        disagreements.push(`${shown(one)} is read as ${expects}, and PostgreSQL reads ${understands}`);
      const plain = plainValue(one.name, one.value);
      const again = readValue(one.name, plain);
      if (
        !("value" in again) ||
        Number(again.value) !== expects ||
        (/[A-Za-z]/.test(plain) &&
          !/^\d+(B|kB|MB|GB|TB|us|ms|s|min|h|d)$/.test(plain) &&
          !/e[-+]\d+$/.test(plain))
      )
        disagreements.push(`${shown(one)} is rendered as ${plain}`);
    }
    assert.deepEqual(disagreements, []);
  });

  it("differs only if the official image was built differently, and never without need", async () => {
    const stale: string[] = [];
    for (const [name, { values }] of Object.entries(OFFICIAL_IMAGE)) {
      for (const value of values) {
        assert.ok("value" in readValue(name, value), `${name}=${value}`);
        if ("value" in (await ask({ name, value }))) stale.push(`${name}=${value}`);
      }
    }
    assert.deepEqual(stale, [], "the stand-in takes these, too: take them out of postgres/official-image.ts");
  });
});
