import assert from "node:assert/strict";
import { createSign } from "node:crypto";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { clusterPaths } from "../../../tools/local-cluster/paths.ts";
import { start } from "../../../tools/local-cluster/cluster.ts";
import { fullResource, rightsIn, rightText, USES } from "../../../tools/access/rights.ts";
import { ACCESS_NAMESPACE, accessName, userName } from "../../../tools/access/names.ts";
import {
  CLUSTER,
  execute,
  needsEngine,
  type Ran,
  takeRoom,
  theCluster,
  theEngine,
  until,
  vacate,
} from "../support.ts";
import { CiCheckout, type Who } from "./identities.ts";

const NS = ["-n", "transcript-pipeline"];
const DRY_RUN = "--dry-run=server";

/** An attempt, in kubectl's words, and by whom it must be refused. */
interface Attempt {
  what: string;
  args: readonly string[];
  input?: object;
  /** @default both identities */
  refused?: readonly Who[];
  /** Who may do the same. @default the operator */
  control?: Who;
  /** What the one who may does instead of exactly the same, where that would end the cluster. */
  controlArgs?: readonly string[];
}

const pod = (namespace: string, fields: object = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "intruder", namespace },
  spec: {
    securityContext: { runAsNonRoot: true, runAsUser: 999, seccompProfile: { type: "RuntimeDefault" } },
    containers: [
      {
        name: "c",
        image: "localhost/none:1",
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      },
    ],
    ...fields,
  },
});

const rbac = { apiVersion: "rbac.authorization.k8s.io/v1" };
const toMe = (who: "deploy" | "preview") => [
  { kind: "ServiceAccount", name: accessName(who), namespace: ACCESS_NAMESPACE },
];
const create = ["create", "-f", "-"];
const apply = ["apply", "--server-side", "--force-conflicts", "-f", "-"];

/** Refused for both. The operator's control changes nothing that lasts, or what the tests put there for it. */
const FOREIGN: readonly Attempt[] = [
  { what: "reads a Secret of another namespace", args: ["get", "secret", "canary", "-n", "other"] },
  { what: "lists the Secrets of another namespace", args: ["get", "secrets", "-n", "other"] },
  { what: "lists the Secrets of all namespaces", args: ["get", "secrets", "-A"] },
  { what: "reads the identities' namespace", args: ["get", "serviceaccounts", "-n", ACCESS_NAMESPACE] },
  { what: "writes to a node", args: ["label", "nodes", "--all", "rights=tested", "--overwrite"] },
  { what: "reads from a kubelet", args: ["get", "--raw", "/api/v1/nodes/NODE/proxy/configz"] },
  { what: "reads the API server's metrics", args: ["get", "--raw", "/metrics"] },
  { what: "creates a namespace", args: ["create", "namespace", "another", DRY_RUN] },
  { what: "deletes the database's namespace", args: ["delete", "namespace", "transcript-pipeline", DRY_RUN] },
  {
    what: "creates a ClusterRole",
    args: [...create, DRY_RUN],
    input: {
      ...rbac,
      kind: "ClusterRole",
      metadata: { name: "mine" },
      rules: [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }],
    },
  },
  ...(["deploy", "preview"] as const).map((who) => ({
    what: `makes ${who} an administrator of the cluster`,
    args: [...create, DRY_RUN],
    input: {
      ...rbac,
      kind: "ClusterRoleBinding",
      metadata: { name: "mine" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
      subjects: toMe(who),
    },
  })),
  {
    what: "makes itself an administrator of the database's namespace",
    args: [...create, DRY_RUN],
    input: {
      ...rbac,
      kind: "RoleBinding",
      metadata: { name: "mine", namespace: "transcript-pipeline" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "admin" },
      subjects: toMe("preview"),
    },
  },
  {
    what: "widens its role",
    args: [
      ...["patch", "role", accessName("deploy"), ...NS, DRY_RUN, "--type=json"],
      ...[
        "-p",
        '[{"op":"add","path":"/rules/-","value":{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}}]',
      ],
    ],
  },
  { what: "acts as an administrator", args: ["get", "nodes", "--as=admin", "--as-group=system:masters"] },
  { what: "acts as the other identity", args: ["get", "secrets", ...NS, `--as=${userName("deploy")}`] },
  { what: "creates a pod in another namespace", args: [...create, DRY_RUN], input: pod("other") },
  {
    what: "creates a pod that gets an identity's token",
    args: [...create, DRY_RUN],
    input: pod(ACCESS_NAMESPACE, { serviceAccountName: accessName("deploy") }),
  },
  ...[
    ["another account", "default", "kube-system"],
    ["the deployments' identity", accessName("deploy"), ACCESS_NAMESPACE],
    ["the previews' identity", accessName("preview"), ACCESS_NAMESPACE],
    ["an account of its namespace", "default", "transcript-pipeline"],
  ].map(([whose, name = "", namespace = ""]) => ({
    what: `makes a token for ${whose}`,
    args: ["create", "token", name, "-n", namespace],
  })),
  {
    what: "requests a certificate for a login of its own",
    args: [...create, DRY_RUN],
    input: {
      apiVersion: "certificates.k8s.io/v1",
      kind: "CertificateSigningRequest",
      metadata: { name: "mine" },
      spec: {
        request: "REQUEST",
        signerName: "kubernetes.io/kube-apiserver-client",
        usages: ["client auth"],
      },
    },
  },
  {
    what: "changes the policy that limits previews",
    args: [
      ...["patch", "validatingadmissionpolicy", accessName("preview"), DRY_RUN, "--type=merge"],
      ...["-p", '{"spec":{"failurePolicy":"Ignore"}}'],
    ],
  },
  {
    what: "removes the policy's binding",
    args: ["delete", "validatingadmissionpolicybinding", accessName("preview"), DRY_RUN],
  },
  {
    what: "lets a server of its own judge all requests",
    args: [...create, DRY_RUN],
    input: {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingWebhookConfiguration",
      metadata: { name: "mine" },
      webhooks: [],
    },
  },
  { what: "lists all volumes", args: ["get", "persistentvolumes"] },
  { what: "reads another stack's volume", args: ["get", "persistentvolume", "other-pv"] },
  {
    what: "changes another stack's volume",
    args: ["label", "persistentvolume", "other-pv", "a=b", "--overwrite"],
  },
  { what: "deletes another stack's volume", args: ["delete", "persistentvolume", "other-pv"] },
  { what: "enters a pod of the backups", args: ["exec", ...NS, "postgres-backup-0", "--", "true"] },
  {
    what: "adds a container to the server's pod",
    args: [
      ...[
        "patch",
        "pod",
        "postgres-0",
        ...NS,
        "--subresource=ephemeralcontainers",
        DRY_RUN,
        "--type=strategic",
      ],
      ...[
        "-p",
        '{"spec":{"ephemeralContainers":[{"name":"d","image":"localhost/none:1","targetContainerName":"postgres","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]}}',
      ],
    ],
  },
  {
    what: "deletes all Secrets at once",
    args: ["delete", "--raw", `/api/v1/namespaces/other/secrets?dryRun=All`],
  },
  {
    what: "moves the server's pod off its node",
    args: [
      "create",
      "-f",
      "-",
      "--raw",
      "/api/v1/namespaces/transcript-pipeline/pods/postgres-0/eviction?dryRun=All",
    ],
    input: {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: "postgres-0", namespace: "transcript-pipeline" },
    },
  },
];

/** Refused for previews, which deployments do. */
const WRITES: readonly Attempt[] = [
  { what: "enters the server", args: ["exec", ...NS, "postgres-0", "-c", "postgres", "--", "true"] },
  {
    what: "annotates the server's pod",
    args: ["annotate", "pod", "postgres-0", ...NS, "a=b", "--overwrite"],
  },
  {
    what: "changes a setting",
    args: [
      "patch",
      "configmap",
      "postgres-config",
      ...NS,
      "--type=merge",
      "-p",
      '{"metadata":{"annotations":{"a":"b"}}}',
    ],
  },
  {
    what: "changes a password",
    args: [
      "patch",
      "secret",
      "postgres-secret",
      ...NS,
      "--type=merge",
      "-p",
      '{"metadata":{"annotations":{"a":"b"}}}',
    ],
  },
  {
    what: "stops the server",
    args: [
      "patch",
      "statefulset",
      "postgres",
      ...NS,
      "--type=merge",
      "-p",
      '{"metadata":{"annotations":{"a":"b"}}}',
    ],
  },
  { what: "scales the server", args: ["scale", "statefulset", "postgres", ...NS, "--replicas=1"] },
  {
    what: "changes the namespace",
    args: ["patch", "namespace", "transcript-pipeline", "--type=merge", "-p", "{}"],
  },
  { what: "changes the volume", args: ["annotate", "persistentvolume", "postgres-pv", "a=b", "--overwrite"] },
  {
    what: "creates a Secret",
    args: apply,
    input: { apiVersion: "v1", kind: "Secret", metadata: { name: "mine", namespace: "transcript-pipeline" } },
  },
  {
    what: "runs a Job",
    args: apply,
    input: {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "mine", namespace: "transcript-pipeline" },
      spec: { suspend: true, template: { spec: { ...pod("").spec, restartPolicy: "Never" } } },
    },
  },
  { what: "deletes a Job", args: ["delete", "job", "mine", ...NS] },
  { what: "deletes a Secret", args: ["delete", "secret", "mine", ...NS] },
];

describe("the identities of CI, on a cluster", function () {
  this.timeout(600_000);
  needsEngine();
  let ci: CiCheckout;
  let said: string;
  let audit: string;

  before(async function () {
    this.timeout(45 * 60_000);
    await takeRoom(leave);
    // What the identities ask, and whether they get it.
    const { state } = clusterPaths(CLUSTER);
    audit = join(state, "audit.log");
    const policy = join(state, "audit-policy.json");
    const rules = [
      {
        level: "Metadata",
        userGroups: [`system:serviceaccounts:${ACCESS_NAMESPACE}`],
        omitStages: ["RequestReceived"],
      },
      { level: "None" },
    ];
    writeFileSync(policy, JSON.stringify({ apiVersion: "audit.k8s.io/v1", kind: "Policy", rules }));
    rmSync(audit, { force: true });
    const apiServerFlags = [`--audit-policy-file=${policy}`, `--audit-log-path=${audit}`];
    await start({ name: CLUSTER, apiServerFlags });
    ci = new CiCheckout(theCluster(), theEngine().command);
    said = await ci.prepare();
    const fixtures = [
      { apiVersion: "v1", kind: "Namespace", metadata: { name: "other" } },
      { apiVersion: "v1", kind: "Secret", metadata: { name: "canary", namespace: "other" } },
      {
        apiVersion: "v1",
        kind: "PersistentVolume",
        metadata: { name: "other-pv" },
        spec: {
          capacity: { storage: "1Gi" },
          accessModes: ["ReadWriteOnce"],
          storageClassName: "other",
          hostPath: { path: "/var/empty" },
        },
      },
    ];
    const made = await ci.kubectl(
      "operator",
      apply,
      JSON.stringify({ apiVersion: "v1", kind: "List", items: fixtures }),
    );
    assert.equal(made.status, 0, made.output);
  });

  after(async function () {
    this.timeout(240_000);
    if (ci === undefined) return;
    await vacate();
    await start({ name: CLUSTER, apiServerFlags: [] });
  });

  async function leave(): Promise<void> {
    if (ci === undefined) return;
    await ci.kubectl("operator", ["delete", "namespace", "other", "--ignore-not-found", "--wait=false"]);
    await ci.kubectl("operator", ["delete", "pv", "other-pv", "--ignore-not-found"]);
    await ci.remove();
  }

  /** What the program and the engine say where they do without what was refused. */
  const NOISE = /forbidden|could not check|picks up the change within|cannot be queried/i;
  const tokenOf = (use: "deploy" | "preview"): string => {
    const { users } = parse(readFileSync(ci.kubeconfig(use), "utf8")) as {
      users: { user: { token: string } }[];
    };
    return users[0]?.user.token ?? "";
  };

  /** The API server's own words, of whichever check. */
  const REFUSED = /Forbidden|forbidden|denied/;

  async function try_(who: Who, { args, input }: Attempt): Promise<Ran> {
    const filled = args.map((word) => word.replace("NODE", theCluster().nodeName));
    const text = input === undefined ? undefined : JSON.stringify(input).replace("REQUEST", await request());
    return ci.kubectl(who, filled, text);
  }

  /** A certificate request, as Kubernetes wants it. */
  async function request(): Promise<string> {
    const args = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    const { stdout } = await execute("openssl", [
      ...args,
      "-keyout",
      "/dev/null",
      "-subj",
      "/O=others/CN=me",
    ]);
    return Buffer.from(stdout).toString("base64");
  }

  it("are made before there is a database, into files that only their owner reads, and what they can read is said", () => {
    for (const use of USES) assert.equal(statSync(ci.kubeconfig(use)).mode & 0o777, 0o600);
    assert.match(
      said,
      /preview: a kubeconfig with the context transcript-pipeline-dev, valid until .* \((24 hours|1 days)\)/,
    );
    assert.match(said, /can read every Secret of the database's namespace: a preview compares them/);
    for (const use of USES) assert.ok(!said.includes(tokenOf(use)));
  });

  it("let deployments create a volume only of the stack's directory", async () => {
    const volume = (path: string) => ({
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: "postgres-pv" },
      spec: {
        capacity: { storage: "1Gi" },
        accessModes: ["ReadWriteOnce"],
        storageClassName: "",
        hostPath: { path },
      },
    });
    const args = [...apply, DRY_RUN];
    const own = join(ci.scratch, "pgdata");
    const [of, foreign] = [own, "/"].map((path) => ci.kubectl("deploy", args, JSON.stringify(volume(path))));
    assert.equal((await of)?.status, 0, (await of)?.output);
    assert.match((await foreign)?.stderr ?? "", /must show .*\/pgdata of the node/);
    const operator = await ci.kubectl("operator", args, JSON.stringify(volume("/")));
    assert.equal(operator.status, 0, operator.output);
  });

  it("preview a first deployment", async () => {
    const ran = await ci.pulumi("preview", "preview");
    assert.equal(ran.status, 0, ran.output);
    assert.match(ran.stdout, /\+ \d+ to create/);
    assert.doesNotMatch(ran.output, /cannot be queried|forbidden/i);
  });

  it("deploy the whole program, backups and a login included", async () => {
    ci.configure({ database: { logins: { app: "readwrite" } } });
    const ran = await ci.pulumi("deploy", "up", "--yes", "--skip-preview");
    assert.equal(ran.status, 0, ran.output);
    assert.doesNotMatch(ran.output, NOISE);
    const jobs = await ci.kubectl("operator", ["get", "jobs", ...NS, "-o", "name"]);
    assert.match(jobs.stdout, /postgres-backup-first/);
  });

  it("preview what is deployed, and compare it with the cluster", async () => {
    for (const args of [
      ["preview", "--expect-no-changes"],
      ["preview", "--refresh", "--expect-no-changes"],
    ]) {
      const ran = await ci.pulumi("preview", ...args);
      assert.equal(ran.status, 0, ran.output);
      assert.doesNotMatch(ran.output, /forbidden/i);
    }
  });

  it("preview and deploy a change of settings and of a password, a new login and one that goes", async () => {
    ci.configure({
      database: {
        settings: { max_connections: 40, log_min_duration_statement: "5s" },
        rotation: "2",
        logins: { other: "readonly" },
      },
    });
    const preview = await ci.pulumi("preview", "preview");
    assert.equal(preview.status, 0, preview.output);
    assert.match(preview.stdout, /- 1 to delete/);
    const ran = await ci.pulumi("deploy", "up", "--yes", "--skip-preview");
    assert.equal(ran.status, 0, ran.output);
    assert.doesNotMatch(ran.output, NOISE);
    const unchanged = await ci.pulumi("preview", "preview", "--expect-no-changes");
    assert.equal(unchanged.status, 0, unchanged.output);
  });

  describe("may not do what others must do:", () => {
    for (const attempt of FOREIGN) {
      it(`${attempt.what}`, async () => {
        await Promise.all(
          (attempt.refused ?? USES).map(async (who) => {
            const ran = await try_(who, attempt);
            assert.notEqual(ran.status, 0, `${who}: ${ran.output}`);
            assert.match(ran.output, REFUSED, `${who}: ${ran.output}`);
          }),
        );
        const control = await try_("operator", attempt);
        assert.equal(control.status, 0, `the control: ${control.output}`);
      });
    }
  });

  describe("of previews may not do what those of deployments do:", () => {
    for (const attempt of WRITES) {
      it(attempt.what, async () => {
        const ran = await try_("preview", attempt);
        assert.notEqual(ran.status, 0, ran.output);
        assert.match(ran.output, REFUSED);
        const control = await try_("deploy", attempt);
        assert.equal(control.status, 0, `the control: ${control.output}`);
      });
    }

    it("but previews may try the same as a dry run", async () => {
      // What previews have no rights to at all.
      const others = WRITES.filter(({ what }) => !/enters|annotates|scales|deletes/.test(what));
      await Promise.all(
        others.map(async (attempt) => {
          const ran = await try_("preview", { ...attempt, args: [...attempt.args, DRY_RUN] });
          assert.equal(ran.status, 0, `${attempt.what}: ${ran.output}`);
        }),
      );
    });
  });

  describe("of deployments are limited in what they write:", () => {
    const refusals: readonly (Attempt & { message: RegExp; fixed: readonly string[] })[] = [
      ...["privileged", "baseline"].map((level) => ({
        what: `lets pods be ${level}`,
        args: [
          "label",
          "namespace",
          "transcript-pipeline",
          `pod-security.kubernetes.io/enforce=${level}`,
          "--overwrite",
          DRY_RUN,
        ],
        message: /must keep its labels and annotations/,
        fixed: [
          "label",
          "namespace",
          "transcript-pipeline",
          "pod-security.kubernetes.io/enforce=restricted",
          "--overwrite",
          DRY_RUN,
        ],
      })),
      {
        what: "removes the label that restricts pods",
        args: ["label", "namespace", "transcript-pipeline", "pod-security.kubernetes.io/enforce-", DRY_RUN],
        message: /must keep its labels and annotations/,
        fixed: ["label", "namespace", "transcript-pipeline", "another-", DRY_RUN],
      },
      {
        what: "gives the namespace a label by which others let it in",
        args: ["label", "namespace", "transcript-pipeline", "team=trusted", DRY_RUN],
        message: /must keep its labels and annotations/,
        fixed: ["patch", "namespace", "transcript-pipeline", "--type=merge", "-p", "{}", DRY_RUN],
      },
      ...[
        ["opens the database on every node", { type: "NodePort" }],
        ["takes an address of others", { externalIPs: ["192.0.2.1"] }],
        ["leads clients elsewhere", { type: "ExternalName", externalName: "example.org" }],
      ].map(([what, spec]) => ({
        what: what as string,
        args: [
          "patch",
          "service",
          "postgres",
          ...NS,
          "--type=merge",
          "-p",
          JSON.stringify({ spec }),
          DRY_RUN,
        ],
        message: /must be of the type ClusterIP, without externalIPs/,
        fixed: [
          "patch",
          "service",
          "postgres",
          ...NS,
          "--type=merge",
          "-p",
          '{"spec":{"type":"ClusterIP"}}',
          DRY_RUN,
        ],
      })),
    ];
    for (const attempt of refusals) {
      it(attempt.what, async () => {
        // All of them are dry runs.
        const [ran, harmless, operator] = await Promise.all([
          try_("deploy", attempt),
          ci.kubectl("deploy", attempt.fixed),
          try_("operator", attempt),
        ]);
        assert.notEqual(ran.status, 0, ran.output);
        assert.match(ran.stderr, attempt.message);
        assert.equal(harmless.status, 0, harmless.output);
        assert.equal(operator.status, 0, `the control: ${operator.output}`);
      });
    }
  });

  describe("at the end", () => {
    it("deploy that the backups are switched off, which deletes objects of most kinds", async () => {
      ci.configure({ backup: { repositories: undefined } });
      const renewed = await ci.access("deploy", "--expires", "1d", "--out", ci.kubeconfig("deploy"));
      assert.equal(renewed.status, 0, renewed.output);
      const ran = await ci.pulumi("deploy", "up", "--yes");
      assert.equal(ran.status, 0, ran.output);
      assert.doesNotMatch(ran.output, NOISE);
      const left = await ci.kubectl("operator", ["get", "cronjobs", ...NS, "-o", "name"]);
      assert.equal(left.stdout, "");
    });

    /** An audited request, as far as it is read. */
    interface Event {
      verb: string;
      user: { username: string };
      requestURI: string;
      userAgent: string;
      objectRef?: {
        resource: string;
        subresource?: string;
        apiGroup?: string;
        namespace?: string;
        name?: string;
      };
      responseStatus?: { code: number };
      requestReceivedTimestamp: string;
    }

    it("shows in the API server's own log that the engine asks for nothing that is refused", () => {
      // kubectl of these tests is refused on purpose; the program's own reads go through a proxy, and fail the deployment.
      const refused = events().filter(
        ({ responseStatus, userAgent }) => responseStatus?.code === 403 && userAgent.startsWith("pulumi"),
      );
      const asked = refused.map(({ verb, user, requestURI }) =>
        [user.username.split(":").at(-1), verb, requestURI.split("?")[0]].join(" "),
      );
      // Only for the words of a wait, and of all namespaces: tools/access/rights.ts.
      const known = ["list", "watch"].map((verb) => `${accessName("deploy")} ${verb} /api/v1/events`);
      assert.deepEqual([...new Set(asked)].sort(), known);
    });

    const events = (): Event[] =>
      readFileSync(audit, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Event);

    /**
     * Why a right may be unused here. An API server of this version lists and watches in one request; an older one is
     * asked for both.
     */
    const REASONS = [
      // Asked for next to `get` by API servers from 1.35 on, without a line in the log; alone by older ones.
      "create pods/exec",
      // A repository with a volume of its own that is taken out of the configuration, and a moved directory.
      ...["persistentvolumeclaims", "persistentvolumes"].flatMap((volume) => [
        `delete ${volume}`,
        `watch ${volume}`,
      ]),
      // A Service that the program no longer has.
      "delete services",
    ];

    it("have no right that these deployments have not used, but for those with a reason", async () => {
      for (const use of USES) {
        const used = new Set<string>();
        for (const { verb, user, objectRef, responseStatus } of events()) {
          if (
            user.username !== userName(use) ||
            objectRef === undefined ||
            (responseStatus?.code ?? 500) >= 400
          )
            continue;
          const { resource, subresource, apiGroup = "" } = objectRef;
          const of = fullResource({
            group: apiGroup,
            resource: subresource ? `${resource}/${subresource}` : resource,
          });
          used.add(`${verb} ${of}`);
          if (verb === "patch" && responseStatus?.code === 201) used.add(`create ${of}`);
        }
        const granted: string[] = [];
        for (const [kind, where] of [
          ["clusterrole", []],
          ["role", NS],
        ] as const) {
          const { stdout } = await ci.kubectl("operator", [
            "get",
            kind,
            accessName(use),
            ...where,
            "-o",
            "json",
          ]);
          const { rules } = JSON.parse(stdout) as { rules: object[] };
          granted.push(...rightsIn(rules).map((right) => rightText({ ...right, name: undefined })));
        }
        const unused = [...new Set(granted)].filter((right) => !used.has(right)).sort();
        assert.deepEqual(
          unused.filter(
            (right) => !granted.includes(right.replace("list", "watch")) && !REASONS.includes(right),
          ),
          [],
          use,
        );
      }
    });

    it("lose everything when their token has expired", async () => {
      const [head = "", body = ""] = tokenOf("deploy").split(".");
      const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as { exp: number };
      const now = Math.floor(Date.now() / 1000);
      assert.ok(Math.abs(claims.exp - now - 86_400) < 1800, `${claims.exp - now} s`);
      /** The same token with another end, signed by the cluster's own key. */
      const ending = async (exp: number): Promise<Ran> => {
        const text = `${head}.${Buffer.from(JSON.stringify({ ...claims, nbf: now - 7200, iat: now - 7200, exp })).toString("base64url")}`;
        const key = readFileSync(
          join(clusterPaths(CLUSTER).state, "certificates/service-accounts.key"),
          "utf8",
        );
        const token = `${text}.${createSign("RSA-SHA256").update(text).sign(key).toString("base64url")}`;
        const kubeconfig = parse(readFileSync(ci.kubeconfig("deploy"), "utf8")) as { users: object[] };
        kubeconfig.users = [{ name: accessName("deploy"), user: { token } }];
        const file = join(ci.scratch, "expired");
        writeFileSync(file, stringify(kubeconfig), { mode: 0o600 });
        return execute(theCluster().kubectl, ["--kubeconfig", file, "get", "pods", ...NS]);
      };
      const expired = await ending(now - 3600);
      assert.notEqual(expired.status, 0);
      assert.match(expired.output, /Unauthorized|must be logged in/);
      const valid = await ending(now + 3600);
      assert.equal(valid.status, 0, valid.output);
    });

    it("are compared with what this version needs, and a right that somebody added is named", async () => {
      // The backups are switched off, and gone.
      const outdated = await ci.access("check");
      assert.match(outdated.stdout, /gives "delete cronjobs\.batch", which is not needed/);
      const renewals = USES.map((use) => ci.access(use, "--expires", "1d", "--out", ci.kubeconfig(use)));
      for (const ran of await Promise.all(renewals)) assert.equal(ran.status, 0, ran.output);
      const good = await ci.access("check");
      assert.match(
        good.stdout,
        /deploy: its newest token expires at .*; its rights are those that this version needs/,
      );
      // One day is less than two weeks.
      assert.equal(good.status, 1);
      const widen =
        '[{"op":"add","path":"/rules/-","value":{"apiGroups":[""],"resources":["secrets"],"verbs":["delete"]}}]';
      await ci.kubectl("operator", [
        "patch",
        "role",
        accessName("preview"),
        ...NS,
        "--type=json",
        "-p",
        widen,
      ]);
      const bind = ["create", "clusterrolebinding", "widened", "--clusterrole=view"];
      await ci.kubectl("operator", [
        ...bind,
        `--serviceaccount=${ACCESS_NAMESPACE}:${accessName("preview")}`,
      ]);
      try {
        const widened = await ci.access("check");
        assert.match(widened.stdout, /gives "delete secrets", which is not needed/);
        assert.match(widened.stdout, /widened gives it ClusterRole view too/);
        assert.equal((await ci.access("preview", "--out", ci.kubeconfig("preview"))).status, 0);
      } finally {
        await ci.kubectl("operator", ["delete", "clusterrolebinding", "widened"]);
      }
      const renewed = await ci.access("check");
      assert.match(
        renewed.stdout,
        /preview: .* in 89 days; its rights are those|in 90 days; its rights are those/,
      );
    });

    it("give a kubeconfig to a pipe, and to no terminal", async () => {
      const ran = await ci.access("deploy", "--expires", "12h");
      assert.equal(ran.status, 0, ran.stderr);
      const { users } = parse(ran.stdout) as { users: { user: { token: string } }[] };
      assert.ok(users[0]?.user.token);
      assert.ok(!ran.stderr.includes(users[0].user.token));
      const shown = await execute(
        "script",
        ["-qec", `npm run --silent ci:access -- --stack dev deploy`, "/dev/null"],
        {
          cwd: ci.directory,
          env: { KUBECONFIG: theCluster().kubeconfig },
        },
      );
      assert.match(shown.output, /the terminal would show and keep the token/);
      assert.ok(!shown.output.includes("token:"));
    });

    it("are removed with their tokens, and with nothing of the database", async () => {
      const ran = await ci.access("remove", "preview");
      assert.equal(ran.status, 0, ran.output);
      const works = async (use: "deploy" | "preview") =>
        (await ci.kubectl(use, ["get", "secret", "postgres-secret", ...NS])).status === 0;
      await until("the token is refused", async () => !(await works("preview")), 30_000);
      assert.ok(await works("deploy"));
      assert.equal((await ci.access("remove")).status, 0);
      await until("the token is refused", async () => !(await works("deploy")), 30_000);
      const kinds =
        "clusterroles,clusterrolebindings,roles,rolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings";
      const left = await ci.kubectl("operator", [
        "get",
        kinds,
        "-A",
        "-l",
        "transcript-pipeline/access",
        "-o",
        "name",
      ]);
      assert.equal(left.stdout, "");
      assert.match((await ci.kubectl("operator", ["get", "statefulset", "postgres", ...NS])).stdout, /1\/1/);
      assert.ok(existsSync(join(ci.scratch, "pgdata")));
    });
  });
});
