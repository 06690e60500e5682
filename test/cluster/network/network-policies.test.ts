/** How network policies behave. Who is refused by them is in test/cluster/attacks. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { connect } from "node:net";
import { ACCESS_LABEL } from "../../../components/kubernetes/names.ts";
import {
  configured,
  kubectl,
  needsEngine,
  pulumi,
  secretValue,
  sql,
  takeRoom,
  theCluster,
  until,
  up,
} from "../support.ts";
import { describeLong, itLong } from "../../sample.ts";
import {
  addressOf,
  apply,
  Attacker,
  client,
  continueController,
  enforced,
  FOREIGN,
  opens,
  stays,
  stopController,
  type Target,
} from "./attackers.ts";

const NAMESPACE = "transcript-pipeline";
const SERVICE: Target = ["postgres.transcript-pipeline.svc.cluster.local", 5432];
/** The API server, as every pod can reach it in a cluster without policies. */
const API: Target = ["10.43.0.1", 443];

/** `pulumi up` of the deployed configuration with fields changed; must succeed. */
async function deploy(changes: Record<string, unknown>): Promise<string> {
  const ran = await pulumi(["up", "--yes", "--skip-preview", "--config-file", configured(changes)]);
  assert.equal(ran.status, 0, ran.output);
  return ran.output;
}

/** Logs in as the owner, with the right password. */
async function login(attacker: Attacker, host: string): Promise<string> {
  const password = await secretValue("postgres-secret", "POSTGRES_PASSWORD");
  const ran = await attacker.run(
    `read -r PGPASSWORD; export PGPASSWORD PGCONNECT_TIMEOUT=3; psql -X -At -h ${host} -U transcript_user -d transcripts_db -c 'select 42' 2>&1`,
    `${password}\n`,
  );
  return ran.stdout.trim();
}

// One cluster that enforces them, which takes a restart of the node.
describe("network policies", () => {
  enforced();

  describe("enforced as in K3s", function () {
    this.timeout(300_000);
    needsEngine();

    let server: Target;
    const allowed = client();
    const unlabelled = new Attacker("unlabelled");
    const foreign = new Attacker("foreign", { namespace: FOREIGN, labels: { app: "api" } });

    before(async function () {
      this.timeout(600_000);
      const { output } = await up();
      assert.match(
        output,
        /network policies are enforced: a pod without access could not reach the database/,
      );
      await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: FOREIGN } });
      await Promise.all([allowed, unlabelled, foreign].map((attacker) => attacker.start()));
      server = [await addressOf(NAMESPACE, "postgres-0"), 5432];
    });
    after(async () => {
      continueController();
      for (const attacker of [allowed, unlabelled]) await attacker.remove();
    });

    it("let a pod with the access label resolve the database's name and log in", async () => {
      await opens("the database", allowed, SERVICE);
      assert.equal(await login(allowed, SERVICE[0]), "42");
      assert.equal(await login(allowed, server[0]), "42");
    });

    it("keep out pods of the namespace with labels that are nearly right", async () => {
      const [key = ""] = Object.keys(ACCESS_LABEL);
      const nearly = [
        { [key]: "false" },
        { "app.kubernetes.io/component": "migration", "app.kubernetes.io/part-of": NAMESPACE },
        { "app.kubernetes.io/component": "backup", "app.kubernetes.io/part-of": NAMESPACE },
      ].map((labels, index) => new Attacker(`nearly-${index}`, { labels }));
      await Promise.all(nearly.map((attacker) => attacker.start()));
      await opens("the database, for a client", allowed, server);
      await Promise.all(
        nearly.map((attacker) => stays(`the database, for ${attacker.name}`, attacker, server)),
      );
      await Promise.all(nearly.map((attacker) => attacker.remove()));
    });

    it("deny the pods of others in the namespace everything, until a policy of their own adds to it", async () => {
      await foreign.listen(8082);
      const target: Target = [await foreign.address(), 8082];
      await stays("somebody else's pod", unlabelled, target);
      const policy = { name: "own", namespace: NAMESPACE };
      await apply({
        apiVersion: "networking.k8s.io/v1",
        kind: "NetworkPolicy",
        metadata: policy,
        spec: {
          podSelector: { matchLabels: { app: "unlabelled" } },
          policyTypes: ["Egress"],
          egress: [
            {
              to: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": FOREIGN } } }],
              ports: [{ port: 8082 }],
            },
          ],
        },
      });
      await opens("somebody else's pod, with a policy of its own", unlabelled, target);
      await stays("the database", unlabelled, server);
      await kubectl("delete", "networkpolicy", policy.name, "-n", policy.namespace);
      await stays("somebody else's pod, without it", unlabelled, target);
    });

    it("let kubectl port-forward through, which comes by the kubelet", async () => {
      const forward = spawn(
        "kubectl",
        ["--kubeconfig", theCluster().kubeconfig, "port-forward", "-n", NAMESPACE, "svc/postgres", ":5432"],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      try {
        let said = "";
        forward.stdout.setEncoding("utf8").on("data", (data: string) => (said += data));
        await until("the port is forwarded", () => /127\.0\.0\.1:(\d+)/.test(said), 30_000);
        const port = Number(/127\.0\.0\.1:(\d+)/.exec(said)?.[1]);
        // PostgreSQL's answer to a request for TLS: one letter.
        const answer = await new Promise<string>((resolve, reject) => {
          const socket = connect(port, "127.0.0.1", () =>
            socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])),
          );
          socket.on("data", (data) => {
            resolve(data.toString());
            socket.destroy();
          });
          socket.on("error", reject);
          socket.on("close", () => reject(new Error("closed without an answer")));
        });
        assert.match(answer, /^[SN]$/);
      } finally {
        forward.kill();
      }
    });

    it("come back with the next up when somebody has deleted them, and are not taken for a stack without", async () => {
      await kubectl("delete", "networkpolicy", "--all", "-n", NAMESPACE);
      await opens("the database, without policies", unlabelled, server);
      await up();
      await stays("the database, with the policies back", unlabelled, server);
      await opens("the database, for a client", allowed, SERVICE);
    });

    it("let declared clients in by namespace and labels, and no longer those with the access label", async () => {
      await stays("the database, before it is declared", foreign, server);
      await deploy({
        "network.clients.api.namespace": FOREIGN,
        "network.clients.api.podLabels": { app: "api" },
      });
      await opens("the database, for the declared client", foreign, server);
      assert.equal(await login(foreign, SERVICE[0]), "42");
      const other = await new Attacker("other", { namespace: FOREIGN }).start();
      await opens("the API server", other, API);
      await Promise.all([
        stays("the database, for another pod of that namespace", other, server),
        stays("the database, for the access label", allowed, server),
      ]);
      await other.remove();
      await deploy({});
      await stays("the database, for the client that is declared no more", foreign, server);
    });

    itLong(
      "keep protecting the pods from before when what enforces them is gone; that new ones are open is reported",
      async () => {
        await opens("the database, for a client", allowed, server);
        stopController();
        const late = await new Attacker("late").start();
        // Its own way out is open: nothing has been told to close it.
        await opens("the API server, for a new pod", late, API);
        await Promise.all([
          stays("the database, for a new pod", late, server),
          stays("the database, for a pod of another namespace", foreign, server),
          opens("the database, for a client from before", allowed, server),
        ]);
        const said = await deploy({});
        assert.match(
          said,
          /warning.*network policies are not enforced for new pods: one reached the API server/s,
        );
        continueController();
        await stays("the API server, for the new pod", late, API);
        assert.match(await deploy({}), /network policies are enforced/);
        await late.remove();
      },
    );
  });

  describeLong("of a server that was deployed without them", function () {
    this.timeout(400_000);
    needsEngine();

    const foreign = new Attacker("foreign", { namespace: FOREIGN, labels: { app: "api" } });
    let server: Target;

    before(async function () {
      this.timeout(600_000);
      // A new stack, whose server gets none, and does not say so: as a version without policies left it.
      await takeRoom(() => Promise.resolve());
      const { output } = await up();
      assert.match(output, /network policies are enforced/);
      await kubectl(
        "annotate",
        "statefulset",
        "postgres",
        "-n",
        NAMESPACE,
        "transcript-pipeline/network-policies-",
      );
      await kubectl("delete", "networkpolicy", "--all", "-n", NAMESPACE);
      await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: FOREIGN } });
      await foreign.start();
      server = [await addressOf(NAMESPACE, "postgres-0"), 5432];
      await opens("the database", foreign, server);
    });

    /** Counts the sessions of {@link session}. */
    const REPORTS = "select count(*) from pg_stat_activity where application_name = 'report'";

    /** A session that stays open, and says each second that it still works. */
    const session = async () => {
      const password = await secretValue("postgres-secret", "POSTGRES_PASSWORD");
      await foreign.run(
        `read -r PGPASSWORD; export PGPASSWORD PGAPPNAME=report
      (while sleep 1; do echo "select 'alive ' || now();"; done | nohup psql -X -At -h ${server[0]} -U transcript_user -d transcripts_db >/dev/null 2>&1) >/dev/null 2>&1 &`,
        `${password}\n`,
      );
    };

    it("stays so, and every preview and up says whom policies would cut, and how to switch", async () => {
      await session();
      await until("there is a session", async () => (await sql(REPORTS)) === "1");
      const { output } = await pulumi(["preview"]);
      assert.match(
        output,
        /network\.policies is not set, and the server was deployed without network policies: it stays so/,
      );
      assert.match(output, /transcript_user \(report\) from pod media\/foreign/);
      assert.match(output, /pulumi config set --path network\.policies enforced/);
      const said = await deploy({});
      assert.match(said, /it stays so/);
      assert.equal(await kubectl("get", "networkpolicy", "-n", NAMESPACE, "-o", "name"), "");
      await opens("the database", foreign, server);
    });

    it("is switched by an up whose preview says what it does, and keeps the sessions that are open", async () => {
      const changes = { "network.policies": "enforced" };
      const preview = await pulumi(["preview", "--config-file", configured(changes)]);
      assert.match(preview.output, /the server gets network policies/);
      assert.match(
        preview.output,
        /Policies would cut the next connection of each of these: .*media\/foreign/,
      );
      await deploy(changes);
      await stays("the database", foreign, server);
      assert.equal(await sql(REPORTS), "1");
      // Once switched, it stays switched, whatever is configured.
      const next = await pulumi(["preview", "--expect-no-changes"]);
      assert.equal(next.status, 0, next.output);
      assert.doesNotMatch(next.output, /it stays so/);
    });

    it("can be switched back, which is reported as long as it lasts", async () => {
      const said = await deploy({ "network.policies": "none" });
      assert.match(said, /network\.policies is none: every pod in the cluster can reach the database's port/);
      await opens("the database", foreign, server);
      await deploy({ "network.policies": "enforced" });
      await stays("the database", foreign, server);
    });
  });
});
