/**
 * What the program expects of External Secrets, with objects written by hand in the form in which it writes them: the real
 * controller, OpenBao as a Vault, and moto as AWS Secrets Manager.
 */
import assert from "node:assert/strict";
import { execute, kubectl, until } from "../support.ts";
import { eventsOf, readyOf, untilReadyIs } from "./controller.ts";
import { apply, read, type Secret, valuesOf, withKubeconfig } from "./objects.ts";
import { rig } from "./rig.ts";
import type { Store } from "./store.ts";

const NAMESPACE = "by-hand";
const PATH = "transcript-pipeline/by-hand";
/** Seconds. */
const REFRESH = 5;
/** What the controller and the API need besides, on a busy machine. Milliseconds. */
const PATIENCE = 30_000;

/** The controller's templates, escapes and quotes mean nothing in a value. */
const AWKWARD = `{{ .other }} "'\\$(x)\n two  }} é`;

/** An ExternalSecret as the program writes it. */
function externalSecret(name: string, store: { name: string; kind: string }, leaves: readonly string[]) {
  const variable = (leaf: string) => leaf.replaceAll("-", "_");
  const [first = ""] = leaves;
  return {
    apiVersion: "external-secrets.io/v1",
    kind: "ExternalSecret",
    metadata: { name, namespace: NAMESPACE, labels: { app: "postgres" } },
    spec: {
      refreshInterval: `${REFRESH}s`,
      secretStoreRef: store,
      target: {
        name,
        creationPolicy: "Orphan",
        deletionPolicy: "Retain",
        template: {
          engineVersion: "v2",
          type: "Opaque",
          metadata: { labels: { app: "postgres" } },
          data: {
            PASSWORD: `{{ .${variable(first)} }}`,
            credentials: `# {{ "{" }}{{ "{" }} literal }}\n${leaves.map((leaf) => `${leaf} {{ .${variable(leaf)} }}\n`).join("")}`,
          },
        },
      },
      data: leaves.map((leaf) => ({
        secretKey: variable(leaf),
        remoteRef: { key: `${PATH}/${leaf}`, property: "value" },
      })),
    },
  };
}

const secret = (name: string) => read<Secret>(NAMESPACE, `secret ${name}`);
const values = async (name: string) => valuesOf(await secret(name));
const untilPasswordIs = (name: string, password: string, seconds: number) =>
  until(
    `the Secret ${name} has the new value`,
    async () => (await values(name)).PASSWORD === password,
    seconds * 1000,
    250,
  );

describe("External Secrets", function () {
  this.timeout(300_000);
  const started = rig();

  before(() => apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } }));
  after(() => kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found"));

  const kinds: [string, () => Store][] = [
    ["OpenBao, as Vault", () => started().bao],
    ["moto, as AWS Secrets Manager", () => started().aws],
  ];
  for (const [title, theStore] of kinds)
    describe(title, () => {
      const reference = () => ({ name: theStore().clusterStore, kind: "ClusterSecretStore" });
      const name = () => `of-${theStore().clusterStore}`;

      it("makes a Secret with texts that are composed of its values", async () => {
        await theStore().put(`${PATH}/owner`, AWKWARD);
        await theStore().put(`${PATH}/login-scribe`, "second");
        await apply(externalSecret(name(), reference(), ["owner", "login-scribe"]));
        await untilReadyIs("True", NAMESPACE, name());
        const made = await secret(name());
        assert.equal(made.type, "Opaque");
        assert.equal(made.metadata.labels?.app, "postgres");
        assert.equal(made.metadata.ownerReferences, undefined);
        assert.deepEqual(valuesOf(made), {
          PASSWORD: AWKWARD,
          credentials: `# {{ literal }}\nowner ${AWKWARD}\nlogin-scribe second\n`,
        });
      });

      it("brings a changed value within its interval, in the same Secret", async () => {
        const before = await secret(name());
        await theStore().put(`${PATH}/owner`, "changed");
        await untilPasswordIs(name(), "changed", REFRESH + PATIENCE / 1000);
        const after = await secret(name());
        assert.equal(after.metadata.uid, before.metadata.uid);
        assert.equal(valuesOf(after).credentials, "# {{ literal }}\nowner changed\nlogin-scribe second\n");
      });

      it("takes over a Secret that exists, without removing it", async () => {
        const taken = `${name()}-taken`;
        await apply({
          apiVersion: "v1",
          kind: "Secret",
          metadata: { name: taken, namespace: NAMESPACE, labels: { app: "postgres" } },
          stringData: { PASSWORD: "from before", credentials: "from before" },
        });
        const before = await secret(taken);
        await apply(externalSecret(taken, reference(), ["login-scribe"]));
        await untilPasswordIs(taken, "second", PATIENCE / 1000);
        const after = await secret(taken);
        assert.equal(after.metadata.uid, before.metadata.uid);
        assert.equal(after.metadata.ownerReferences, undefined);
      });

      it("leaves the Secret in force while a value is missing, and names it", async () => {
        const before = await values(name());
        await theStore().forget(`${PATH}/login-scribe`);
        await untilReadyIs("False", NAMESPACE, name());
        assert.match((await readyOf(NAMESPACE, name()))?.message ?? "", /could not get secret data/);
        await until("an event names it", async () =>
          (await eventsOf(NAMESPACE, name())).includes(`(key: ${PATH}/login-scribe)`),
        );
        assert.deepEqual(await values(name()), before);
        await theStore().put(`${PATH}/login-scribe`, "second");
        await untilReadyIs("True", NAMESPACE, name(), 120_000);
      });

      it("leaves the Secret in force while the store is out of reach, says so, and goes on afterwards", async () => {
        const before = await values(name());
        await theStore().leave();
        try {
          await untilReadyIs("False", NAMESPACE, name(), 120_000);
          await until("an event has the controller's own words", async () =>
            /UpdateFailed: .*(connection refused|no such host|timeout|RequestError)/.test(
              await eventsOf(NAMESPACE, name()),
            ),
          );
          assert.deepEqual(await values(name()), before);
        } finally {
          await theStore().come();
        }
        await theStore().put(`${PATH}/owner`, "afterwards");
        await untilPasswordIs(name(), "afterwards", 180);
        await untilReadyIs("True", NAMESPACE, name());
      });

      it("goes on after the controller's end", async () => {
        await started().controller.restart();
        await theStore().put(`${PATH}/owner`, "restarted");
        await untilPasswordIs(name(), "restarted", REFRESH + PATIENCE / 1000);
      });

      it("leaves the Secret when its ExternalSecret is removed", async () => {
        const before = await secret(name());
        await kubectl("delete", "externalsecret", name(), "-n", NAMESPACE);
        // As long as a garbage collector would need.
        await new Promise((resolve) => setTimeout(resolve, 10_000));
        const after = await secret(name());
        assert.deepEqual([after.metadata.uid, after.data], [before.metadata.uid, before.data]);
      });
    });

  it("reads a namespace's own SecretStore by an account of that namespace, once the store admits it", async () => {
    const { bao } = started();
    await bao.admit(NAMESPACE);
    await apply({
      apiVersion: "external-secrets.io/v1",
      kind: "SecretStore",
      metadata: { name: "own", namespace: NAMESPACE },
      spec: bao.storeSpec(),
    });
    await bao.put(`${PATH}/owner`, "by its own");
    await apply(externalSecret("own", { name: "own", kind: "SecretStore" }, ["owner"]));
    await untilPasswordIs("own", "by its own", PATIENCE / 1000);
  });

  it("reads nothing of another path: the store refuses it", async () => {
    const { bao } = started();
    await bao.put("another/owner", "not for us");
    const { spec, ...rest } = externalSecret("another", { name: "vault", kind: "ClusterSecretStore" }, [
      "owner",
    ]);
    const data = [{ secretKey: "owner", remoteRef: { key: "another/owner", property: "value" } }];
    await apply({ ...rest, spec: { ...spec, data } });
    await untilReadyIs("False", NAMESPACE, "another");
    await until("an event says why", async () =>
      /permission denied/.test(await eventsOf(NAMESPACE, "another")),
    );
    await assert.rejects(secret("another"), /not found/);
  });

  it("has no more rights than it uses, and needs no others", async () => {
    assert.doesNotMatch(await started().controller.log(), /forbidden/i);
    for (const right of ["delete secrets", "get pods", "create pods", "list nodes", "get configmaps"]) {
      const asked = ["auth", "can-i", ...right.split(" "), "-A", "--as"];
      const account = "system:serviceaccount:external-secrets:external-secrets";
      const { stdout } = await execute("kubectl", [...withKubeconfig(), ...asked, account]);
      assert.equal(stdout.trim(), "no", right);
    }
  });

  describe("with Azure Key Vault, of which there is only the definition", () => {
    const azure = (provider: object) => ({
      apiVersion: "external-secrets.io/v1",
      kind: "ClusterSecretStore",
      metadata: { name: "azure" },
      spec: { provider: { azurekv: provider } },
    });
    const accepted = async (object: object) => {
      const command = [...withKubeconfig(), "create", "--dry-run=server", "--validate=strict", "-f", "-"];
      return execute("kubectl", command, { input: JSON.stringify(object) });
    };
    const store = {
      vaultUrl: "https://example.vault.azure.net",
      authType: "WorkloadIdentity",
      serviceAccountRef: { name: "secret-reader", namespace: "secret-stores" },
    };

    it("accepts a store, and refuses one with a field that is none", async () => {
      const good = await accepted(azure(store));
      assert.equal(good.status, 0, good.output);
      const bad = await accepted(azure({ ...store, authType: "Password" }));
      assert.match(bad.output, /Unsupported value: "Password"/);
    });

    it("accepts an ExternalSecret with names that have no slash", async () => {
      const written = externalSecret("azure", { name: "azure", kind: "ClusterSecretStore" }, ["owner"]);
      const data = written.spec.data.map(({ secretKey }) => ({
        secretKey,
        remoteRef: { key: "transcript-pipeline-by-hand-owner", property: "value" },
      }));
      const good = await accepted({ ...written, spec: { ...written.spec, data } });
      assert.equal(good.status, 0, good.output);
      const bad = await accepted({ ...written, spec: { ...written.spec, datum: data } });
      assert.match(bad.output, /unknown field "spec\.datum"/);
    });
  });
});
