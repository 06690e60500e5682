import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../tools/cli.ts";
import { parseImage } from "../../tools/digests/images.ts";
import { writeDigests } from "../../tools/digests/digests.ts";
import { run } from "../../tools/processes.ts";

const MANIFEST = '{"schemaVersion":2}';
const DIGEST = `sha256:${createHash("sha256").update(MANIFEST).digest("hex")}`;

describe("resolve-digests", function () {
  this.timeout(60_000);
  let registry: Server;
  let host: string;
  let directory: string;
  let file: string;
  let said: string;

  before((done) => {
    registry = createServer((request, response) => {
      const url = new URL(request.url ?? "", `http://${host}`);
      if (url.pathname === "/token") {
        assert.equal(url.searchParams.get("scope"), "repository:pgvector/pgvector:pull");
        response.end(JSON.stringify({ token: "anybody" }));
      } else if (
        url.pathname === "/v2/pgvector/pgvector/manifests/1" &&
        request.headers.authorization === undefined
      ) {
        response.writeHead(401, {
          "www-authenticate": `Bearer realm="http://${host}/token",service="registry",scope="repository:pgvector/pgvector:pull"`,
        });
        response.end();
      } else if (/^\/v2\/(pgvector\/pgvector|dbmate)\/manifests\/1$/.test(url.pathname)) {
        response.writeHead(200, { "docker-content-digest": said });
        response.end(MANIFEST);
      } else {
        response.writeHead(404).end();
      }
    }).listen(0, "127.0.0.1", () => {
      host = `127.0.0.1:${(registry.address() as AddressInfo).port}`;
      done();
    });
  });
  after((done) => {
    registry.close(done);
  });

  const write = (database: string, migration: string) =>
    writeFileSync(
      file,
      `# Figures of the guide.\nconfig:\n  transcript-pipeline:database:\n    # The server's.\n    image: ${database}\n    name: x # stays\n  transcript-pipeline:migration: { image: "${migration}" }\n`,
    );
  const resolve = () => writeDigests(file, { refresh: false });

  beforeEach(() => {
    said = DIGEST;
    directory = mkdtempSync(join(tmpdir(), "digests-"));
    file = join(directory, "Pulumi.prod.yaml");
    write(`${host}/pgvector/pgvector:1`, `${host}/dbmate:1`);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  /** Fails, in one line that matches, and leaves the file alone. */
  async function fails(message: RegExp): Promise<void> {
    const before = readFileSync(file, "utf8");
    await assert.rejects(resolve(), (error: unknown) => {
      assert.ok(error instanceof Error);
      assert.match(error.message, message);
      assert.match(error.message, /^[^\n]* Nothing was written$/);
      return true;
    });
    assert.equal(readFileSync(file, "utf8"), before);
  }

  it("writes what the registry has, with an anonymous token where it asks for one, and keeps comments", async () => {
    const output = await run("node", [
      ...[projectFile("tools/resolve-digests.ts"), "--stack", "prod", "--config-file", file],
    ]);
    assert.equal(
      readFileSync(file, "utf8"),
      `# Figures of the guide.\nconfig:\n  transcript-pipeline:database:\n    # The server's.\n    image: ${host}/pgvector/pgvector:1@${DIGEST}\n    name: x # stays\n  transcript-pipeline:migration: { image: "${host}/dbmate:1@${DIGEST}" }\n`,
    );
    assert.match(output, /Remove the waivers of image-digest from/);
  });

  it("writes the images of the backups of a stack that has some", async () => {
    const backup = `  transcript-pipeline:backup:\n    image: ${host}/dbmate:1\n    dumpImage: ${host}/dbmate:1\n`;
    const stack = readFileSync(file, "utf8");
    writeFileSync(file, stack + backup);
    assert.equal((await resolve()).length, 2);
    writeFileSync(file, `${stack}${backup}    repositories: { local: { kind: volume } }\n`);
    assert.equal((await resolve()).length, 4);
    assert.ok(
      readFileSync(file, "utf8").includes(
        `    image: ${host}/dbmate:1@${DIGEST}\n    dumpImage: ${host}/dbmate:1@${DIGEST}\n    repositories:`,
      ),
    );
  });

  it("leaves an image alone that has its digest", async () => {
    const pinned = `${host}/gone/gone:9@sha256:${"a".repeat(64)}`;
    write(pinned, `${host}/dbmate:1`);
    assert.match((await resolve()).join(), /unchanged: .*gone:9/);
    assert.ok(readFileSync(file, "utf8").includes(pinned));
  });

  it("writes nothing when one tag is not there", async () => {
    write(`${host}/pgvector/pgvector:1`, `${host}/dbmate:2`);
    await fails(/dbmate:2: the registry has no such tag/);
  });

  it("writes nothing when the manifest is not the one that the registry names", async () => {
    said = `sha256:${"0".repeat(64)}`;
    await fails(/but the manifest it sent has digest sha256:/);
  });

  it("says so in one line when a registry cannot be reached", async () => {
    write("127.0.0.1:9/pgvector/pgvector:1", `${host}/dbmate:1`);
    await fails(/^127\.0\.0\.1:9\/pgvector\/pgvector:1: 127\.0\.0\.1:9 cannot be reached: /);
  });

  it("reads names as the container runtimes do", () => {
    const short = (image: string) => {
      const { registry: from, repository, tag } = parseImage(image);
      return `${from} ${repository} ${tag}`;
    };
    assert.equal(short("postgres:16"), "docker.io library/postgres 16");
    assert.equal(short("pgvector/pgvector:0.8.6"), "docker.io pgvector/pgvector 0.8.6");
    assert.equal(short("ghcr.io/amacneil/dbmate:2.36.0"), "ghcr.io amacneil/dbmate 2.36.0");
    assert.equal(short("localhost/a:1"), "localhost a 1");
    assert.throws(() => parseImage("pgvector/pgvector"), /is not an image with a tag/);
  });
});
