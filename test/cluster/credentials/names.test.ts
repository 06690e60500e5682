/** Another name of the database or of its owner, where each part of the product meets it. */
import assert from "node:assert/strict";
import {
  configured,
  kubectl,
  needsEngine,
  pulumi,
  secretValue,
  setSecretValue,
  sql,
  up,
  until,
} from "../support.ts";
import { itLong } from "../../sample.ts";

const NAMESPACE = ["-n", "transcript-pipeline"];
const databases = () =>
  sql(
    "select string_agg(datname, ' ' order by datname) from pg_database where not datistemplate",
    "postgres",
  );
const roles = () =>
  sql("select string_agg(rolname, ' ' order by rolname) from pg_roles where rolcanlogin", "postgres");

describe("another name of the database or of its owner", function () {
  this.timeout(400_000);

  let before_: string;
  before(async () => {
    await up();
    before_ = `${await databases()} | ${await roles()}`;
  });
  afterEach(async () => {
    assert.equal(`${await databases()} | ${await roles()}`, before_);
  });

  it("of the owner is refused by the reconciler, which leaves the old one everything", async () => {
    const owner = await secretValue("postgres-secret", "POSTGRES_USER");
    await setSecretValue("postgres-secret", "POSTGRES_USER", "other_user");
    try {
      await kubectl("annotate", "pod", "postgres-0", ...NAMESPACE, "--overwrite", `look=${Date.now()}`);
      await until("it is refused", async () =>
        /REFUSED: Secret postgres-secret: POSTGRES_USER is 'other_user', and the owner of database transcripts_db is transcript_user/.test(
          await kubectl("logs", ...NAMESPACE, "postgres-0", "-c", "reconcile"),
        ),
      );
    } finally {
      await setSecretValue("postgres-secret", "POSTGRES_USER", owner);
      await kubectl("annotate", "pod", "postgres-0", ...NAMESPACE, "--overwrite", `look=${Date.now()}`);
    }
  });
  describe("with the engine", () => {
    needsEngine();

    for (const [field, value] of [
      ["database.name", "other_db"],
      ["database.owner", "other_user"],
    ] as const) {
      it(`stops the preview and the deployment: ${field}`, async () => {
        for (const command of [["preview"], ["up", "--yes", "--skip-preview"]]) {
          const ran = await pulumi([...command, "--config-file", configured({ [field]: value })]);
          assert.notEqual(ran.status, 0, ran.output);
          assert.match(
            ran.output,
            new RegExp(`${field}: is "${value}", but .* is called .*docs/renaming\\.md`),
          );
        }
      });
    }

    itLong(
      "stops the deployment where only the directory knows the old name, and the clients go on",
      async () => {
        // In a separate transaction, where psql runs all files in one.
        const annotations = ["transcript-pipeline/database-", "transcript-pipeline/owner-"];
        await kubectl("annotate", "pv", "postgres-pv", ...annotations);
        await kubectl("annotate", "statefulset", "postgres", ...NAMESPACE, ...annotations);
        await kubectl("delete", "job", "postgres-init", ...NAMESPACE);
        const names = { "database.name": "other_db", "database.owner": "other_user" };
        const ran = await pulumi([
          "up",
          "--yes",
          "--skip-preview",
          "--refresh",
          "--config-file",
          configured(names),
        ]);
        assert.notEqual(ran.status, 0, ran.output);
        assert.match(
          ran.output,
          /bootstrap: REFUSED: POSTGRES_DB is 'other_db', and this server has transcripts_db.*docs\/renaming\.md/,
        );
        assert.match(
          await kubectl("logs", ...NAMESPACE, "postgres-0", "-c", "reconcile"),
          /REFUSED: Secret postgres-secret: POSTGRES_DB is 'other_db'[^]*Nothing was changed/,
        );
        assert.equal(await sql("select 1", "postgres"), "1");
        await kubectl("annotate", "pv", "postgres-pv", ...annotations);
        await kubectl("annotate", "statefulset", "postgres", ...NAMESPACE, ...annotations);
        await kubectl("delete", "job", "postgres-init", ...NAMESPACE, "--ignore-not-found");
        const back = await pulumi(["up", "--yes", "--skip-preview", "--refresh"]);
        assert.equal(back.status, 0, back.output);
      },
    );
  });
});
