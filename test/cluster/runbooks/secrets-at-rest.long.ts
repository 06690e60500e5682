import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { start, stop } from "../../../tools/local-cluster/cluster.ts";
import { clusterPaths } from "../../../tools/local-cluster/paths.ts";
import { canary, formsIn } from "../canary.ts";
import { datastoreFiles, encryptionFlags, encryptionKey, type Provider } from "../encryption-at-rest.ts";
import { CLUSTER, execute, kubectl, theCluster, until } from "../support.ts";
import { follow, get, onProd, password, untilLogsIn } from "./prod.ts";

describe("docs/secrets-at-rest.md", function () {
  this.timeout(45 * 60_000);
  onProd();
  // The suite's own state folder is set when the cluster is started.
  const stateFolder = () => clusterPaths(CLUSTER).state;
  const datastore = () => join(stateFolder(), "kine/db/state.db");
  const before_ = canary();
  let folder: string;
  let first: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "secrets-at-rest-"));
    // The page's commands are those of a person who is not root.
    writeFileSync(join(folder, "sudo"), '#!/bin/sh\nexec "$@"\n');
    chmodSync(join(folder, "sudo"), 0o755);
  });

  after(async () => {
    if (folder === undefined) return;
    // Back to plain text: the other suites' API server has no key.
    await start({ name: CLUSTER, apiServerFlags: encryption("identity", "secretbox") });
    for (const value of ["back=now", "back-"])
      await kubectl("annotate", "secrets", "--all", "--all-namespaces", "--overwrite", value);
    await start({ name: CLUSTER, apiServerFlags: [] });
    await kubectl("delete", "secrets", "before", "after", "-n", "default", "--ignore-not-found");
    rmSync(folder, { recursive: true, force: true });
  });

  const key = encryptionKey();
  const encryption = (...names: Provider[]) => encryptionFlags(stateFolder(), key, names);

  const variables = () => ({
    DATASTORE: datastore(),
    PATH: [folder, process.env.PATH].join(delimiter),
    KUBECONFIG: theCluster().kubeconfig,
  });

  /** Where a value is found: `-wal: base64`. */
  const foundIn = (value: string): string[] =>
    datastoreFiles(datastore()).flatMap(({ suffix, bytes }) =>
      formsIn(bytes, value).map((form) => `${suffix || "file"}: ${form}`),
    );

  const make = (name: string, value: string) =>
    kubectl("create", "secret", "generic", name, `--from-literal=v=${value}`);
  /** The last line that a runbook printed: a shell of this machine may complain before. */
  const lastLine = (output: string) => output.trim().split("\n").at(-1);
  const look = async () => {
    const counted = lastLine(await follow("secrets-at-rest-look", variables())) ?? "";
    assert.match(counted, /^\d+$/);
    return Number(counted);
  };
  const check = async () => lastLine(await follow("secrets-at-rest-check", variables()));

  it("finds a Secret in the datastore that is not encrypted: the control", async () => {
    await make("before", before_);
    assert.notDeepEqual(foundIn(before_), []);
    first = await password();
    assert.notDeepEqual(foundIn(first), []);
    assert.ok((await look()) > 0);
    assert.equal(await check(), "found");
  });

  it("finds none that is written after the switch, and still the older ones", async () => {
    await start({ name: CLUSTER, apiServerFlags: encryption("secretbox", "identity") });
    const after_ = canary();
    await make("after", after_);
    assert.deepEqual(foundIn(after_), []);
    assert.notDeepEqual(foundIn(before_), []);
    // It is readable all the same.
    const shown = await kubectl("get", "secret", "after", "-o", "jsonpath={.data.v}");
    assert.equal(Buffer.from(shown, "base64").toString(), after_);
  });

  it("rewrites what is there, and waits until the older versions are gone", async () => {
    await follow("secrets-at-rest-rewrite", variables());
    assert.ok((await look()) > 0, "older versions are still there");
    assert.notDeepEqual(foundIn(before_), []);
    // The changes that a cluster makes in an hour or two.
    await kubectl("create", "namespace", "changes");
    const items = Array.from({ length: 1100 }, (_, index) => ({
      ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: `change-${index}`, namespace: "changes" } },
    }));
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items });
    const created = await execute("kubectl", ["create", "-f", "-"], { env: variables(), input: list });
    assert.equal(created.status, 0, created.stderr);
    await kubectl("delete", "namespace", "changes", "--wait=false");
    await until("no row is plain text", async () => (await look()) === 0, 20 * 60_000, 10_000);
  });

  it("leaves nothing in the file, its -wal and its -shm, also of a Secret from before", async () => {
    await stop({ name: CLUSTER });
    await follow("secrets-at-rest-vacuum", variables());
    await start({ name: CLUSTER, gpu: 1 });
    for (const value of [before_, first]) assert.deepEqual(foundIn(value), []);
    assert.equal(await check(), "not found");
    const shown = await kubectl("get", "secret", "before", "-o", "jsonpath={.data.v}");
    assert.equal(Buffer.from(shown, "base64").toString(), before_);
  });

  it("changes the passwords, whose new ones are nowhere in it either", async () => {
    await until("the server is ready", async () =>
      /True/.test(await get("pod postgres-0", "jsonpath={.status.conditions[?(@.type=='Ready')].status}")),
    );
    await follow("secrets-at-rest-rotate");
    const anew = await password();
    assert.notEqual(anew, first);
    await untilLogsIn("transcript_user", anew);
    for (const value of [anew, first, before_]) assert.deepEqual(foundIn(value), []);
  });
});
