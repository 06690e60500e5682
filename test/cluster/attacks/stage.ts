/**
 * The product, deployed as CI deploys it, in a cluster that enforces network policies, with a login of every kind and an
 * encrypted repository on the node; and the pods of those who attack it.
 */
import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { promptKubelet } from "../../../cluster/kubelet-prompt.ts";
import { LOGINS_KEY, loginsIn, loginsText } from "../../../components/credentials/logins.ts";
import { APPLICATION } from "../../../components/kubernetes/labels.ts";
import {
  ACCESS_LABEL,
  EXPORTER_NAME,
  LOGINS_SECRET,
  PROMETHEUS_NAME,
} from "../../../components/kubernetes/names.ts";
import { start } from "../../../tools/local-cluster/cluster.ts";
import { clusterPaths } from "../../../tools/local-cluster/paths.ts";
import { canary } from "../canary.ts";
import { CiCheckout } from "../ci/identities.ts";
import { AUTHORITY, ClientPod, HOST } from "../client-pod.ts";
import { encryptionFlags, encryptionKey, type Provider } from "../encryption-at-rest.ts";
import { addressOf, apply, FOREIGN, listenIn } from "../network/attackers.ts";
import {
  AS_SUPERUSER,
  CLUSTER,
  enforceNetworkPolicies,
  inPod,
  kubectl,
  secretValue,
  setSecretValue,
  sql,
  takeRoom,
  theCluster,
  theEngine,
  until,
  vacate,
} from "../support.ts";
import { ProcessWatch } from "./canary/process-watch.ts";

/** The logins next to the owner, and their kinds. */
export const LOGINS = { scribe: "readwrite", reader: "readonly", watch: "monitoring" } as const;
/** The owner of the database. */
export const OWNER = "transcript_user";
/** Keywords of libpq of a connection as the documentation has it. */
export const VERIFIED = `host=${HOST} sslmode=verify-full sslrootcert=${AUTHORITY}`;

/** A port of the server on which something listens that nobody has declared a way in for. */
export const UNDECLARED_PORT = 9187;
/** A port on which the foreign pod listens, and the port of the node that leads to it. */
export const OTHERS_PORT = 8080;
export const NODE_PORT = 31999;
/** A port on which the client's pod listens. */
export const CLIENTS_PORT = 8081;

/** Everybody who may log in over the network. */
export type Login = keyof typeof LOGINS | typeof OWNER;

/** Pods and Services that are attacked, or would be reached. */
type Address = "server" | "service" | "exporter" | "prometheus" | "foreign" | "client";

/** The pods of those who attack, by what they are. */
interface Pods {
  /** With the label that lets it connect. */
  client: ClientPod;
  /** In the database's namespace, without the label. */
  unlabelled: ClientPod;
  /** In a namespace of somebody else's, with a token of its own for the API server. */
  foreign: ClientPod;
  /** In that namespace, with every label of a client, of the init Job and of the server. */
  disguised: ClientPod;
}

export class Stage {
  readonly ci = new CiCheckout(theCluster(), theEngine().command);
  /** The repository's directory on the node. */
  readonly repository = join(this.ci.scratch, "repository");
  /** The data's directory on the node. */
  readonly data = join(this.ci.scratch, "pgdata");
  /** A value of the configuration that is no secret, and is seen wherever such values are. */
  readonly planted = canary();
  /** Passwords in force, by login; also the superuser's. */
  readonly passwords: Record<string, string> = {};
  /** Passwords that were in force, by login. */
  readonly former: Record<string, string> = {};
  /** What the commands said that deployed it. */
  readonly said: Record<string, string> = {};
  /** Command lines and environments of the node's processes, while it was deployed. */
  readonly processes = new ProcessWatch();
  private attackers: Pods | undefined;
  private addresses: Record<Address, string> | undefined;

  get pods(): Pods {
    assert.ok(this.attackers, "the attackers' pods have not started");
    return this.attackers;
  }

  private address(of: Address): string {
    assert.ok(this.addresses, "the product is not deployed");
    return this.addresses[of];
  }

  /** Address of the server's pod. */
  get server(): string {
    return this.address("server");
  }
  /** Address of its Service. */
  get service(): string {
    return this.address("service");
  }
  /** Address of the exporters' pod. */
  get exporter(): string {
    return this.address("exporter");
  }
  /** Address of the bundled Prometheus' pod. */
  get prometheus(): string {
    return this.address("prometheus");
  }
  /** Address of the foreign pod. */
  get foreign(): string {
    return this.address("foreign");
  }
  /** Address of the client's pod. */
  get client(): string {
    return this.address("client");
  }

  /** Deploys it, and starts the attackers' pods. */
  async prepare(): Promise<void> {
    // Whatever another user of the node is refused must be refused by the product's own files.
    chmodSync(this.ci.scratch, 0o755);
    this.ci.configure({
      database: { logins: LOGINS, settings: { max_connections: 40, cluster_name: this.planted } },
      backup: {
        repositories: { disk: { kind: "directory", path: this.repository, capacity: "1Gi" } },
      },
    });
    this.said.access = await this.ci.prepare();
    this.processes.start();
    for (const [who, ...command] of [
      ["preview", "preview", "--diff"],
      ["deploy", "up", "--yes", "--skip-preview", "--diff", "--message", `message ${this.planted}`],
    ] as const) {
      const ran = await this.ci.pulumi(who, ...command);
      assert.equal(ran.status, 0, ran.output);
      this.said[command[0]] = ran.output;
    }
    this.processes.stop();
    await this.render();
    await this.readPasswords();
    await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: FOREIGN } });
    const labels = { ...ACCESS_LABEL };
    const [client, unlabelled, foreign, disguised] = await Promise.all([
      ClientPod.start("client", { labels }),
      ClientPod.start("unlabelled"),
      ClientPod.start("foreign", { namespace: FOREIGN, labels: { attacker: "foreign" }, token: true }),
      ClientPod.start("disguised", {
        namespace: FOREIGN,
        labels: { ...labels, app: "postgres-init" },
      }),
    ]);
    this.attackers = { client, unlabelled, foreign, disguised };
    const service = ["service", "postgres", "-n", APPLICATION, "-o", "jsonpath={.spec.clusterIP}"];
    this.addresses = {
      server: await addressOf(APPLICATION, "postgres-0"),
      service: await kubectl("get", ...service),
      exporter: await addressOf(APPLICATION, `${EXPORTER_NAME}-0`),
      prometheus: await addressOf(APPLICATION, `${PROMETHEUS_NAME}-0`),
      foreign: await addressOf(FOREIGN, "foreign"),
      client: await addressOf(APPLICATION, "client"),
    };
    await this.untilReady();
    await this.listen();
    await this.keepSessions();
    await this.keepSuperuserSession();
  }

  /** Renders the stack as everybody does, and with its Secrets. */
  private async render(): Promise<void> {
    for (const [folder, ...flags] of [["rendered"], ["rendered-with-secrets", "--secrets"]] as const) {
      const ran = await this.ci.script(
        "operator",
        "render",
        "--out",
        join(this.ci.scratch, folder),
        ...flags,
      );
      assert.equal(ran.status, 0, ran.output);
    }
  }

  /** A new pod, and a new login, take a moment. */
  private async untilReady(): Promise<void> {
    const groups = Object.keys(LOGINS).map((login) => `'${login}'`);
    const members = `select count(*) from pg_auth_members where member::regrole::text in (${groups.join()})`;
    await until("the logins are in their groups", async () => (await sql(members, "postgres")) === "3");
    await until("the client reaches the server", () => this.reaches(this.pods.client, this.server));
    await until(
      "the unlabelled pod does not",
      async () => !(await this.reaches(this.pods.unlabelled, this.server)),
    );
  }

  /** Has something listen where connections are tried, so that nothing but a policy refuses them. */
  private async listen(): Promise<void> {
    await apply({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "theirs", namespace: FOREIGN },
      spec: {
        type: "NodePort",
        selector: { attacker: "foreign" },
        ports: [{ port: OTHERS_PORT, nodePort: NODE_PORT }],
      },
    });
    await Promise.all([
      listenIn(APPLICATION, "postgres-0", UNDECLARED_PORT),
      listenIn(APPLICATION, "client", CLIENTS_PORT),
      listenIn(FOREIGN, "foreign", OTHERS_PORT),
    ]);
  }

  /** Keeps a session of the owner, and one of another login, open, each of which comes back when somebody ends it. */
  private async keepSessions(): Promise<void> {
    for (const user of [OWNER, "watch"] as const) {
      const line = `IFS= read -r PGPASSWORD || exit 99; export PGPASSWORD
        (while sleep 0.1; do psql -X -w -d "user=${user} dbname=transcripts_db ${VERIFIED}" -c "select pg_sleep(3600) /* ${user} sleeps */"; done) >/dev/null 2>&1 &`;
      await this.pods.client.run(["bash", "-c", line], `${this.passwords[user]}\n`);
    }
  }

  /** The same for a session of the superuser, in the server's own pod. */
  private async keepSuperuserSession(): Promise<void> {
    const sleeping = `(while sleep 0.1; do "$@"; done) >/dev/null 2>&1 &`;
    const psql = [...AS_SUPERUSER, "-d", "transcripts_db", "-c", "select pg_sleep(3600)"];
    const ran = await inPod(["bash", "-c", sleeping, "-", ...psql]);
    assert.equal(ran.status, 0, ran.output);
  }

  private async reaches(pod: ClientPod, host: string): Promise<boolean> {
    const ran = await pod.run(["timeout", "3", "bash", "-c", `exec 3<>/dev/tcp/${host}/5432`]);
    return ran.status === 0;
  }

  /** Reads the passwords that are in force. */
  private async readPasswords(): Promise<void> {
    const key = "POSTGRES_PASSWORD";
    this.passwords[OWNER] = await secretValue("postgres-secret", key);
    this.passwords.postgres = await secretValue("postgres-superuser", key);
    for (const login of Object.keys(LOGINS))
      this.passwords[login] = await secretValue(`postgres-login-${login}`, key);
  }

  /** Changes a login's password, as an operator without the engine would. The old one is kept in {@link former}. */
  async changePassword(login: keyof typeof LOGINS, password: string): Promise<void> {
    this.former[login] = this.passwords[login] ?? "";
    this.passwords[login] = password;
    const logins = loginsIn(await secretValue(LOGINS_SECRET, LOGINS_KEY)).map((known) =>
      known.name === login ? { ...known, password } : known,
    );
    await setSecretValue(LOGINS_SECRET, LOGINS_KEY, loginsText(logins).join(""));
    await promptKubelet(theCluster(), APPLICATION);
    await until("the new password is in force", async () => {
      const ran = await this.pods.client.psql("select 1", { user: login, password });
      return ran.status === 0;
    });
  }

  /** Removes everything. */
  async remove(): Promise<void> {
    this.processes.stop();
    await this.ci.kubectl("operator", ["delete", "namespace", FOREIGN, "--ignore-not-found", "--wait=false"]);
    await this.ci.kubectl("operator", [
      "delete",
      "pods",
      "--all",
      "-n",
      APPLICATION,
      "--now",
      "--wait=false",
    ]);
    await this.ci.kubectl("operator", [
      "delete",
      "pv",
      "postgres-backup-disk-pv",
      "--ignore-not-found",
      "--wait=false",
    ]);
    await this.ci.remove();
  }
}

/**
 * For a suite: the product is deployed before it, and removed after it.
 *
 * @param options.encrypted whether the API server encrypts Secrets from the start. @default no
 * @returns what gives the stage to the tests
 */
export function staged({ encrypted = false } = {}): () => Stage {
  let stage: Stage | undefined;
  let enforced = false;
  const key = encryptionKey();
  const startWith = (...providers: Provider[]) => {
    const folder = clusterPaths(CLUSTER).state;
    const apiServerFlags = providers.length > 0 ? encryptionFlags(folder, key, providers) : [];
    return start({ name: CLUSTER, apiServerFlags });
  };
  before(async function () {
    // The first time builds kube-router.
    this.timeout(20 * 60_000);
    enforced = true;
    await enforceNetworkPolicies(true);
    await takeRoom(async () => {
      await stage?.remove();
    });
    if (encrypted) await startWith("secretbox", "identity");
    stage = new Stage();
    await stage.prepare();
  });
  after(async function () {
    this.timeout(400_000);
    if (!enforced) return;
    await vacate();
    if (encrypted) {
      // What is left of Secrets is for the other suites' API server, which has no key.
      await startWith("identity", "secretbox");
      await kubectl("annotate", "secrets", "--all", "--all-namespaces", "--overwrite", "written=again");
      await startWith();
    }
    await enforceNetworkPolicies(false);
  });
  return () => {
    assert.ok(stage, "the product is not deployed");
    return stage;
  };
}
