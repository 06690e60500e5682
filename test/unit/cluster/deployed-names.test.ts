import assert from "node:assert/strict";
import { DATABASE_NAME, nearestName, SYSTEM_DATABASES, TAKEN } from "../../../config/names.ts";
import { readSettings, ConfigurationError } from "../../../config.ts";
import { Random } from "../../random.ts";

const raw = (database: Record<string, unknown>) => ({
  node: { hostname: "gen8" },
  storage: { path: "/mnt/raid10/pgdata" },
  database: {
    requests: { memory: "1Gi", cpu: "1" },
    limits: { memory: "2Gi", cpu: "2" },
    ...database,
  },
});

/** What is reported about a configuration, or nothing. */
function objections(database: Record<string, unknown>): string {
  try {
    readSettings("dev", raw(database));
    return "";
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.problems.map(({ key, message }) => `${key}: ${message}`).join("\n");
  }
}

describe("names of the database and its owner", () => {
  const refused = {
    owner: [
      ["postgres", "postgres_user"],
      ["public", "public_user"],
      ["none", "none_user"],
      ["pg_read_all_data", "read_all_data"],
      ["pg_monitor", "monitor"],
      ["transcripts_readonly", "readonly"],
      ["transcripts_", "transcripts"],
      ["Transcript-User", "transcript_user"],
      ["1user", "_1user"],
      ["", "transcript_user"],
      ["Müller", "muller"],
    ],
    name: [
      ["template0", "template0_db"],
      ["template1", "template1_db"],
      ["postgres", "postgres_db"],
      ["pg_db", "db"],
      ["My DB", "my_db"],
      ["x".repeat(64), "x".repeat(63)],
    ],
  } as const;
  for (const [field, names] of Object.entries(refused)) {
    for (const [written, near] of names) {
      it(`refuses database.${field} ${JSON.stringify(written)} at once, with the nearest allowed`, () => {
        const said = objections({ [field]: written });
        assert.match(said, new RegExp(`database\\.${field}: .*[ ]${near}\\b`));
        assert.equal(objections({ [field]: near }), "");
      });
    }
  }

  it("refuses an owner that is a login, and a login that is the owner", () => {
    assert.match(
      objections({ owner: "api", logins: { api: "readonly" } }),
      /logins\.api: is the name of database\.owner/,
    );
    assert.equal(nearestName("postgres", "owner", ["postgres_user"]), "postgres_user2");
  });

  it("takes names that only look like words of PostgreSQL's", () => {
    for (const name of ["user", "all", "replication", "current_user", "template2", "table"])
      assert.equal(objections({ owner: name, name }), "", name);
  });

  it("proposes only names that are allowed, whatever is written", () => {
    const random = new Random("names", 1);
    const letters = [
      "p",
      "g",
      "_",
      "T",
      "é",
      "1",
      "-",
      " ",
      "'",
      "\u0000",
      "transcripts_",
      "pg_",
      "postgres",
      "ß",
      "漢",
    ];
    for (let round = 0; round < 5000; round++) {
      const written = Array.from(
        { length: random.between(0, 30) },
        () => letters[random.between(0, letters.length - 1)],
      ).join("");
      for (const kind of ["owner", "database"] as const) {
        const name = nearestName(written, kind);
        const taken = kind === "owner" ? TAKEN.test(name) : SYSTEM_DATABASES.includes(name);
        assert.ok(DATABASE_NAME.test(name) && !taken, `${JSON.stringify(written)} -> ${name}`);
      }
    }
  });
});
