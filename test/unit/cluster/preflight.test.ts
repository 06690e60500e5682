import assert from "node:assert/strict";
import { type ClusterState, type Expectations, hasVolume } from "../../../cluster/cluster-state.ts";
import { repositoryDirectory } from "../../../components/backup/directory.ts";
import { preflight } from "../../../cluster/preflight.ts";
import { claimedSize, strangeness, type VolumeObject } from "../../../cluster/volume-binding.ts";

const expected = {
  hostname: "gen8",
  gpuResource: "nvidia.com/gpu",
  identity: "transcript-pipeline/prod",
  namespace: "transcript-pipeline",
  path: "/mnt/raid/pgdata",
  image: "pgvector/pgvector:0.8.6-pg16-bookworm",
  names: { database: "transcripts_db", owner: "transcript_user" },
};

function volume(change: Partial<VolumeObject["spec"]> = {}): VolumeObject {
  return {
    metadata: { uid: "1", annotations: { "transcript-pipeline/identity": expected.identity } },
    spec: {
      hostPath: { path: expected.path },
      claimRef: { namespace: expected.namespace, name: "postgres-pvc", uid: "dead" },
      ...change,
    },
    status: { phase: "Released" },
  };
}

function state(change: Partial<ClusterState> = {}): ClusterState {
  return {
    nodes: [
      {
        metadata: { name: "gen8", labels: { "kubernetes.io/hostname": "gen8" } },
        status: { allocatable: { "nvidia.com/gpu": "1" } },
      },
      { metadata: { name: "pi", labels: { "kubernetes.io/hostname": "pi" } }, status: { allocatable: {} } },
    ],
    statefulSet: { metadata: { annotations: { "transcript-pipeline/identity": expected.identity } } },
    volume: volume(),
    pods: [],
    jobs: [],
    ...change,
  };
}

const problemsIn = (of: ClusterState, wanted: Expectations) => preflight(of, wanted).problems;

describe("preflight", () => {
  it("accepts a cluster that has what is needed, empty or deployed to before", () => {
    assert.deepEqual(problemsIn(state(), expected), []);
    assert.deepEqual(problemsIn(state({ statefulSet: undefined, volume: undefined }), expected), []);
  });

  it("names the existing nodes if the configured one is not one of them", () => {
    const [finding, ...more] = problemsIn(state(), { ...expected, hostname: "gen9" });
    assert.deepEqual(more, []);
    assert.equal(finding?.key, "node.hostname");
    assert.match(finding.message, /"gen9".*It has: gen8, pi.*pulumi config set --path node\.hostname/);
  });

  it("stops at a node without the GPU only where one is required", () => {
    const onPi = { ...expected, hostname: "pi" };
    const [finding] = problemsIn(state(), onPi);
    assert.equal(finding?.key, "node.gpuResource");
    assert.match(finding.message, /device plugin.*node\.requireGpu false/);
    assert.deepEqual(problemsIn(state(), { ...onPi, gpuResource: undefined }), []);
  });

  describe("another name of the database or of its owner", () => {
    const annotated = (names: Record<string, string>) => ({
      metadata: { uid: "1", annotations: { "transcript-pipeline/identity": expected.identity, ...names } },
    });
    const named = { "transcript-pipeline/database": "old_db", "transcript-pipeline/owner": "old_user" };
    const initJob = {
      spec: {
        template: {
          spec: {
            initContainers: [
              {
                name: "bootstrap",
                env: [
                  { name: "DATABASE", value: "old_db" },
                  { name: "OWNER", value: "old_user" },
                ],
              },
            ],
          },
        },
      },
    };

    for (const [where, change] of Object.entries({
      "the volume, which outlives a destroyed stack": {
        volume: { ...volume(), ...annotated(named) },
        statefulSet: undefined,
      },
      "the StatefulSet": { statefulSet: annotated(named) },
      "the init Job of a deployment that has no annotations yet": { initJob },
    })) {
      it(`is refused where ${where} says the old one, with the runbook`, () => {
        const found = problemsIn(state(change), expected);
        assert.deepEqual(
          found.map(({ key }) => key),
          ["database.name", "database.owner"],
        );
        assert.match(
          found[0]?.message ?? "",
          /^is "transcripts_db", but the database is called old_db\..*new, empty database.*docs\/renaming\.md.*pulumi config set --path database\.name old_db$/,
        );
        assert.match(
          found[1]?.message ?? "",
          /owner of the database is called old_user.*database\.owner old_user$/,
        );
        const names = { database: "old_db", owner: "old_user" };
        assert.deepEqual(problemsIn(state(change), { ...expected, names }), []);
      });
    }

    it("is allowed where the annotations say the new one already, whatever a Job from before says", () => {
      const renamed = annotated({
        "transcript-pipeline/database": "transcripts_db",
        "transcript-pipeline/owner": "transcript_user",
      });
      assert.deepEqual(problemsIn(state({ statefulSet: renamed, initJob }), expected), []);
    });

    it("says nothing about names in somebody else's objects", () => {
      const theirs = { metadata: { annotations: { "transcript-pipeline/identity": "x/y", ...named } } };
      const keys = problemsIn(state({ statefulSet: theirs }), expected).map(({ key }) => key);
      assert.deepEqual(keys, ["cluster.context"]);
    });
  });

  it("does not touch somebody else's StatefulSet", () => {
    for (const annotations of [undefined, { "transcript-pipeline/identity": "transcript-pipeline/dev" }]) {
      const [finding] = problemsIn(
        state({ statefulSet: { metadata: annotations ? { annotations } : {} } }),
        expected,
      );
      assert.equal(finding?.key, "cluster.context");
      assert.match(
        finding.message,
        /belongs to (somebody else|transcript-pipeline\/dev), not to transcript-pipeline\/prod/,
      );
    }
  });

  it("does not take over another claim's or owner's volume", () => {
    const foreign = volume();
    foreign.metadata.annotations = {};
    for (const other of [volume({ claimRef: { namespace: "default", name: "postgres-pvc" } }), foreign]) {
      const [finding] = problemsIn(state({ volume: other }), expected);
      assert.equal(finding?.key, "storage.path");
      assert.match(finding.message, /kubectl delete pv postgres-pv/);
    }
  });

  describe("for the directory of a repository", () => {
    const use = repositoryDirectory("nas");
    const wanted = { ...expected, directories: [{ path: "/mnt/nas", use }] };
    const its = (change: Partial<VolumeObject["spec"]> = {}) =>
      volume({
        hostPath: { path: "/mnt/nas" },
        claimRef: { namespace: expected.namespace, name: "postgres-backup-nas-pvc" },
        ...change,
      });
    const found = (other?: VolumeObject) =>
      problemsIn(state({ others: { "postgres-backup-nas-pv": other } }), wanted);

    it("accepts none, and this stack's own", () => {
      assert.deepEqual(found(), []);
      assert.deepEqual(found(its()), []);
      assert.ok(hasVolume(state({ others: { "postgres-backup-nas-pv": its() } }), { path: "", use }));
      assert.ok(!hasVolume(state({ others: {} }), { path: "", use }));
    });

    it("does not take over another stack's volume, or one for another claim", () => {
      const theirs = its();
      theirs.metadata.annotations = { "transcript-pipeline/identity": "transcript-pipeline/dev" };
      const [finding, ...more] = found(theirs);
      assert.deepEqual(more, []);
      assert.equal(finding?.key, "backup.repositories.nas.path");
      assert.match(
        finding.message,
        /belongs to transcript-pipeline\/dev.*kubectl delete pv postgres-backup-nas-pv/,
      );
      const claimed = found(its({ claimRef: { namespace: expected.namespace, name: "postgres-pvc" } }));
      assert.match(
        claimed[0]?.message ?? "",
        /reserved for the claim \S+\/postgres-pvc, not \S+\/postgres-backup-nas-pvc/,
      );
    });

    it("points to the page that says how to use another directory or node", () => {
      for (const [change, says] of [
        [{ hostPath: { path: "/mnt/old" } }, /its path is \/mnt\/old, not \/mnt\/nas/],
        [
          {
            nodeAffinity: {
              required: { nodeSelectorTerms: [{ matchExpressions: [{ values: ["pi"] }] }] },
            },
          },
          /it is on node pi, not gen8/,
        ],
      ] as const) {
        const [finding] = found(its(structuredClone(change) as Partial<VolumeObject["spec"]>));
        assert.match(finding?.message ?? "", says);
        assert.match(finding?.message ?? "", /docs\/backup-directories\.md/);
      }
    });
  });

  it("points to the page that says how to change the path or the node of existing data", () => {
    const [path, ...more] = problemsIn(
      state({ volume: volume({ hostPath: { path: "/mnt/old" } }) }),
      expected,
    );
    assert.deepEqual(more, []);
    assert.equal(path?.key, "storage.path");
    assert.match(path.message, /the data is in \/mnt\/old.*docs\/moving\.md.*storage\.path \/mnt\/old/);

    const at = (node: string) =>
      volume({
        nodeAffinity: {
          required: { nodeSelectorTerms: [{ matchExpressions: [{ values: [node] }] }] },
        },
      });
    assert.deepEqual(problemsIn(state({ volume: at("gen8") }), expected), []);
    const [node, ...others] = problemsIn(state({ volume: at("pi") }), expected);
    assert.deepEqual(others, []);
    assert.equal(node?.key, "node.hostname");
    assert.match(node.message, /the data is on node pi.*docs\/moving\.md.*node\.hostname pi/);
  });

  it("keeps what the claim once requested, except for a claim that is being deleted", () => {
    const spec = { resources: { requests: { storage: "2Gi" } } };
    assert.equal(claimedSize(undefined), undefined);
    assert.equal(claimedSize({ metadata: {}, spec }), "2Gi");
    assert.equal(claimedSize({ metadata: { deletionTimestamp: "2026-11-23T00:00:00Z" }, spec }), undefined);
  });

  it("knows its own volume by path and claim", () => {
    assert.equal(strangeness(volume(), expected), undefined);
    assert.match(strangeness(volume({ hostPath: { path: "/x" } }), expected) ?? "", /its path is \/x/);
    assert.match(
      strangeness(volume({ claimRef: { namespace: "a", name: "b" } }), expected) ?? "",
      /reserved for the claim a\/b/,
    );
  });

  it("stops at an image that the existing database would have to follow, until that is confirmed", () => {
    const containers = [{ name: "postgres", image: "pgvector/pgvector:0.8.5-pg16-bookworm" }];
    const running = state({
      statefulSet: {
        metadata: { annotations: { "transcript-pipeline/identity": expected.identity } },
        spec: { template: { spec: { containers } } },
      },
    });
    const [finding, ...more] = problemsIn(running, expected);
    assert.deepEqual(more, []);
    assert.equal(finding?.key, "database.image");
    assert.match(
      finding.message,
      /from 0\.8\.5 to 0\.8\.6.*database\.upgradeTo pgvector\/pgvector:0\.8\.6-pg16-bookworm/,
    );
    assert.deepEqual(problemsIn(running, { ...expected, upgradeTo: expected.image }), []);
    const earlier = "pgvector/pgvector:0.8.4-pg16-bookworm";
    assert.equal(problemsIn(running, { ...expected, upgradeTo: earlier }).length, 1);
  });

  it("must have the Prometheus operator where its objects are wanted", () => {
    const wanted = { ...expected, prometheus: "operator" };
    const [finding] = problemsIn(state({ apiGroups: ["apps"] }), wanted);
    assert.equal(finding?.key, "monitoring.prometheus");
    assert.match(finding.message, /helm upgrade --install.*monitoring\.prometheus bundled/);
    assert.deepEqual(problemsIn(state({ apiGroups: ["apps", "monitoring.coreos.com"] }), wanted), []);
    assert.deepEqual(problemsIn(state({ apiGroups: ["apps"] }), { ...expected, prometheus: "bundled" }), []);
  });

  describe("a secret store", () => {
    const store = (versions: string[]) => ({ versions, objects: [], secrets: {}, events: [] });
    const wanted = { ...expected, secretSource: "external-secrets" };

    it("must have its operator, and the problem names what to install", () => {
      const [finding, ...more] = problemsIn(state({ store: store([]) }), wanted);
      assert.deepEqual(more, []);
      assert.equal(finding?.key, "secretStore.source");
      assert.match(
        finding.message,
        /does not have the External Secrets Operator.*0\.16 or later: helm upgrade --install external-secrets.*secretStore\.source pulumi/,
      );
      assert.deepEqual(problemsIn(state({ store: store(["v1beta1", "v1"]) }), wanted), []);
    });

    it("must have one that is not too old", () => {
      const [finding] = problemsIn(state({ store: store(["v1beta1"]) }), wanted);
      assert.match(finding?.message ?? "", /has only v1beta1 of its API, and v1 is needed/);
    });

    it("is not looked for where the stack keeps the values", () => {
      assert.deepEqual(problemsIn(state({ store: store([]) }), expected), []);
      assert.deepEqual(problemsIn(state({ store: store([]) }), { ...expected, secretSource: "pulumi" }), []);
    });
  });
});
