import assert from "node:assert/strict";
import { inPod } from "../support.ts";
import { EVERY_ROW, findEveryRow, follow, logIn, onProd, password, prod, server } from "./prod.ts";

describe("docs/renaming.md", function () {
  this.timeout(300_000);
  onProd();

  it("the database and its owner get other names, with every row, and no other way", async () => {
    const before = await server();
    const secret = await password();
    const names = { DATABASE: "interviews", OWNER: "interviewer" };
    const stopped = await prod().checkout.run(
      'pulumi config set --path database.name interviews --stack "$STACK"; pulumi preview --stack "$STACK"',
    );
    assert.notEqual(stopped.status, 0, stopped.output);
    assert.match(
      stopped.output,
      /database\.name: is "interviews", but the database is called transcripts_db.*renaming\.md/,
    );

    const inRenamed = (statement: string) =>
      inPod(["psql", "-X", "-At", "-U", names.OWNER, "-d", names.DATABASE, "-c", statement]);
    await follow("rename", names);
    assert.equal((await inRenamed(EVERY_ROW)).stdout.trim(), prod().fingerprint);
    const line = `read -r PGPASSWORD; export PGPASSWORD; psql -w -h 127.0.0.1 -U ${names.OWNER} -d ${names.DATABASE} -c ''`;
    assert.equal((await inPod(["bash", "-c", line], `${secret}\n`)).status, 0);
    assert.equal(
      (
        await inRenamed(
          "select string_agg(datname, ' ' order by datname) from pg_database where not datistemplate",
        )
      ).stdout.trim(),
      "interviews postgres",
    );
    assert.match((await prod().checkout.succeed("pulumi preview --stack $STACK")).output, /unchanged/);

    await follow("rename", { DATABASE: "transcripts_db", OWNER: "transcript_user" });
    await findEveryRow();
    await logIn("transcript_user", await password());
    assert.equal(await server(), before);
  });
});
