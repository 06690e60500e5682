import assert from "node:assert/strict";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { loginSecretName, loginsIn } from "../../../components/credentials/logins.ts";
import { EXPORTER_LOGIN } from "../../../config/own-logins.ts";
import { copyProject } from "../../../tools/project-copy.ts";
import { withFields } from "../../../tools/stack-file/editing.ts";
import { CLUSTER, execute, kubectl, npm, sql, state, until, up, upWithKubectl } from "../support.ts";
import { itLong } from "../../sample.ts";
import { skip } from "../../skip.ts";

describe("npm run up, when no Pulumi CLI is available", function () {
  this.timeout(300_000);
  let home: string;
  let env: NodeJS.ProcessEnv;

  before(async function () {
    await npm("down");
    home = mkdtempSync(join(tmpdir(), "no-engine-"));
    env = {
      // The launcher would have to download, and nothing on PATH is named pulumi.
      PATH: (process.env.PATH ?? "")
        .split(delimiter)
        .filter((directory) => directory !== "/usr/local/bin")
        .join(delimiter),
      HTTPS_PROXY: "http://127.0.0.1:9",
      PULUMI_HOME: join(home, "pulumi-home"),
    };
    const pulumi = await execute("bash", ["-c", "type -P -a pulumi | grep -v node_modules"], { env });
    if (pulumi.status === 0) {
      skip(this, `a Pulumi CLI is at ${pulumi.stdout.trim()}`);
    }
  });
  after(() => {
    if (home) rmSync(home, { recursive: true, force: true });
  });

  const run = (script: string, ...args: string[]) =>
    execute("npm", ["run", "--silent", script, "--", ...args], { env });

  it("says so, applies the rendered objects, and runs the smoke test", async () => {
    const ran = await run("up", "--local-cluster", CLUSTER);
    assert.equal(ran.status, 0, ran.output);
    assert.match(
      ran.stdout,
      /the Pulumi CLI is not available .*applying the rendered objects with kubectl instead/,
    );
    assert.match(ran.stdout, /smoke test passed/);
    await sql("insert into recordings (source_uri) values ('without-engine')");
  });

  const ownersSecret = () =>
    kubectl("get", "secret", "postgres-secret", "-n", "transcript-pipeline", "-o", "jsonpath={.data}");

  it("keeps the password, and the finished Job, the second time", async () => {
    const secret = await ownersSecret();
    const ran = await run("up", "--local-cluster", CLUSTER);
    assert.equal(ran.status, 0, ran.output);
    assert.equal(await ownersSecret(), secret);
  });

  it("creates logins, keeps their passwords, and removes those that are no longer configured", async () => {
    const deploy = async (logins: Record<string, string>) => {
      const ran = await upWithKubectl({ "database.logins": logins }, false, env);
      assert.equal(ran.status, 0, ran.output);
    };
    const decoded = async (secret: string, key: string) =>
      Buffer.from(
        await kubectl(
          ...["get", "secret", secret, "-n", "transcript-pipeline", "-o", `jsonpath={.data.${key}}`],
        ),
        "base64",
      ).toString();
    const haveGroups = async (wanted: string) => {
      const query = `select string_agg(member::regrole || ' ' || roleid::regrole, ', ' order by member::regrole::text)
                       from pg_auth_members where member::regrole::text in ('kept_reader', 'gone')`;
      await until(`the members are ${wanted}`, async () => (await sql(query)) === wanted);
    };
    await deploy({ kept_reader: "readonly", gone: "readwrite" });
    await haveGroups("gone transcripts_readwrite, kept_reader transcripts_readonly");
    const password = await decoded("postgres-login-kept-reader", "POSTGRES_PASSWORD");
    /** The kinds of the logins that the server is told of, and whether each has the password of its own Secret. */
    const told = async () =>
      Object.fromEntries(
        await Promise.all(
          loginsIn(await decoded("postgres-logins", "credentials")).map(async (login) => {
            const own = await decoded(loginSecretName(login.name), "POSTGRES_PASSWORD");
            return [login.name, `${login.kind}${own === login.password ? "" : ", with another password"}`];
          }),
        ),
      ) as Record<string, string>;
    // `dev` has its own for the metrics.
    const exporter = { [EXPORTER_LOGIN]: "monitoring" };
    assert.deepEqual(await told(), { gone: "readwrite", kept_reader: "readonly", ...exporter });
    await deploy({ kept_reader: "monitoring" });
    assert.deepEqual(await told(), { kept_reader: "monitoring", ...exporter });
    assert.ok(password === (await decoded("postgres-login-kept-reader", "POSTGRES_PASSWORD")));
    const secrets = await kubectl("get", "secrets", "-n", "transcript-pipeline", "-o", "name");
    assert.deepEqual(secrets.match(/postgres-login-.*/g), [
      "postgres-login-exporter",
      "postgres-login-kept-reader",
    ]);
    await haveGroups("kept_reader transcripts_monitoring");
  });

  itLong("grows the volume, though its claim cannot be changed", async () => {
    const checkout = join(home, "checkout");
    copyProject(checkout);
    const file = join(checkout, "Pulumi.dev.yaml");
    writeFileSync(file, withFields(readFileSync(file, "utf8"), { storage: { capacity: "3Gi" } }));
    const ran = await execute("npm", ["run", "--silent", "up", "--", "--local-cluster", CLUSTER], {
      env,
      cwd: checkout,
    });
    assert.equal(ran.status, 0, ran.output);
    const volume = await kubectl("get", "pv", "postgres-pv", "-o", "jsonpath={.spec.capacity.storage}");
    assert.equal(volume, "3Gi");
  });

  itLong("keeps the rows over down and up", async () => {
    const down = await run("down");
    assert.equal(down.status, 0, down.output);
    const again = await run("up", "--local-cluster", CLUSTER);
    assert.equal(again.status, 0, again.output);
    assert.equal(await sql("select count(*) from recordings where source_uri = 'without-engine'"), "1");
  });

  itLong("makes no new database where the directory was moved away, and says what is wrong", async () => {
    const { dataDirectory } = state();
    await kubectl("scale", "statefulset", "postgres", "-n", "transcript-pipeline", "--replicas=0");
    await kubectl("wait", "--for=delete", "pod/postgres-0", "-n", "transcript-pipeline", "--timeout=60s");
    await kubectl("delete", "job", "postgres-init", "-n", "transcript-pipeline");
    renameSync(dataDirectory, `${dataDirectory}.away`);
    try {
      // It waits as long as the server refuses. timeout ends all that it has started.
      const stuck = await execute("timeout", ["25", "npm", "run", "up", "--", "--local-cluster", CLUSTER], {
        env,
      });
      assert.match(stuck.output, /postgres-0, container postgres: start-server: REFUSED: .* has no marker/);
      assert.deepEqual(readdirSync(dataDirectory), [], "something was written where the data should be");
    } finally {
      rmdirSync(dataDirectory);
      renameSync(`${dataDirectory}.away`, dataDirectory);
    }
    await kubectl("delete", "pod", "postgres-0", "-n", "transcript-pipeline");
    const again = await run("up", "--local-cluster", CLUSTER);
    assert.equal(again.status, 0, again.output);
    assert.equal(await sql("select count(*) from recordings where source_uri = 'without-engine'"), "1");
  });

  itLong("is taken over by the engine when one is available again", async function (this: Mocha.Context) {
    const ran = await up();
    if (!ran.stdout.includes("deploying stack dev with Pulumi")) {
      skip(this, "no Pulumi CLI can be had on this machine");
    }
    assert.equal(await sql("select count(*) from recordings where source_uri = 'without-engine'"), "1");
  });
});
