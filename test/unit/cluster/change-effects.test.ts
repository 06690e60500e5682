import assert from "node:assert/strict";
import { effectsOfConfig, effectsOfServer } from "../../../cluster/change-effects.ts";
import { compareImages, imageVersionOf } from "../../../postgres/image-version.ts";
import { postgresqlConf } from "../../../postgres/settings.ts";

const config = (settings: Record<string, string>, hba = "local all all peer\n") => ({
  data: { "postgresql.conf": postgresqlConf(settings), "pg_hba.conf": hba },
});

function server(image: string, annotation = "1", memory = "1Gi") {
  return {
    spec: {
      template: {
        metadata: { annotations: { "transcript-pipeline/restart-settings": annotation } },
        spec: { containers: [{ name: "postgres", image, resources: { limits: { memory } } }] },
      },
    },
  };
}

describe("what a change does to the running server", () => {
  it("is nothing where nothing differs", () => {
    assert.deepEqual(effectsOfConfig(config({ work_mem: "4MB" }), config({ work_mem: "4MB" })), []);
    assert.deepEqual(effectsOfServer(server("a:1"), server("a:1")), []);
  });

  it("is a reload or a restart, by what PostgreSQL says about each setting", () => {
    assert.deepEqual(
      effectsOfConfig(
        config({ work_mem: "4MB", shared_buffers: "128MB" }),
        config({ work_mem: "8MB", shared_buffers: "256MB", max_connections: "50" }),
      ),
      [
        "Requires a restart of the server: shared_buffers 128MB → 256MB, max_connections default → 50",
        "Reloads without a restart: work_mem 4MB → 8MB",
      ],
    );
  });

  it("is a restart for an extension's setting that needs one, and for an unknown one", () => {
    const settings = {
      "pg_stat_statements.max": "9000",
      "pg_stat_statements.track": "all",
      "cron.host": "x",
    };
    assert.deepEqual(effectsOfConfig(config({}), config(settings)), [
      "Requires a restart of the server: cron.host default → x, pg_stat_statements.max default → 9000",
      "Reloads without a restart: pg_stat_statements.track top → all",
    ]);
  });

  it("is read from values with quotes and backslashes as PostgreSQL reads them", () => {
    assert.deepEqual(effectsOfConfig(config({}), config({ log_line_prefix: "it's \\d " })), [
      "Reloads without a restart: log_line_prefix %m [%p] %q%u@%d  → it's \\d ",
    ]);
  });

  it("is a reload where it concerns who may connect", () => {
    assert.deepEqual(effectsOfConfig(config({}), config({}, "host all all all reject\n")), [
      "Reloads without a restart: who may connect (pg_hba.conf)",
    ]);
  });

  it("is one restart, whatever the number of its reasons", () => {
    assert.deepEqual(effectsOfServer(server("a:1"), server("a:2", "2", "2Gi")), [
      "Restarts the server, once: settings that require it, containers.postgres.image a:1 → a:2, " +
        "containers.postgres.resources.limits.memory 1Gi → 2Gi",
    ]);
  });
});

describe("an image's tag", () => {
  it("says what the image contains", () => {
    assert.deepEqual(imageVersionOf(`pgvector/pgvector:0.8.6-pg16-bookworm@sha256:${"0".repeat(64)}`), {
      pgvector: "0.8.6",
      major: 16,
      distribution: "bookworm",
    });
    assert.deepEqual(imageVersionOf("rack:5000/pgvector:pg16"), { major: 16 });
    assert.deepEqual(imageVersionOf("rack:5000/postgres:nightly"), {});
  });

  it("distinguishes a minor version from one that the database has to follow", () => {
    const image = "pgvector/pgvector:0.8.5-pg16-bookworm";
    assert.deepEqual(compareImages(image, `${image}@sha256:${"0".repeat(64)}`), {
      consequences: [],
      unclear: false,
    });
    assert.match(compareImages(image, image.replace("bookworm", "trixie")).consequences.join(), /sort text/);
    assert.match(compareImages(image, image.replace("0.8.5", "0.8.6")).consequences.join(), /SQL objects/);
  });
});
