import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import {
  RECONCILER_CONTAINER,
  SERVER_CONTAINER,
  SETTINGS_CONTAINER,
} from "../../../../components/kubernetes/names.ts";
import type { ServerExtension } from "../../../../components/server/extension.ts";
import { combined } from "../../../../components/server/extension.ts";
import { Server } from "../../../../components/server/server.ts";
import { recorded, type Registration, unwrapped } from "../../../../tools/evaluation/recorder.ts";

/** As TLS will be: files of a Secret that the server needs to start, and reads again when they change. */
const tls: ServerExtension = {
  name: "tls",
  settings: { ssl: "on", ssl_cert_file: "/etc/tls/tls.crt" },
  hba: ["hostnossl all all all reject"],
  volumes: [
    {
      name: "certificate",
      source: { secret: { secretName: "postgres-tls", defaultMode: 0o440 } },
      mounts: {
        [SERVER_CONTAINER]: { path: "/etc/tls", readOnly: true },
        [RECONCILER_CONTAINER]: { path: "/etc/tls", readOnly: true },
        [SETTINGS_CONTAINER]: { path: "/etc/tls", readOnly: true },
      },
    },
  ],
  watched: ["/etc/tls/tls.crt"],
};

/** As archiving will be: a container next to the server with a volume of its own, and one before it. */
const archive: ServerExtension = {
  name: "archive",
  settings: { archive_mode: "on", archive_command: "archive %p" },
  volumes: [
    {
      name: "spool",
      source: { emptyDir: {} },
      mounts: { [SERVER_CONTAINER]: { path: "/spool" }, archiver: { path: "/spool" } },
    },
  ],
  sidecars: [{ name: "archiver", image: "archiver:1" }],
  initContainers: [{ name: "stanza", image: "archiver:1" }],
};

async function deployed(extensions: readonly ServerExtension[] | undefined): Promise<Registration[]> {
  const placement = { hostname: "gen8", tolerations: [] };
  const session = { statementTimeout: 1, lockTimeout: 1, idleInTransactionTimeout: 1, connections: 1 };
  return recorded("project", "stack", () => {
    return new Server("server", {
      namespace: "here",
      clusterDomain: "cluster.local",
      image: "postgres:16",
      placement,
      claimName: "claim",
      identity: "project/stack",
      secretName: "owner",
      superuserSecretName: "superuser",
      loginsSecretName: "logins",
      database: "db",
      owner: "owner",
      requests: { cpu: "1", memory: "1Gi" },
      limits: { cpu: "1", memory: "1Gi" },
      sharedMemory: 2 ** 26,
      sharedBuffers: 2 ** 27,
      settings: { work_mem: "4MB" },
      sessionLimits: { owner: session, readwrite: session, readonly: session, monitoring: session },
      addressSpace: 2 ** 30,
      terminationGracePeriod: 60,
      recoveryTime: 60,
      extensions,
    });
  });
}

interface Container {
  name: string;
  env?: { name: string; value: string }[];
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
}
interface Pod {
  containers: Container[];
  initContainers?: Container[];
  volumes: { name: string }[];
}

const inputsOf = (all: readonly Registration[], kind: string, name: string) =>
  unwrapped(all.find((other) => other.type.endsWith(`:${kind}`) && other.name === name)?.inputs);
const podOf = (all: readonly Registration[], kind: string, name: string) =>
  (inputsOf(all, kind, name) as { spec: { template: { spec: Pod } } }).spec.template.spec;
const fileOf = (all: readonly Registration[], file: string) =>
  (inputsOf(all, "ConfigMap", "postgres-config") as { data: Record<string, string> }).data[file] ?? "";

describe("an extension of the server", () => {
  let without: Registration[];
  let withBoth: Registration[];
  before(async () => {
    without = await deployed(undefined);
    withBoth = await deployed([tls, archive]);
  });

  it("changes nothing if there is none", async () => {
    assert.deepEqual(await deployed([]), without);
    const pod = podOf(without, "StatefulSet", "postgres");
    assert.equal("initContainers" in pod, false);
    assert.equal("env" in (pod.containers[1] ?? {}), false);
  });

  it("sets its settings over everything but the server's own, and the server restarts for those that need it", () => {
    const conf = fileOf(withBoth, "postgresql.conf");
    for (const line of [
      "ssl = 'on'",
      "archive_mode = 'on'",
      "archive_command = 'archive %p'",
      "work_mem = '4MB'",
    ])
      assert.ok(conf.includes(`${line}\n`), line);
    const reason = (all: readonly Registration[]) =>
      (
        inputsOf(all, "StatefulSet", "postgres") as {
          spec: { template: { metadata: { annotations: object } } };
        }
      ).spec.template.metadata.annotations;
    assert.notDeepEqual(reason(withBoth), reason(without));
  });

  it("has its lines read after those that keep the superuser in, and before the one for everybody", () => {
    const lines = fileOf(withBoth, "pg_hba.conf").trim().split("\n");
    const at = (pattern: RegExp) => lines.findIndex((line) => pattern.test(line));
    const [superuser, own, everybody] = [
      at(/postgres +all +reject/),
      at(/^hostnossl/),
      at(/^host +all +all +all +scram/),
    ];
    assert.ok(superuser >= 0 && superuser < own && own < everybody, lines.join("\n"));
  });

  it("has each volume once, and mounted where it says, in the trial of the settings too", () => {
    const pod = podOf(withBoth, "StatefulSet", "postgres");
    const trial = podOf(withBoth, "Job", "postgres-settings");
    const mounting = (of: Pod, volume: string) =>
      [...(of.initContainers ?? []), ...of.containers].flatMap(({ name, volumeMounts = [] }) =>
        volumeMounts.filter((mount) => mount.name === volume).map(({ mountPath }) => `${name} ${mountPath}`),
      );
    assert.deepEqual(mounting(pod, "certificate"), ["postgres /etc/tls", "reconcile /etc/tls"]);
    assert.deepEqual(mounting(trial, "certificate"), ["settings /etc/tls"]);
    for (const each of [pod, trial])
      assert.equal(each.volumes.filter(({ name }) => name === "certificate").length, 1);
    assert.equal(
      trial.volumes.some(({ name }) => name === "spool"),
      false,
    );
    assert.deepEqual(mounting(pod, "spool"), ["postgres /spool", "archiver /spool"]);
  });

  it("brings its containers, and its files are watched by the reconciler", () => {
    const { containers, initContainers = [] } = podOf(withBoth, "StatefulSet", "postgres");
    assert.deepEqual(
      containers.map(({ name }) => name),
      ["postgres", "reconcile", "archiver"],
    );
    assert.deepEqual(
      initContainers.map(({ name }) => name),
      ["stanza"],
    );
    assert.deepEqual(containers[1]?.env, [{ name: "WATCHED", value: "/etc/tls/tls.crt" }]);
  });

  for (const [what, extensions, configured, says] of [
    [
      "sets what another one sets",
      [tls, { name: "other", settings: { ssl: "on" } }],
      {},
      /setting ssl is set by tls and by other/,
    ],
    [
      "has a volume of another's name",
      [tls, { name: "other", volumes: tls.volumes ?? [] }],
      {},
      /volume certificate is set by tls/,
    ],
    [
      "has a container of another's name",
      [archive, { name: "other", sidecars: archive.sidecars ?? [] }],
      {},
      /container archiver/,
    ],
    [
      "makes databases too",
      [
        { name: "backup", initialization: ["restore"] },
        { name: "import", initialization: ["import"] },
      ],
      {},
      /how a database is made is set by backup and by import/,
    ],
    [
      "sets what is the server's own",
      [{ name: "other", settings: { port: "5433" } }],
      {},
      /other: port is set by the server/,
    ],
    [
      "sets what is no setting",
      [{ name: "other", settings: { sll: "on" } }],
      {},
      /other: sll is not a setting/,
    ],
    [
      "watches a file that a shell would expand",
      [{ name: "other", watched: ["/etc/*"] }],
      {},
      /watched file "\/etc\/\*"/,
    ],
    [
      "sets what is configured",
      [tls],
      { ssl: "off" },
      /database\.settings\.ssl: is set by tls.*config rm --path/,
    ],
  ] as [string, ServerExtension[], Record<string, string>, RegExp][]) {
    it(`is refused when it ${what}`, () => {
      assert.throws(
        () => combined(extensions, configured),
        (error: unknown) => error instanceof pulumi.RunError && says.test(error.message),
      );
    });
  }
});
