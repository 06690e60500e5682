/**
 * `npm run catalogue -- [folder of PostgreSQL's programs]`: writes postgres/catalogue-data.json and postgres/time-zones-data.json
 * from a running server with every library loaded that the official image has. Default: the local cluster's stand-in.
 */
import { readdirSync, writeFileSync } from "node:fs";
import { projectFile, runTool, UsageError } from "./cli.ts";
import {
  makeDataDirectory,
  postgresPrograms,
  type Programs,
  query,
  startServer,
  stopServer,
  understood,
} from "./postgres-programs.ts";
import { run } from "./processes.ts";

const usage = `usage: npm run catalogue -- [folder]
  folder  PostgreSQL 16's programs. Default: those of the local cluster's stand-in`;

/** Packaged separately in Debian and absent from the official image; encodings are not libraries to load. */
const NOT_IN_THE_IMAGE =
  /plperl|plpython|pltcl|sepgsql|_and_|sjis|^(libpqwalreceiver|llvmjit|dict_snowball|pgoutput)$/;

/** Words that some enumerations accept without listing them in pg_settings.enumvals; all are tried with each. */
const UNSHOWN_WORDS = [
  ...["on", "off", "true", "false", "yes", "no", "1", "0", "auto", "none", "debug", "archive", "hot_standby"],
  ...["sysv", "mmap", "posix", "unspecified", "user", "simple", "jsonb", "2", "3", "t", "f", ""],
];

interface Row {
  name: string;
  context: string;
  vartype: string;
  unit: string | null;
  min_val: string | null;
  max_val: string | null;
  enumvals: string[] | null;
  boot_val: string | null;
}

async function settingsOf(programs: Programs, ...first: string[]): Promise<Row[]> {
  const columns = "name, context, vartype, unit, min_val, max_val, enumvals, boot_val";
  return JSON.parse(
    await query(
      programs,
      ...first,
      `select json_agg(s order by name collate "C") from (select ${columns} from pg_settings where context <> 'internal') s`,
    ),
  ) as Row[];
}

/** Settings by the library that a session must load for them. */
async function settingsOfLibraries(programs: Programs): Promise<Map<string, string[]>> {
  const own = new Set((await settingsOf(programs)).map(({ name }) => name));
  const candidates = readdirSync(programs.libraries)
    .flatMap((file) => (file.endsWith(".so") ? [file.slice(0, -3)] : []))
    .filter((library) => !NOT_IN_THE_IMAGE.test(library))
    .sort();
  const found = new Map<string, string[]>();
  for (const library of candidates) {
    try {
      const loaded = await settingsOf(programs, `load '${library}'`);
      found.set(
        library,
        loaded.map(({ name }) => name).filter((name) => !own.has(name)),
      );
    } catch {
      // Some are only dependencies of other libraries.
    }
  }
  return found;
}

/** Words that an enumeration accepts in addition to those it lists. */
async function unshownWords(programs: Programs, data: string, row: Row): Promise<string[]> {
  const words = UNSHOWN_WORDS.filter((word) => !row.enumvals?.includes(word));
  const taken: string[] = [];
  for (const word of words) {
    const takes = row.name.includes(".")
      ? await query(programs, `set ${row.name} = '${word}'`).then(
          () => true,
          () => false,
        )
      : "value" in (await understood(programs, data, row.name, [`${row.name}=${word}`]));
    if (takes) taken.push(word);
  }
  return taken;
}

/** Words that wal_consistency_checking accepts. */
async function checkedResourceManagers(programs: Programs): Promise<string[]> {
  const all = (await query(programs, "select rm_name from pg_get_wal_resource_managers() order by 1")).split(
    "\n",
  );
  const taken = await Promise.all(
    all.map((name) =>
      query(programs, `set wal_consistency_checking = '${name}'`).then(
        () => name,
        () => undefined,
      ),
    ),
  );
  return taken.filter((name) => name !== undefined);
}

function grouped(names: string[]): Record<string, string> {
  const groups: Record<string, string[]> = {};
  for (const name of names.sort()) {
    const slash = name.lastIndexOf("/");
    (groups[name.slice(0, Math.max(slash, 0))] ??= []).push(name.slice(slash + 1));
  }
  return Object.fromEntries(Object.entries(groups).map(([region, cities]) => [region, cities.join(" ")]));
}

async function write(programs: Programs): Promise<void> {
  const data = await makeDataDirectory(programs, "data");
  const start = async (conf: string) => {
    const { ready, log } = await startServer(programs, data, conf);
    if (!ready) throw new Error(`the server did not start: ${log}`);
  };
  await start("");
  let libraries: Map<string, string[]>;
  try {
    libraries = await settingsOfLibraries(programs);
  } finally {
    await stopServer(programs, data);
  }
  await start(`shared_preload_libraries = '${[...libraries.keys()].join(", ")}'\n`);
  try {
    // pgvector's settings exist once it is loaded or one of its functions has run.
    const rows = await settingsOf(programs);
    const libraryOf = (name: string) => {
      const [prefix = ""] = name.split(".");
      const owner = [...libraries].find(([, names]) => names.includes(name))?.[0];
      return owner ?? (libraries.has(prefix) ? prefix : undefined);
    };
    const settings: Record<string, object> = {};
    for (const row of rows) {
      const unshown = row.vartype === "enum" ? await unshownWords(programs, data, row) : [];
      const library = row.name.includes(".") ? libraryOf(row.name) : undefined;
      const isNumber = row.vartype === "integer" || row.vartype === "real";
      settings[row.name] = {
        context: row.context,
        type: row.vartype,
        ...(row.unit !== null && { unit: row.unit }),
        ...(isNumber && { min: Number(row.min_val), max: Number(row.max_val) }),
        ...(row.enumvals !== null && { values: row.enumvals }),
        ...(unshown.length > 0 && { unshown }),
        ...(row.boot_val !== null && { default: row.boot_val }),
        ...(library !== undefined && { library }),
      };
    }
    const catalogue = {
      version: (await query(programs, "show server_version")).split(" ")[0],
      segment: Number(
        await query(programs, "select setting from pg_settings where name = 'wal_segment_size'"),
      ),
      libraries: [...libraries.keys()],
      resourceManagers: await checkedResourceManagers(programs),
      settings,
    };
    const zones = (await query(programs, "select name from pg_timezone_names")).split("\n");
    const files = {
      "postgres/catalogue-data.json": catalogue,
      "postgres/time-zones-data.json": grouped(zones),
    };
    for (const [file, content] of Object.entries(files)) {
      // An object in one line is one setting in one line for prettier, too.
      const text = JSON.stringify(content, null, 1).replace(/\{\n\s+"context"[^}]*\}/g, (entry) =>
        entry.replace(/\s*\n\s*/g, " "),
      );
      writeFileSync(projectFile(file), text);
    }
    await run("prettier", ["--write", "--log-level", "warn", ...Object.keys(files).map(projectFile)]);
    console.log(
      `${Object.keys(settings).length} settings and ${zones.length} time zones of ${catalogue.version}`,
    );
  } finally {
    await stopServer(programs, data);
  }
}

await runTool(usage, async () => {
  const [bin, ...more] = process.argv.slice(2);
  if (more.length > 0 || bin?.startsWith("-")) throw new UsageError(usage);
  const programs = await postgresPrograms(bin, (line) => console.log(line));
  try {
    await write(programs);
  } finally {
    programs.remove();
  }
});
