import assert from "node:assert/strict";
import { bootstrapFiles, migrationFiles, upgradeFiles } from "../../../sql/files.ts";
import { type FolderEntry, readSqlFiles } from "../../../sql/sql-files.ts";

const GOOD = "-- migrate:up\nselect 1;\n\n-- migrate:down\nselect 2;\n";
const entry = (name: string, text: string | Uint8Array = GOOD): FolderEntry => ({
  name,
  bytes: typeof text === "string" ? Buffer.from(text) : text,
});
const objections = (...entries: FolderEntry[]) => readSqlFiles(entries, "migrations").objections.join("\n");

/** A migration, by its name or what is in it, and what is said of it. */
const refused: [what: string, entry: FolderEntry, says: RegExp][] = [
  ["a name without a version", entry("add_index.sql"), /does not begin with a version/],
  ["a name with another ending", entry("1_a.SQL"), /not read: the names of SQL files end in \.sql/],
  ["an editor's copy", entry("1_a.sql~"), /not read/],
  ["a space in a name", entry("1_add index.sql"), /a name that no ConfigMap takes/],
  ["a letter that no ConfigMap takes", entry("1_größe.sql"), /a name that no ConfigMap takes/],
  ["a name that is too long", entry(`1_${"a".repeat(250)}.sql`), /a name that no ConfigMap takes/],
  ["a directory", { name: "old" }, /is not a regular file/],
  ["Latin-1", entry("1_a.sql", Buffer.from("-- migrate:up\nselect '\xe9';\n", "latin1")), /is not UTF-8/],
  ["UTF-16", entry("1_a.sql", Buffer.from(`\ufeff${GOOD}`, "utf16le")), /is not UTF-8/],
  ["a byte order mark", entry("1_a.sql", `\ufeff${GOOD}`), /begins with a byte order mark/],
  ["a NUL character", entry("1_a.sql", GOOD.replace("1", "'\0'")), /NUL character/],
  ["an empty file", entry("1_a.sql", ""), /no line '-- migrate:up'/],
  ["no line that begins it", entry("1_a.sql", "select 1;\n-- migrate:down\n"), /no line '-- migrate:up'/],
  ["a misspelt line", entry("1_a.sql", GOOD.replace("migrate:up", "migrate: up")), /no line '-- migrate:up'/],
  ["an indented line", entry("1_a.sql", ` ${GOOD}`), /no line '-- migrate:up'/],
  [
    "no line that begins what undoes it",
    entry("1_a.sql", "-- migrate:up\nselect 1;\n"),
    /no line '-- migrate:down'/,
  ],
  [
    "both in the wrong order",
    entry("1_a.sql", "-- migrate:down\n-- migrate:up\nselect 1;\n"),
    /before '-- migrate:up'/,
  ],
  ["two of them", entry("1_a.sql", GOOD + GOOD), /twice/],
  ["statements before it", entry("1_a.sql", `begin;\n${GOOD}`), /statements before/],
  [
    "an option that is passed over",
    entry("1_a.sql", GOOD.replace("up", "up transaction: false")),
    /"transaction: false".*passes over/,
  ],
  ["an empty block", entry("1_a.sql", "-- migrate:up\n\n-- migrate:down\nselect 1;"), /would count as done/],
  [
    "a block of comments",
    entry("1_a.sql", "-- migrate:up\n-- todo\n/* later */\n-- migrate:down\n"),
    /would count as done/,
  ],
];

describe("migrations", () => {
  for (const [what, file, says] of refused) {
    it(`are refused before anything is deployed: ${what}`, () => {
      assert.match(objections(file), says);
      assert.ok(objections(file).startsWith(`${file.name}: `));
    });
  }

  it("of one version are refused, whatever their names", () => {
    assert.match(
      objections(entry("20260101000001_a.sql"), entry("20260101000001_b.sql")),
      /b\.sql: has the version of 20260101000001_a\.sql/,
    );
  });

  it("that would run in another order than their numbers are refused", () => {
    assert.match(objections(entry("10_b.sql"), entry("9_a.sql")), /9_a\.sql: has a version of 1 digits/);
  });

  it("that no ConfigMap can hold are refused", () => {
    const large = GOOD.replace("1", `'${"x".repeat(600_000)}'`);
    assert.match(
      objections(entry("1_a.sql", large), entry("2_b.sql", large)),
      /2 files: hold 12\d+ bytes together/,
    );
  });

  it("are read as dbmate reads them, with comments before, options, and files next to them", () => {
    const files = [
      entry(
        "2_b.sql",
        "-- about it\n\n-- migrate:up transaction:false\ncreate index concurrently x on y (z);\n-- migrate:down\n",
      ),
      entry("1_a.sql", GOOD.replaceAll("\n", "\r\n")),
      entry("README.md", "notes"),
      entry(".gitkeep", ""),
    ];
    assert.equal(objections(...files), "");
    assert.deepEqual(Object.keys(readSqlFiles(files, "migrations").files), ["1_a.sql", "2_b.sql"]);
  });

  it("of this project are all of them deployed, and so are the superuser's files", () => {
    assert.ok(Object.keys(migrationFiles()).length >= 15);
    assert.ok(Object.keys(bootstrapFiles()).length >= 4);
    assert.ok(Object.keys(upgradeFiles()).length >= 2);
  });
});
