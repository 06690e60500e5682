import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import {
  isKubeconfigText,
  KubeconfigError,
  kubeconfigVariable,
  providerKubeconfig,
  withoutTilde,
} from "../../../cluster/kubeconfig.ts";
import { withProxy } from "../../../cluster/api-proxy.ts";
import { type ClusterContext, kubectl, KubectlError, read } from "../../../cluster/kubectl.ts";
import { kubectlMessage, withoutDumps, withoutSecrets } from "../../../cluster/kubectl-errors.ts";
import { readSettings } from "../../../config.ts";
import { projectFile } from "../../../tools/cli.ts";
import { changed } from "../../settings.ts";
import { skip } from "../../skip.ts";

const TOKEN = "SecretOfTheClusterAdmin0123456789";

interface Parts {
  context?: string;
  cluster?: string;
  user?: string;
  current?: string;
  server?: string;
  login?: object;
}

/** A kubeconfig's text; parts that are not named are missing from it. */
function kubeconfig({ context, cluster, user, current, server, login = { token: TOKEN } }: Parts): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    ...(current !== undefined && { "current-context": current }),
    contexts: context === undefined ? [] : [{ name: context, context: { cluster: "k3s", user: "admin" } }],
    clusters: cluster === undefined ? [] : [{ name: cluster, cluster: { server } }],
    users: user === undefined ? [] : [{ name: user, user: login }],
  });
}

const whole = (context: string, more: Parts = {}) =>
  kubeconfig({ context, cluster: "k3s", user: "admin", server: "https://10.0.0.1:6443", ...more });

/** Messages of kubectl 1.32 and 1.36, and what is made of them. */
const words: [said: string, says: RegExp][] = [
  [
    "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?",
    /^nothing listens at 10\.0\.0\.1:6443\. .*systemctl status k3s$/,
  ],
  [
    "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
    /^there is no kubeconfig, or it has no current context\..*\/etc\/rancher\/k3s\/k3s\.yaml$/,
  ],
  [
    "Unable to connect to the server: dial tcp: lookup rack.invalid on 10.0.0.53:53: no such host",
    /^rack\.invalid cannot be resolved\./,
  ],
  [
    "Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout",
    /^the API server did not answer in time\./,
  ],
  [
    "Unable to connect to the server: net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
    /^the API server did not answer in time\./,
  ],
  [
    "Unable to connect to the server: dial tcp 10.0.0.1:6443: connect: no route to host",
    /^10\.0\.0\.1:6443 cannot be reached: no route to host$/,
  ],
  [
    "Unable to connect to the server: tls: failed to verify certificate: x509: certificate signed by unknown authority",
    /certificate is not signed by the authority.*k3s\.yaml/,
  ],
  [
    "Unable to connect to the server: tls: failed to verify certificate: x509: certificate is valid for 10.43.0.1, 127.0.0.1, not 10.0.0.9",
    /is not accepted: certificate is valid for 10\.43\.0\.1, 127\.0\.0\.1, not 10\.0\.0\.9\./,
  ],
  [
    "Unable to connect to the server: tls: failed to verify certificate: x509: cannot validate certificate for 10.0.0.1 because it doesn't contain any IP SANs",
    /is not accepted: cannot validate certificate for 10\.0\.0\.1/,
  ],
  ["Unable to connect to the server: http: server gave HTTP response to HTTPS client", /answers without TLS/],
  [
    "Unable to connect to the server: proxyconnect tcp: dial tcp 127.0.0.1:3128: connect: connection refused",
    /^the proxy cannot be used: .*HTTPS_PROXY/,
  ],
  [
    "error: You must be logged in to the server (Unauthorized)",
    /does not accept the kubeconfig's credentials/,
  ],
  [
    "error: You must be logged in to the server (the server has asked for the client to provide credentials)",
    /does not accept/,
  ],
  ["Error from server (Unauthorized): Unauthorized", /does not accept/],
  ["error: EOF", /^the kubeconfig has no credentials for the context's user/],
  [
    "Unable to connect to the server: getting credentials: exec: executable aws not found\n\nIt looks like you are trying to use a client-go credential plugin that is not installed.\n\nTo learn more about this feature, consult the documentation available at:\n      https://kubernetes.io/docs/",
    /^the kubeconfig's credential plugin cannot be run: aws\. Install it, or put it on PATH$/,
  ],
  [
    "Unable to connect to the server: getting credentials: exec: executable gke-login failed with exit code 1",
    /^the kubeconfig's credential plugin failed: exec: executable gke-login failed with exit code 1\./,
  ],
  [
    "error: error loading config file \"/home/anna/.kube/config\": yaml: line 2: did not find expected ',' or ']'",
    /^kubeconfig \/home\/anna\/\.kube\/config cannot be read: yaml: line 2/,
  ],
  [
    "error: stat /home/anna/nope: no such file or directory",
    /^kubeconfig \/home\/anna\/nope does not exist$/,
  ],
  [
    "Error in configuration: context was not found for specified context: rack",
    /^context "rack" is not in the kubeconfig\. See: kubectl config get-contexts$/,
  ],
  ['error: context "rack" does not exist', /^context "rack" is not in the kubeconfig/],
  [
    'Error from server (Forbidden): nodes is forbidden: User "ci" cannot list resource "nodes" in API group "" at the cluster scope',
    /^Error from server \(Forbidden\): nodes is forbidden: User "ci" cannot list/,
  ],
  [
    "E1129 02:13:04 28301 memcache.go:265] \"Unhandled Error\" err=\"couldn't get current server API group list: invalid character '<' looking for beginning of value\"\nerror: invalid character '<' looking for beginning of value",
    /^the answer is a web page \(HTML\)/,
  ],
  [
    "Error from server: <html><body>Sign in to Hotel WiFi</body></html>",
    /^the answer is a web page \(HTML\)/,
  ],
  ["something else\nerror: that nobody knows", /^error: that nobody knows$/],
  ["", /^nothing was said$/],
];

describe("what kubectl says", () => {
  for (const [said, says] of words) {
    it(`is told in one line: ${said.split("\n").at(-1)?.slice(0, 70) || "(nothing)"}`, () => {
      const message = kubectlMessage(said, "nothing was said");
      assert.match(message, says);
      assert.doesNotMatch(message, /\n/);
    });
  }

  it("is repeated without what is secret in a kubeconfig", () => {
    const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl";
    const pem = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----";
    for (const text of [
      `token: ${TOKEN}`,
      `"token":"${TOKEN}"`,
      `password: ${TOKEN}`,
      `client-key-data: ${TOKEN}`,
      `Authorization: Bearer ${TOKEN}`,
      `https://admin:${TOKEN}@10.0.0.1:6443`,
    ]) {
      assert.ok(!withoutSecrets(`error: near ${text}`).includes(TOKEN), text);
    }
    assert.ok(!withoutSecrets(`error: ${jwt}`).includes("eyJzdWIi"));
    assert.ok(!withoutSecrets(`error: ${pem}`).includes("MHcCAQEE"));
    assert.ok(withoutSecrets("x".repeat(5000)).length < 500);
  });

  it("has the reason of a refused change, and not the object", () => {
    const object = `core.PodTemplateSpec{ObjectMeta:v1.ObjectMeta{Name:"", ${"x".repeat(10_000)}}}`;
    const json = `{"metadata":{"labels":${"y".repeat(10_000)}}}`;
    for (const dump of [object, json]) {
      const shown = withoutDumps(
        `The Job "postgres-init" is invalid: spec.template: Invalid value: ${dump}: field is immutable`,
      );
      assert.equal(
        shown,
        'The Job "postgres-init" is invalid: spec.template: Invalid value: field is immutable',
      );
    }
    const other = withoutDumps(`first\n${"z".repeat(10_000)}: why`);
    assert.match(other, /^first\nz+ … z+: why$/);
    assert.ok(other.length < 500);
  });
});

describe("a kubeconfig", () => {
  const home = "/home/anna";

  it("is recognized in the place of its path, plain, as JSON or in base64", () => {
    const yaml = "apiVersion: v1\nkind: Config\n";
    for (const text of [
      yaml,
      whole("rack"),
      Buffer.from(whole("rack")).toString("base64"),
      "current-context: rack",
    ])
      assert.ok(isKubeconfigText(text), text);
    for (const path of ["/etc/rancher/k3s/k3s.yaml", "~/.kube/config", "/a:/b", "C:\\kube", "a".repeat(300)])
      assert.ok(!isKubeconfigText(path), path);
  });

  it("is found after a ~, as by a shell", () => {
    assert.equal(withoutTilde("~/.kube/rack", home), "/home/anna/.kube/rack");
    assert.equal(withoutTilde("/a/~/b", home), "/a/~/b");
    assert.equal(withoutTilde("~berta/config", home), "~berta/config");
    assert.equal(
      kubeconfigVariable({ KUBECONFIG: `~/a${delimiter}${delimiter}/b` }, home),
      `/home/anna/a${delimiter}/b`,
    );
    assert.equal(kubeconfigVariable({}), undefined);
    assert.equal(kubeconfigVariable({ KUBECONFIG: "" }), undefined);
  });

  it("that stands in the variable itself is refused and not repeated", () => {
    assert.throws(
      () => kubeconfigVariable({ KUBECONFIG: whole("rack") }),
      (error) =>
        error instanceof KubeconfigError &&
        /KUBECONFIG holds a kubeconfig itself.*export KUBECONFIG=/.test(error.message) &&
        !error.message.includes(TOKEN),
    );
  });

  it("that stands in the stack's file itself is refused and not repeated, as text, as a map or in base64", () => {
    for (const value of [
      whole("rack"),
      Buffer.from(whole("rack")).toString("base64"),
      JSON.parse(whole("rack")) as unknown,
      `apiVersion: v1\nusers:\n- user:\n    token: ${TOKEN}\n`,
    ]) {
      assert.throws(
        () => readSettings("prod", changed("cluster.kubeconfig", value)),
        ({ message }: Error) =>
          /cluster\.kubeconfig: is .*Allowed: the path of one kubeconfig/.test(message) &&
          !message.includes(TOKEN) &&
          !message.includes(Buffer.from(TOKEN).toString("base64").slice(4, 20)),
      );
    }
    assert.throws(
      () => readSettings("prod", changed("cluster.kubeconfig", "/a:/b")),
      /cluster\.kubeconfig: is "\/a:\/b"\. Allowed: .*put a list of them in the variable KUBECONFIG/,
    );
    const { settings } = readSettings("prod", changed("cluster.kubeconfig", "~/.kube/my rack"));
    assert.equal(settings.cluster.kubeconfig, "~/.kube/my rack");
  });

  describe("for the engine's provider, of several", () => {
    let folder: string;
    const file = (name: string, text: string) => {
      const path = join(folder, name);
      writeFileSync(path, text);
      return path;
    };
    before(() => (folder = mkdtempSync(join(tmpdir(), "kubeconfigs-"))));
    after(() => rmSync(folder, { recursive: true }));
    const chosen = (context: string | undefined, ...paths: string[]) =>
      providerKubeconfig(context, { KUBECONFIG: paths.join(delimiter) }, home);

    it("is the first that has the context, as kubectl merges them", () => {
      const laptop = file("laptop", whole("laptop", { current: "laptop" }));
      const rack = file("rack", whole("rack", { current: "rack" }));
      const again = file("again", whole("rack"));
      const none = join(folder, "none");
      assert.equal(chosen("rack", none, laptop, rack, again), rack);
      assert.equal(chosen(undefined, none, rack, laptop), rack);
      assert.equal(chosen(undefined, file("unset", whole("x", { current: "" })), laptop), laptop);
    });

    it("is left to the provider if there is only one, except for a ~", () => {
      assert.equal(chosen("rack", "/a"), undefined);
      assert.equal(chosen("rack", "~/a"), "/home/anna/a");
      assert.equal(providerKubeconfig("rack", {}), undefined);
    });

    it("is required if no single one is enough", () => {
      const context = file("context", kubeconfig({ context: "rack" }));
      const login = file("login", kubeconfig({ cluster: "k3s", user: "admin", server: "https://10.0.0.1" }));
      assert.throws(
        () => chosen("rack", context, login),
        /is in \S+context, but its cluster or its user is in another .*kubectl config view --flatten/,
      );
      assert.throws(
        () => chosen("gone", context, login),
        /context "gone" is not in any of the kubeconfigs in KUBECONFIG: \S+context, \S+login/,
      );
      assert.throws(
        () => chosen(undefined, context, login),
        /none of the kubeconfigs .* sets a current context/,
      );
      const broken = file("broken", `users: [\n token: ${TOKEN}`);
      assert.throws(
        () => chosen("rack", broken, context),
        (error) =>
          error instanceof KubeconfigError &&
          /broken is not a kubeconfig/.test(error.message) &&
          !error.message.includes(TOKEN),
      );
    });
  });
});

describe("kubectl", function () {
  this.timeout(30_000);
  let folder: string;
  const path = process.env.PATH;
  const variable = process.env.KUBECONFIG;
  before(() => (folder = mkdtempSync(join(tmpdir(), "kubectl-"))));
  afterEach(() => {
    process.env.PATH = path;
    if (variable === undefined) delete process.env.KUBECONFIG;
    else process.env.KUBECONFIG = variable;
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Puts a program with this name before the real one. */
  function instead(script: string): void {
    writeFileSync(join(folder, "kubectl"), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, "kubectl"), 0o755);
    process.env.PATH = `${folder}${delimiter}${path}`;
  }
  const fails = async (work: Promise<unknown>) => {
    const error = await work.then(
      () => assert.fail("it succeeded"),
      (error: unknown) => error,
    );
    assert.ok(error instanceof KubectlError, String(error));
    return error.message;
  };

  it("that prompts for something gets no answer, and ends", async () => {
    instead("echo 'Please enter Username: '; read name || { echo 'error: EOF' >&2; exit 1; }; sleep 20");
    assert.match(await fails(kubectl({}, ["get", "--raw", "/"])), /no credentials for the context's user/);
  });

  it("that does not end is ended, with what it started", async () => {
    instead("exec sleep 20");
    const begun = Date.now();
    assert.match(
      await fails(kubectl({ context: "rack" }, ["get", "--raw", "/"], 500)),
      /^kubectl did not exit within 0\.5 s\. Run it by hand: kubectl --context rack version$/,
    );
    assert.ok(Date.now() - begun < 5000);
  });

  it("is told of a list of kubeconfigs with their ~ replaced, and of one with an explicit path", async () => {
    instead('printf "%s %s" "$KUBECONFIG" "$*"');
    process.env.KUBECONFIG = `/a${delimiter}~/b`;
    assert.match(await kubectl({}, ["version"]), new RegExp(`^/a:${process.env.HOME}/b --request`));
    assert.match(
      await kubectl({ kubeconfig: "~/c" }, ["version"]),
      new RegExp(`--kubeconfig ${process.env.HOME}/c `),
    );
  });

  it("is not run with a kubeconfig's text for a path", async () => {
    instead("exit 0");
    process.env.KUBECONFIG = whole("rack");
    const message = await fails(kubectl({}, ["version"]));
    assert.match(message, /KUBECONFIG holds a kubeconfig itself/);
    assert.ok(!message.includes(TOKEN));
  });

  it("that prints a web page has not reached a cluster", async () => {
    instead("echo '<!DOCTYPE html><html><body>Log in</body></html>'");
    assert.match(await fails(read({}, "/api/v1/nodes")), /^the answer is a web page \(HTML\)/);
    instead("echo 'It works!'");
    assert.match(await fails(read({}, "/api/v1/nodes")), /^the answer is not JSON/);
  });

  describe("itself", () => {
    let server: Server;
    let port: number;
    before(async function () {
      if (spawnSync("kubectl", ["version", "--client"]).status !== 0) {
        skip(this, "kubectl is not on PATH");
      }
      server = createServer((_, response) =>
        response.writeHead(200, { "content-type": "text/html" }).end("<!DOCTYPE html><p>Log in"),
      ).listen(0, "127.0.0.1");
      await once(server, "listening");
      port = (server.address() as AddressInfo).port;
    });
    after(() => server?.close());

    const config = (name: string, text: string) => {
      const file = join(folder, name);
      writeFileSync(file, text);
      return { kubeconfig: file };
    };
    const at = (address: string, login?: object) =>
      config("config", whole("rack", { current: "rack", server: address, ...(login && { login }) }));

    for (const [way, ask] of [
      ["by itself", (cluster: ClusterContext) => read(cluster, "/api/v1/nodes")],
      ["as a proxy", (cluster: ClusterContext) => withProxy(cluster, (through) => through("/api/v1/nodes"))],
    ] as const)
      it(`is understood, ${way}`, async () => {
        const nodes = (cluster: ClusterContext) => fails(ask(cluster));
        assert.match(await nodes(at(`http://127.0.0.1:${port}`)), /^the answer is a web page/);
        assert.match(
          await nodes(at(`https://127.0.0.1:${port}`)),
          /^the address in the kubeconfig answers without TLS/,
        );
        assert.match(await nodes(at("https://127.0.0.1:1")), /^nothing listens at 127\.0\.0\.1:1\./);
        assert.match(await nodes(at("https://rack.invalid")), /^rack\.invalid cannot be resolved/);
        assert.match(await nodes(at("https://127.0.0.1:1", {})), /^the kubeconfig has no credentials/);
        assert.match(
          await nodes({ ...at("https://127.0.0.1:1"), context: "gone" }),
          /^context "gone" is not in the kubeconfig/,
        );
        assert.match(await nodes({ kubeconfig: join(folder, "missing") }), /missing does not exist$/);
        const broken = await nodes(config("broken", `users: [\n token: ${TOKEN}`));
        assert.match(broken, /^kubeconfig \S+broken cannot be read: yaml/);
        assert.ok(!broken.includes(TOKEN));
        const exec = {
          apiVersion: "client.authentication.k8s.io/v1",
          command: "no-such-login",
          interactiveMode: "Never",
        };
        assert.match(
          await nodes(at("https://127.0.0.1:1", { exec })),
          /plugin cannot be run: no-such-login\. Install it/,
        );
      });

    it("as a proxy, distinguishes what is missing from what is refused, and uses one connection for all looks", async () => {
      const status = (code: number, reason: string, message: string) => ({
        ...{ code, body: { kind: "Status", apiVersion: "v1", status: "Failure", reason, message, code } },
      });
      const answers: Record<string, { code: number; body: object }> = {
        "/api/v1/nodes": { code: 200, body: { kind: "NodeList", items: [{ metadata: { name: "gen8" } }] } },
        "/api/v1/persistentvolumes/gone": status(404, "NotFound", 'persistentvolumes "gone" not found'),
        "/api/v1/pods": status(403, "Forbidden", 'pods is forbidden: User "ci" cannot list resource "pods"'),
      };
      const connections = new Set<unknown>();
      const api = createServer((asked, response) => {
        connections.add(asked.socket);
        const { code, body } = answers[asked.url ?? ""] ?? { code: 404, body: {} };
        response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
      }).listen(0, "127.0.0.1");
      await once(api, "listening");
      try {
        const cluster = at(`http://127.0.0.1:${(api.address() as AddressInfo).port}`);
        await withProxy(cluster, async (through) => {
          assert.deepEqual(await through("/api/v1/nodes"), answers["/api/v1/nodes"]?.body);
          assert.equal(await through("/api/v1/persistentvolumes/gone"), undefined);
          assert.match(
            await fails(through("/api/v1/pods")),
            /^Error from server \(Forbidden\): pods is forbidden/,
          );
        });
        assert.equal(connections.size, 1);
      } finally {
        api.close();
      }
    });

    it("as a proxy, is ended and leaves nothing behind, whatever becomes of the work", async () => {
      const left = () => readdirSync(tmpdir()).filter((name) => name.startsWith("kubectl-proxy-"));
      const before = left();
      await assert.rejects(
        withProxy(at("https://127.0.0.1:1"), () => Promise.reject(new Error("the work failed"))),
        /the work failed/,
      );
      assert.deepEqual(left(), before);
    });

    it("as a proxy, ends with a run that is killed", async () => {
      const { kubeconfig } = at("https://127.0.0.1:1");
      const program = `
        import { withProxy } from ${JSON.stringify(projectFile("cluster/api-proxy.ts"))};
        await withProxy({ kubeconfig: ${JSON.stringify(kubeconfig)} }, async () => {
          console.log("serves");
          await new Promise((resolve) => setTimeout(resolve, 20_000));
        });`;
      const killed = spawn(process.execPath, ["--input-type=module", "-e", program], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const proxies = () =>
        spawnSync("pgrep", ["-f", `kubectl.*${kubeconfig} proxy`], { encoding: "utf8" }).stdout;
      await once(killed.stdout, "data");
      assert.match(proxies(), /\d/);
      killed.kill("SIGKILL");
      for (let tries = 0; tries < 50 && proxies() !== ""; tries++) await setTimeout(100);
      assert.equal(proxies(), "");
    });

    it("that is not there is missed by the proxy too", async () => {
      const sh = join(folder, "only-sh");
      mkdirSync(sh, { recursive: true });
      symlinkSync("/bin/sh", join(sh, "sh"));
      process.env.PATH = sh;
      assert.match(await fails(withProxy({}, () => Promise.resolve())), /^kubectl is not on PATH/);
    });
  });
});
