import assert from "node:assert/strict";
import { kubectl, shell, sql, until } from "../support.ts";
import { NAMESPACE, findEveryRow, follow, get, onProd } from "./prod.ts";

describe("docs/refused-configuration.md", function () {
  this.timeout(300_000);
  onProd();

  it("what differs is shown, and a corrected file is in force", async () => {
    const conf = (await get("configmap postgres-config", "jsonpath={.data.postgresql\\.conf}")) + "\n";
    const write = (text: string) =>
      kubectl(
        ...["patch", "configmap", "postgres-config", "-n", NAMESPACE, "--type=merge", "-p"],
        JSON.stringify({ data: { "postgresql.conf": text } }),
      );
    await write(`${conf}work_mem = '32kB'\n`);
    await shell(
      `kubectl delete pod postgres-0 -n ${NAMESPACE} && kubectl wait -n ${NAMESPACE} --for=condition=Ready pod/postgres-0 --timeout=170s`,
    );
    assert.match(await follow("refused-look"), /the last configuration that started.*work_mem/);
    assert.match(await follow("refused-difference"), /^> work_mem = '32kB'$/m);
    await write(conf);
    await until(
      "the corrected file is in force",
      async () =>
        (await sql(
          "select current_setting('transcript_pipeline.refused_configuration', true)",
          "postgres",
        )) === "",
    );
    await until("the state is gone", () =>
      follow("refused-check").then(
        () => true,
        () => false,
      ),
    );
    await findEveryRow();
  });
});
