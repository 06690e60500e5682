import assert from "node:assert/strict";
import { parse } from "yaml";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { sayEnforcement } from "../../cluster/enforcement.ts";
import { ACCESS_LABEL } from "../../components/kubernetes/names.ts";
import { namesOf, readSettings, table } from "../../config.ts";
import { secretFiles, pgbackrestConf, type RepositoryArgs } from "../../components/backup/pgbackrest-conf.ts";
import { rcloneFiles } from "../../components/backup/rclone-conf.ts";
import { LEAVES } from "../../components/secrets/description.ts";
import { projectFile } from "../../tools/cli.ts";
import { readStackFile } from "../../tools/stack-file/stack-file.ts";
import { objectionsTo } from "../external-secrets.ts";
import { deployable, type Raw } from "../settings.ts";
import { ed25519HostKey, userKey } from "../ssh-keys.ts";

const page = (name: string) => readFileSync(projectFile(`docs/${name}.md`), "utf8");
const KEYS = { accessKey: "AKIAEXAMPLE", secretKey: "very-secret-key-of-the-store" };

/** The backups of a stack whose file this is. */
function backupsOf(text: string): Raw[string] {
  const directory = mkdtempSync(join(tmpdir(), "docs-"));
  try {
    writeFileSync(join(directory, "Pulumi.prod.yaml"), text);
    const { config } = readStackFile(join(directory, "Pulumi.prod.yaml"));
    return JSON.parse(config["transcript-pipeline:backup"] ?? "{}") as Raw[string];
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The repository that the pages about restoring show. */
const cloud: RepositoryArgs = {
  ...{
    name: "cloud",
    kind: "s3",
    keepFull: 4,
    path: "/transcript-pipeline/prod",
    port: 443,
    pathStyle: false,
  },
  ...{
    endpoint: "s3.eu-central-1.amazonaws.com",
    bucket: "example-transcripts-backup",
    region: "eu-central-1",
  },
};

describe("docs/backups.md", () => {
  const text = page("backups");
  const stores = [...text.matchAll(/```yaml store=(\w+)\n([^]*?)```/g)];

  it("shows the stack's file for five stores, and for another machine", () => {
    assert.deepEqual(
      stores.map(([, store]) => store),
      ["aws", "backblaze", "hetzner", "minio", "garage", "sftp"],
    );
  });

  for (const [, store = "", snippet = ""] of stores) {
    it(`has a configuration for ${store} that is accepted as it stands, with the keys`, () => {
      const backup = backupsOf(snippet) as { repositories: Record<string, Record<string, unknown>> };
      const [name = "", ...others] = Object.keys(backup.repositories);
      assert.deepEqual(others, []);
      const isSftp = store === "sftp";
      // As the page's commands set them.
      if (isSftp) Object.assign(backup.repositories[name] ?? {}, { hostKeys: ed25519HostKey() });
      const secrets = { repositories: { [name]: isSftp ? { privateKey: userKey() } : KEYS } };
      const { settings, warnings } = readSettings("prod", { ...deployable(), backup, secrets });
      assert.equal(settings.backup.repositories[name]?.pathStyle, store !== "aws");
      assert.ok(!warnings.some((warning) => /backup/.test(warning)), warnings.join("\n"));
    });
  }

  it("gives the defaults as the configuration has them", () => {
    const { backup } = readSettings("prod", {
      ...deployable(),
      backup: { repositories: { local: { kind: "volume" } } },
    }).settings;
    assert.deepEqual(
      [backup.archiveTimeout, backup.fullSchedule, backup.incrementalSchedule, backup.timeZone],
      [30, "30 1 * * 0", "30 1 * * 1-6", "Etc/UTC"],
    );
    assert.equal(backup.repositories.local?.keepFull, 4);
    assert.match(text, /at the latest after 30 s/);
    assert.match(text, /Sundays at 01:30 UTC/);
    assert.match(text, /4 full backups/);
  });
});

describe("docs/restoring.md", () => {
  it("has a pgbackrest.conf for a laptop with every option that says where a repository is, as the agent's has them", () => {
    const [, conf = ""] = /```ini\n([^]*?)```/.exec(page("restoring")) ?? [];
    const optionsOf = (text: string) => [...text.matchAll(/^(repo1-[\w-]+)=/gm)].map(([, name = ""]) => name);
    // How backups are made does not matter to one who reads them; 443 is the default.
    const making = /^repo1-(bundle|block|retention-full|storage-port)$/;
    const agent = [
      ...optionsOf(pgbackrestConf({ repositories: [cloud], walQueue: 1 })),
      ...Object.values(secretFiles(1, "x", KEYS)).flatMap((parts) => optionsOf(parts.join(""))),
    ].filter((name) => !making.test(name));
    assert.deepEqual(optionsOf(conf).sort(), agent.sort());
  });
});

describe("docs/restoring.md, about dumps", () => {
  it("has an rclone.conf for a laptop with every option that says where a store and its dumps are, as the dump's has them", () => {
    const conf =
      [...page("restoring").matchAll(/```ini\n([^]*?)```/g)]
        .map(([, text = ""]) => text)
        .find((text) => text.includes("crypt")) ?? "";
    const optionsOf = (text: string) => [...text.matchAll(/^(\w+) = /gm)].map(([, name = ""]) => name);
    const { "rclone.conf": own = "" } = rcloneFiles([cloud]);
    // How objects are written does not matter to one who reads them; the keys come from the Secret.
    const writing = ["no_check_bucket", "chunk_size", "upload_concurrency"];
    const expected = [
      ...optionsOf(own).filter((name) => !writing.includes(name)),
      "access_key_id",
      "secret_access_key",
    ];
    assert.deepEqual(optionsOf(conf).sort(), expected.sort());
    const [, remote] = /^remote = repo1:(.*)$/m.exec(own) ?? [];
    assert.ok(remote !== undefined && conf.includes(`remote = store:${remote}\n`), remote);
  });

  it("has the schedule that is the default", () => {
    assert.equal(table.backup.dumpSchedule.default, "30 3 * * 6");
    assert.match(page("backups"), /Saturdays at 03:30 UTC/);
  });
});

describe("the pages about backups", () => {
  for (const name of ["backups", "restoring", "backup-thieves"]) {
    it(`have no broken links: docs/${name}.md`, () => {
      // Pages of capabilities that come with them are next to them.
      for (const [, target = ""] of page(name).matchAll(/\]\((?!https?:)([^)#]+)/g))
        assert.ok(existsSync(join(dirname(projectFile(`docs/${name}.md`)), target)), target);
    });

    it(`set only keys of the configuration that there are: docs/${name}.md`, () => {
      for (const [, key = ""] of page(name).matchAll(
        /pulumi config (?:set|rm)[^\n]*? ((?:backup|secrets)\.[\w.]+)/g,
      )) {
        const [section = "", ...rest] = key.split(".");
        const field = rest
          .map((part, index) => (rest[index - 1] === "repositories" ? "<name>" : part))
          .join(".");
        const known = readFileSync(projectFile("README.md"), "utf8");
        assert.ok(
          known.includes(`\`${section}.${field}\``) || /^repositories\.<name>$/.test(field),
          `${section}.${field}`,
        );
      }
    });
  }
});

describe("docs/network-policies.md", () => {
  const text = page("network-policies");
  const fields = namesOf().fields;

  it("names the label that gives access, and sets fields that there are, to what they take", () => {
    for (const [label, value] of Object.entries(ACCESS_LABEL))
      assert.ok(text.includes(`${label}: "${value}"`));
    const commands = [...text.matchAll(/pulumi config set --path '?(network\.[^' ]+)'? (\S+)/g)];
    assert.ok(commands.length >= 5, `${commands.length} commands`);
    for (const [, path = ""] of commands) {
      const field = path
        .replace(/^(network\.(?:clients|repositories))\.[^.]+/, "$1.<name>")
        .replace(/\[0\]$/, "")
        .replace(/\.podLabels\..*/, ".podLabels");
      assert.ok(fields.includes(field), `${path} is not a field`);
    }
  });

  it("quotes what an up says", () => {
    const said = [
      sayEnforcement({ enforced: true }),
      sayEnforcement({ enforced: undefined, why: "x" }),
      ...(["server reached API", "new pod reached API", "new pod reached database"] as const).map((seen) =>
        sayEnforcement({ enforced: false, seen }),
      ),
    ];
    const quotes = [...text.matchAll(/^\| `([^`]+)` +\|/gm)].map(([, quote = ""]) => quote);
    const lines = quotes.filter((quote) => /enforce/.test(quote));
    for (const { text: line } of said)
      assert.ok(
        lines.some((quote) => line.includes(quote)),
        `the page does not explain: ${line}`,
      );
  });
});

describe("docs/secret-stores.md", () => {
  it("has stores that the operator's own schema takes", () => {
    const stores = [...page("secret-stores").matchAll(/```yaml\n([^]*?)```/g)].map(
      ([, text = ""]) => parse(text) as Record<string, unknown>,
    );
    const providers = stores.flatMap(({ spec }) => Object.keys((spec as { provider: object }).provider));
    assert.deepEqual(providers, ["vault", "aws", "azurekv"]);
    for (const store of stores) assert.deepEqual(objectionsTo(store), []);
  });

  it("names each value that a store must hold", () => {
    const text = page("secret-stores");
    // The authority's key is the stack's own with an external store.
    const held = Object.values(LEAVES).filter((leaf) => leaf !== LEAVES.authority);
    const names = held.flatMap((leaf) => {
      if (typeof leaf === "string") return leaf;
      const parts = leaf === LEAVES.sink ? (["url", "token", "password"] as const) : (["url"] as const);
      return parts.map((part) => leaf("<name>", part));
    });
    for (const name of names)
      assert.ok(
        ["<name>", "<repository>", "<sink>"].some((word) =>
          text.includes(`| \`${name.replace("<name>", word)}\``),
        ),
        name,
      );
  });
});
