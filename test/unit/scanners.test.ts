import assert from "node:assert/strict";
import type { Manifest } from "../../tools/evaluation/manifests.ts";
import { type DeployedPod, manifests, podsOf } from "./deployed-pods.ts";

type Labels = Record<string, string>;

const matches = (labels: Labels, selector: Labels) =>
  Object.entries(selector).every(([name, value]) => labels[name] === value);

/** kube-score's `statefulset-has-servicename`: a headless Service of that name, which selects the pods. */
function hasItsService(all: readonly Manifest[], name: string, labels: Labels): boolean {
  const set = all.find(({ kind, metadata }) => kind === "StatefulSet" && metadata.name === name);
  const { serviceName } = set?.spec as { serviceName: string };
  return all.some(({ kind, metadata, spec }) => {
    const { clusterIP, selector } = (spec ?? {}) as { clusterIP?: string; selector?: Labels };
    return (
      kind === "Service" &&
      metadata.name === serviceName &&
      clusterIP === "None" &&
      selector !== undefined &&
      matches(labels, selector)
    );
  });
}

/** kube-score's `networkpolicy-targets-pod`: policies that select no pod of these. */
function withoutPods(all: readonly Manifest[], pods: readonly DeployedPod[]): string[] {
  return all.flatMap(({ kind, metadata, spec }) => {
    if (kind !== "NetworkPolicy") return [];
    const { podSelector } = spec as { podSelector: { matchLabels?: Labels } };
    return pods.some(({ labels }) => matches(labels, podSelector.matchLabels ?? {})) ? [] : [metadata.name];
  });
}

// docs/scanners.md. The probes are in components/kubernetes/probes.test.ts.
describe("what kube-score and checkov ask, and is not waived", function () {
  this.timeout(60_000);
  for (const stack of ["dev", "prod"])
    describe(`in ${stack}`, () => {
      let all: Manifest[];
      let pods: DeployedPod[];
      before(async () => {
        all = await manifests(stack);
        pods = podsOf(all);
      });

      it("each StatefulSet has the headless Service that it names, for its pods", () => {
        const sets = pods.filter(({ kind }) => kind === "StatefulSet");
        assert.equal(sets.length, stack === "dev" ? 4 : 1);
        for (const { name, labels } of sets) assert.ok(hasItsService(all, name, labels), name);
      });

      it("each network policy selects a pod of the stack, as far as its manifests tell", () => {
        assert.ok(all.some(({ kind }) => kind === "NetworkPolicy"));
        assert.deepEqual(withoutPods(all, pods), []);
      });

      it("these checks see what is missing", () => {
        const others = pods.map((pod) => ({ ...pod, labels: {} }));
        assert.deepEqual(
          withoutPods(all, others).filter((name) => name !== "postgres-network-default-deny").length,
          all.filter(({ kind }) => kind === "NetworkPolicy").length - 1,
        );
        assert.ok(!hasItsService(all, "postgres", {}));
      });
    });
});
