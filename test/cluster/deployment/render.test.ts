import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../../../tools/cli.ts";
import { unwrapped } from "../../../tools/evaluation/recorder.ts";
import { manifestsOf, objectId } from "../../../tools/evaluation/manifests.ts";
import { renderStack } from "../../../tools/evaluation/rendering.ts";
import { execute, needsEngine, npm, pulumi, scratchStack, shell, state, succeed, up } from "../support.ts";

describe("render", function () {
  this.timeout(180_000);
  let directory: string;

  before(async function () {
    this.timeout(300_000);
    await up();
    directory = mkdtempSync(join(tmpdir(), "render-"));
  });
  after(() => {
    if (directory) rmSync(directory, { recursive: true, force: true });
  });

  it("of dev is accepted by kubectl apply -k, and changes nothing that is deployed", async () => {
    const out = join(directory, "dev");
    assert.equal(
      (await npm("render", "--stack", "dev", "--config-file", state().configFile, "--out", out)).status,
      0,
    );
    const before = await shell(
      "kubectl get sts,pod,pv,pvc,job -n transcript-pipeline -o jsonpath='{.items[*].metadata.generation} {.items[*].metadata.uid}'",
    );
    const ran = await shell(`kubectl apply -k ${out}`);
    assert.equal(ran.status, 0, ran.output);
    const after = await shell(
      "kubectl get sts,pod,pv,pvc,job -n transcript-pipeline -o jsonpath='{.items[*].metadata.generation} {.items[*].metadata.uid}'",
    );
    assert.equal(after.stdout, before.stdout);
  });

  it("of prod passes the API server's own checks", async () => {
    const out = join(directory, "prod");
    assert.equal((await npm("render", "--stack", "prod", "--out", out)).status, 0);
    // The volume that dev has deployed cannot become prod's, which is as it should be: it is checked under another name.
    const ran = await shell(
      `kubectl kustomize ${out} | sed 's/name: postgres-pv$/name: postgres-pv-dry-run/; s/volumeName: postgres-pv$/volumeName: postgres-pv-dry-run/; s/namespace: transcript-pipeline$/namespace: dry-run/; s/^  name: transcript-pipeline$/  name: dry-run/' > ${out}/all.yaml
       kubectl create namespace dry-run
       kubectl apply --server-side --dry-run=server -f ${out}/all.yaml; status=$?
       kubectl delete namespace dry-run --wait=false; exit $status`,
    );
    assert.equal(ran.status, 0, ran.output);
    assert.match(ran.stdout, /statefulset\.apps\/postgres serverside-applied \(server dry run\)/);
    assert.match(ran.stdout, /job\.batch\/postgres-init serverside-applied \(server dry run\)/);
    assert.doesNotMatch(ran.output, /Warning: would violate/);
  });

  it("holds no secret", async () => {
    const texts = await succeed("bash", ["-c", `cat ${directory}/prod/*.yaml`]);
    assert.doesNotMatch(texts.stdout, /kind: Secret$/m);
  });

  describe("and the engine", () => {
    needsEngine();

    it("agree on prod, object by object", async () => {
      const stack = await scratchStack("prod", readFileSync(projectFile("Pulumi.prod.yaml"), "utf8"));
      const ran = await execute(stack.engine, ["preview", "--json", ...stack.flags], { env: stack.env });
      assert.equal(ran.status, 0, ran.output);
      const { steps } = JSON.parse(ran.stdout) as {
        steps: { newState?: { type: string; urn: string; inputs?: Record<string, unknown> } }[];
      };
      const registered = steps.flatMap(({ newState }) =>
        newState?.type.startsWith("kubernetes:")
          ? [
              {
                type: newState.type,
                inputs: comparable(newState.inputs) as Record<string, unknown>,
              },
            ]
          : [],
      );
      const { files: rendered, generated } = await renderStack("prod", projectFile("Pulumi.prod.yaml"));
      const byEngine = manifestsOf(registered);
      assert.deepEqual(
        byEngine.map(({ file }) => file),
        rendered.map(({ file }) => file),
      );
      for (const [index, { file, manifest }] of rendered.entries()) {
        if (manifest.kind === "Secret") {
          // Their values are secrets, or not known before they are created.
          assert.equal(byEngine[index]?.manifest.metadata.name, manifest.metadata.name);
          continue;
        }
        // What is public of a Secret is not known before it either; the next test compares it.
        const isMadeUp = generated.parts.has(objectId(manifest));
        const values = (of: unknown) => (isMadeUp ? { ...(of as object), data: undefined } : of);
        assert.deepEqual(
          values(comparable(byEngine[index]?.manifest)),
          values(comparable(unwrapped(manifest))),
          file,
        );
      }
    });

    it("agree after kubectl has applied the rendering: the next preview has nothing to change", async () => {
      const ran = await pulumi(["preview", "--expect-no-changes"]);
      assert.equal(ran.status, 0, ran.output);
    });
  });
});

/** Without the provider's own marks, which the engine has in addition to the inputs. */
function comparable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, entry]) => !name.startsWith("__") && entry !== undefined)
      .map(([name, entry]) => [name, comparable(entry)]),
  );
}
