import assert from "node:assert/strict";
import { generatedIn } from "../../../../../tools/evaluation/generated.ts";
import { type Manifest, objectId } from "../../../../../tools/evaluation/manifests.ts";
import type { MarkedRendering } from "../../../../../tools/evaluation/rendering.ts";
import { applyRendering } from "../../../../../tools/dev/apply/apply.ts";
import type { LiveObject, Objects } from "../../../../../tools/dev/apply/cluster-objects.ts";

const API: Readonly<Record<string, string>> = {
  Job: "batch/v1",
  StatefulSet: "apps/v1",
  Gadget: "example.org/v1",
};

function object(kind: string, name: string, fields: Record<string, unknown> = {}): Manifest {
  const namespace = kind === "Namespace" || kind === "PersistentVolume" ? {} : { namespace: "here" };
  return { apiVersion: API[kind] ?? "v1", kind, metadata: { name, ...namespace }, ...fields };
}

const job = (name: string, template: string) => object("Job", name, { spec: { template } });
const secret = (name: string, stringData: Record<string, string>) => object("Secret", name, { stringData });
const statefulSet = (image: string) => object("StatefulSet", "server", { spec: { replicas: 1, image } });

/** A cluster in memory, in which a Job's template, and whatever a test says, cannot be changed. */
class FakeCluster implements Objects {
  readonly live = new Map<string, LiveObject>();
  readonly done: string[] = [];
  /** Names of Jobs that fail. */
  failing = new Set<string>();
  /** Objects that cannot be changed, and those that are refused altogether. */
  immutable: (there: Manifest, wanted: Manifest) => boolean = ({ kind }, wanted) =>
    kind === "Job" && JSON.stringify(this.live.get(objectId(wanted))?.spec) !== JSON.stringify(wanted.spec);
  refused = new Set<string>();
  /** Looks at what is waited for until it is ready. */
  slow = 0;

  private status({ kind, metadata: { name } }: Manifest): Record<string, unknown> {
    if (this.failing.has(name))
      return { conditions: [{ type: "Failed", status: "True", message: "too late" }] };
    if (kind === "Job") return { conditions: [{ type: "Complete", status: "True" }] };
    if (kind === "PersistentVolumeClaim") return { phase: "Bound" };
    return { observedGeneration: 1, readyReplicas: 1, currentRevision: "1", updateRevision: "1" };
  }

  read(objects: readonly Manifest[]): Promise<Map<string, LiveObject>> {
    const found = objects.flatMap((wanted): [string, LiveObject][] => {
      const there = this.live.get(objectId(wanted));
      if (!there) return [];
      const status = this.slow > 0 ? {} : this.status(there);
      return [[objectId(wanted), { ...there, status }]];
    });
    if (this.slow > 0) this.slow--;
    return Promise.resolve(new Map(found));
  }

  takesChange(wanted: Manifest): Promise<boolean> {
    const there = this.live.get(objectId(wanted));
    return Promise.resolve(
      !(there && this.immutable(there, wanted)) && !this.refused.has(wanted.metadata.name),
    );
  }

  takesNew(wanted: Manifest): Promise<boolean> {
    return Promise.resolve(!this.refused.has(wanted.metadata.name));
  }

  async apply(objects: readonly Manifest[]): Promise<string> {
    for (const wanted of objects) {
      if (!(await this.takesChange(wanted))) throw new Error(`${wanted.metadata.name} is invalid`);
      const managedFields = [{ manager: "transcript-pipeline" }];
      this.live.set(objectId(wanted), {
        ...wanted,
        metadata: { ...wanted.metadata, generation: 1, managedFields },
      });
    }
    this.done.push(`apply ${objects.map(({ metadata: { name } }) => name).join(" ")}`);
    return "";
  }

  delete(objects: readonly Manifest[]): Promise<void> {
    for (const gone of objects) {
      this.live.delete(objectId(gone));
      this.done.push(`delete ${gone.metadata.name}`);
    }
    return Promise.resolve();
  }

  logs(): Promise<string> {
    return Promise.resolve("its last words");
  }

  labelled(_: string, scope: { namespace: string } | "cluster"): Promise<LiveObject[]> {
    const namespace = scope === "cluster" ? undefined : scope.namespace;
    return Promise.resolve(
      [...this.live.values()].filter(({ metadata }) => metadata.namespace === namespace),
    );
  }

  /** The values of a Secret. */
  values(name: string): Record<string, string> {
    const { data = {} } = this.live.get(`/Secret/here/${name}`) as { data?: Record<string, string> };
    return Object.fromEntries(
      Object.entries(data).map(([key, text]) => [key, Buffer.from(text, "base64").toString()]),
    );
  }
}

describe("a rendering, applied", () => {
  let cluster: FakeCluster;
  let said: string[];
  beforeEach(() => {
    cluster = new FakeCluster();
    said = [];
  });

  const apply = (objects: Manifest[], again: Manifest[] = objects) => {
    cluster.done.length = 0;
    const rendering: MarkedRendering = {
      ...{
        stack: "dev",
        files: [],
        directories: [],
        undecrypted: [],
        network: {
          policies: undefined,
          clients: {},
          scrapers: {},
          repositories: {},
          sinks: {},
          alertmanager: {},
          clusterRanges: [],
        },
        warnings: [],
        objects,
      },
      generated: generatedIn(objects, again),
      network: {
        policies: undefined,
        clients: {},
        scrapers: {},
        repositories: {},
        sinks: {},
        alertmanager: { namespace: undefined, podLabels: undefined, ranges: undefined, ports: undefined },
        clusterRanges: [],
      },
    };
    return applyRendering(cluster, rendering, {
      say: (line) => said.push(line),
      pods: () => Promise.resolve("server-0 not ready"),
      configured: () => Promise.resolve(),
      interval: 1,
      limit: 300,
    });
  };

  /** A stack with logins, each time with other passwords. */
  const evaluation = (run: string, logins: readonly string[], explicit?: string): Manifest[] => {
    const passwords = logins.map((login) => `password-of-${login}-${run}`);
    return [
      secret("owner", { user: "owner", password: explicit ?? `password-of-owner-${run}` }),
      ...logins.map((login, index) => secret(`login-${login}`, { password: passwords[index] ?? "" })),
      secret("together", { lines: logins.map((login, index) => `${login} ${passwords[index]}\n`).join("") }),
    ];
  };
  const applyLogins = (run: string, logins: readonly string[], explicit?: string) =>
    apply(evaluation(run, logins, explicit), evaluation(`${run}-again`, logins, explicit));

  it("follows the order of dependency, a Job in its own step, with what it names and nothing that comes later", async () => {
    await apply([
      object("Namespace", "here"),
      object("ConfigMap", "job-files"),
      object("ConfigMap", "server-files"),
      object("ConfigMap", "nobodys-files"),
      object("Job", "try", { spec: { template: { volumes: [{ configMap: { name: "job-files" } }] } } }),
      object("StatefulSet", "server", { spec: { volumes: [{ configMap: { name: "server-files" } }] } }),
      object("Gadget", "unheard-of"),
      job("init", "1"),
    ]);
    assert.deepEqual(cluster.done, [
      "apply here job-files",
      "apply try",
      "apply server-files server unheard-of",
      "apply init",
      "apply nobodys-files",
    ]);
  });

  it("changes nothing for the server if a Job before it fails, and reports the end of the Job's log", async () => {
    const files = (text: string) => object("ConfigMap", "server-files", { data: { text } });
    const server = object("StatefulSet", "server", {
      spec: { volumes: [{ configMap: { name: "server-files" } }] },
    });
    await apply([files("old"), job("try", "1"), server]);
    cluster.failing.add("try");
    await assert.rejects(
      apply([files("new"), job("try", "2"), server]),
      /Job try failed: too late\nits last words/,
    );
    assert.deepEqual(cluster.live.get("/ConfigMap/here/server-files")?.data, { text: "old" });
  });

  it("keeps what was generated, wherever it is used, and adds what is new", async () => {
    await applyLogins("1", ["kept", "gone"]);
    assert.deepEqual(
      said.filter((line) => line.startsWith("Secret")),
      [
        "Secret owner: has a new password",
        "Secret login-kept: has a new password",
        "Secret login-gone: has a new password",
      ],
    );
    assert.equal(cluster.values("together").lines, "kept password-of-kept-1\ngone password-of-gone-1\n");
    said = [];
    await applyLogins("2", ["kept", "added"]);
    assert.deepEqual(cluster.values("owner"), { user: "owner", password: "password-of-owner-1" });
    assert.equal(cluster.values("together").lines, "kept password-of-kept-1\nadded password-of-added-2\n");
    assert.deepEqual(
      said.filter((line) => /^Secret/.test(line)),
      [
        "Secret login-added: has a new password",
        "Secret login-gone: deleted, it is no longer part of the stack",
      ],
    );
  });

  it("applies a value unchanged that is not text, or has letters that English does not have", async () => {
    const bytes = Buffer.from([0, 255, 254, 128, 10]).toString("base64");
    await apply([object("Secret", "mixed", { data: { bytes }, stringData: { text: "Grüße" } })]);
    const { data } = cluster.live.get("/Secret/here/mixed") as { data?: Record<string, string> };
    assert.deepEqual(data, { bytes, text: Buffer.from("Grüße").toString("base64") });
  });

  it("uses an explicit value unchanged, and keeps it when it is no longer given", async () => {
    await applyLogins("1", ["kept"]);
    await applyLogins("2", ["kept"], "chosen-by-hand");
    assert.equal(cluster.values("owner").password, "chosen-by-hand");
    await applyLogins("3", ["kept"]);
    assert.equal(cluster.values("owner").password, "chosen-by-hand");
  });

  it("generates a value again that is empty in the cluster, or gone", async () => {
    await applyLogins("1", ["kept"]);
    await cluster.apply([object("Secret", "login-kept", { data: { password: "" } })]);
    await applyLogins("2", ["kept"]);
    assert.equal(cluster.values("login-kept").password, "password-of-kept-2");
    await cluster.delete([object("Secret", "login-kept")]);
    await applyLogins("3", ["kept"]);
    assert.equal(cluster.values("together").lines, `kept ${cluster.values("login-kept").password}\n`);
  });

  it("leaves a finished Job of the same template alone, and runs again one that changed or failed", async () => {
    await apply([job("init", "1")]);
    await apply([job("init", "1")]);
    assert.deepEqual(cluster.done, ["apply init"]);
    await apply([job("init", "2")]);
    assert.deepEqual(cluster.done, ["delete init", "apply init"]);
    assert.ok(said.includes("Job init: replaced with the one in this configuration"));
    cluster.failing.add("init");
    await assert.rejects(apply([job("init", "2")]));
    assert.deepEqual(cluster.done, ["delete init", "apply init"]);
  });

  it("waits for no Job that runs in the background, and ends none that still runs", async () => {
    const background = { ...job("backup", "1") };
    background.metadata = { ...background.metadata, annotations: { "pulumi.com/skipAwait": "true" } };
    cluster.slow = 1e6;
    await apply([background]);
    await apply([background]);
    assert.deepEqual(cluster.done, ["apply backup"]);
    await assert.rejects(apply([statefulSet("1")]), /not ready/);
  });

  it("replaces what cannot be changed, but nothing that holds data, and nothing with an invalid object", async () => {
    const volume = (path: string) => object("PersistentVolume", "volume", { spec: { path } });
    cluster.immutable = ({ spec }, wanted) => JSON.stringify(spec) !== JSON.stringify(wanted.spec);
    await apply([volume("/a"), statefulSet("a")]);
    await apply([volume("/a"), statefulSet("b")]);
    assert.deepEqual(cluster.done, ["delete server", "apply volume server"]);
    await assert.rejects(apply([volume("/b"), statefulSet("b")]), /volume is invalid/);
    cluster.refused.add("server");
    await assert.rejects(apply([volume("/a"), statefulSet("c")]), /server is invalid/);
    assert.deepEqual(cluster.done, []);
  });

  it("deletes what is no longer in it, of any kind, but no data, and nothing that somebody else made", async () => {
    const others = [
      object("Secret", "by-hand"),
      object("Endpoints", "by-a-controller"),
      object("Pod", "owned"),
    ];
    for (const [index, other] of others.entries())
      cluster.live.set(objectId(other), {
        ...other,
        metadata: {
          ...other.metadata,
          managedFields: [{ manager: index === 2 ? "transcript-pipeline" : "k3s" }],
          ...(index === 2 && { ownerReferences: [{}] }),
        },
      });
    const data = [
      object("PersistentVolume", "volume"),
      object("PersistentVolumeClaim", "claim", { spec: { volumeName: "volume" } }),
      object("Namespace", "here"),
    ];
    await apply([...data, object("Gadget", "unheard-of"), job("upgrade", "1"), object("Service", "stays")]);
    await apply([object("Service", "stays")]);
    const left = [...cluster.live.values()].map(({ metadata: { name } }) => name);
    assert.deepEqual(left, ["by-hand", "by-a-controller", "owned", "volume", "claim", "here", "stays"]);
  });

  it("keeps a Secret that is made by another object from now on", async () => {
    await apply([object("Secret", "login"), object("Secret", "other")]);
    await apply([object("ExternalSecret", "login")]);
    const left = [...cluster.live.values()].map(({ kind, metadata: { name } }) => `${kind} ${name}`);
    assert.deepEqual(left, ["Secret login", "ExternalSecret login"]);
  });

  it("lets a claim keep its first request", async () => {
    const claim = (storage: string) =>
      object("PersistentVolumeClaim", "claim", {
        spec: { volumeName: "volume", resources: { requests: { storage } } },
      });
    await apply([claim("1Gi")]);
    await apply([claim("2Gi")]);
    assert.deepEqual(cluster.live.get("/PersistentVolumeClaim/here/claim")?.spec, claim("1Gi").spec);
  });

  it("waits for what is not ready, says why once, and not forever", async () => {
    cluster.slow = 5;
    await apply([statefulSet("a")]);
    assert.deepEqual(
      said.filter((line) => line.startsWith("waiting")),
      ["waiting for StatefulSet server: server-0 not ready"],
    );
    cluster.slow = Infinity;
    await assert.rejects(
      apply([statefulSet("b")]),
      /StatefulSet server: not ready after .*: server-0 not ready/,
    );
  });
});
