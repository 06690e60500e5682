import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../../../tools/cli.ts";

const SCRIPT = projectFile("components/server/scripts/check-image.sh");

/** The content of an image, as far as the script looks. */
interface Image {
  version: string;
  musl: boolean;
  passwd: string;
  extensions: string[];
  without: string[];
}

const OFFICIAL: Image = {
  version: "postgres (PostgreSQL) 16.14 (Debian 16.14-1.pgdg12+1)",
  musl: false,
  passwd: "root:x:0:0::/root:/bin/bash\npostgres:x:999:999::/var/lib/postgresql:/bin/bash\n",
  extensions: ["vector", "uuid-ossp", "pg_trgm", "pg_stat_statements"],
  without: [],
};

describe("the check of an image", () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "check-image-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  const text = readFileSync(SCRIPT, "utf8");
  const words = (name: string) => (new RegExp(`^${name}="([^"]*)"`, "m").exec(text)?.[1] ?? "").split(" ");

  /** Runs the script where only the image's programs can be found. */
  function check(image: Partial<Image>): { status: number | null; said: string } {
    const { version, musl, passwd, extensions, without } = { ...OFFICIAL, ...image };
    const bin = join(folder, "bin");
    const share = join(folder, "share");
    mkdirSync(bin);
    mkdirSync(join(share, "extension"), { recursive: true });
    writeFileSync(join(folder, "passwd"), passwd);
    for (const name of extensions)
      writeFileSync(join(share, "extension", `${name}.control`), "default_version = '0.8.6'\n");
    const program = (name: string, script: string) => {
      writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
      chmodSync(join(bin, name), 0o755);
    };
    const own: Record<string, string> = {
      postgres: `${musl ? "# /lib/ld-musl-x86_64.so.1\n" : ""}echo "${version}"`,
      initdb: `echo "VERSION=${version}" >&2; echo "share_path=${share}" >&2`,
      psql: "exit 1",
      pg_isready: "exit 1",
      getconf: 'echo "glibc 2.36"',
    };
    for (const name of [...words("programs"), "getconf"]) {
      if (without.includes(name)) continue;
      const script = own[name];
      if (script !== undefined) program(name, script);
      else {
        const where = spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).stdout.trim();
        symlinkSync(where, join(bin, name));
      }
    }
    const ran = spawnSync("/bin/sh", [SCRIPT], {
      env: { PATH: bin, PASSWD: join(folder, "passwd") },
      encoding: "utf8",
    });
    return { status: ran.status, said: ran.stderr };
  }

  it("lets the official image pass, and says what it contains", () => {
    assert.deepEqual(check({}), {
      status: 0,
      said: "image: PostgreSQL 16.14, pgvector 0.8.6, glibc 2.36\n",
    });
  });

  for (const version of ["16beta2", "16.0"])
    it(`lets ${version} pass`, () => {
      assert.equal(check({ version: `postgres (PostgreSQL) ${version}` }).status, 0);
    });

  const kinds: readonly [what: string, image: Partial<Image>, said: RegExp][] = [
    ["postgres:17", { version: "postgres (PostgreSQL) 17.2", extensions: [] }, /it is PostgreSQL 17\.2, and/],
    ["postgres:160, whenever", { version: "postgres (PostgreSQL) 160.1" }, /it is PostgreSQL 160\.1/],
    ["postgres:16", { extensions: OFFICIAL.extensions.slice(1) }, /it has no extension vector \(pgvector's/],
    [
      "one without contrib",
      { extensions: ["vector"] },
      /no extension uuid-ossp, pg_trgm, pg_stat_statements/,
    ],
    [
      "postgres:16-alpine",
      { musl: true, passwd: "root:x:0:0::/root:/bin/sh\npostgres:x:70:70::/var/lib/postgresql:/bin/sh\n" },
      /its C library is musl[^]*its user 999 is nobody and not postgres/,
    ],
    ["bitnami/postgresql:16", { passwd: "root:x:0:0::/root:/bin/bash\n" }, /its user 999 is nobody/],
    ["one whose 999 is another", { passwd: "ping:x:999:999::/:/bin/sh\n" }, /its user 999 is ping/],
    ["one without bash", { without: ["bash"] }, /it has no bash/],
    ["one without a server", { without: ["postgres", "initdb"] }, /it has no postgres, initdb/],
  ];
  for (const [what, image, said] of kinds) {
    it(`refuses ${what}, in one line, with what is allowed`, () => {
      const ran = check(image);
      assert.equal(ran.status, 1, ran.said);
      assert.match(ran.said, said);
      assert.match(ran.said, /^image: REFUSED: [^\n]* pulumi config set --path database\.image <image>\n$/);
    });
  }

  it("reports all problems at once", () => {
    const { said } = check({ version: "postgres (PostgreSQL) 15.9", extensions: [], passwd: "", musl: true });
    for (const part of [/PostgreSQL 15\.9/, /musl/, /user 999/, /extension vector/]) assert.match(said, part);
  });

  it("knows every extension that sql/bootstrap creates", () => {
    const sql = readFileSync(projectFile("sql/bootstrap/01-extensions.sql"), "utf8");
    const made = [...sql.matchAll(/CREATE EXTENSION IF NOT EXISTS "?([\w-]+)"?/gi)].map(([, name]) => name);
    assert.deepEqual([...made].sort(), [...words("extensions")].sort());
    const trial = readFileSync(projectFile("components/server/scripts/check-settings.sh"), "utf8");
    assert.ok(trial.includes(`for extension in ${words("extensions").join(" ")}; do`));
  });
});
