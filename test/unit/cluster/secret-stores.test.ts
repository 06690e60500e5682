import assert from "node:assert/strict";
import { KubectlError } from "../../../cluster/kubectl.ts";
import {
  type EventObject,
  type ExternalSecretObject,
  heldSecrets,
  isPending,
  leftSecrets,
  lookAtStore,
  millisecondsOf,
  notSynced,
  type StoreState,
} from "../../../cluster/secret-stores.ts";

const NOW = Date.parse("2026-11-30T12:00:00Z");
const OWN = { "app.kubernetes.io/part-of": "transcript-pipeline", "app.kubernetes.io/managed-by": "pulumi" };

function external(name: string, status?: ExternalSecretObject["status"]): ExternalSecretObject {
  return {
    metadata: { name, labels: OWN, creationTimestamp: "2026-11-30T11:00:00Z" },
    spec: { refreshInterval: "1m0s" },
    ...(status && { status }),
  };
}
const synced = (refreshTime = "2026-11-30T11:59:30Z"): ExternalSecretObject["status"] => ({
  conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2026-11-29T00:00:00Z" }],
  refreshTime,
});
const failed: ExternalSecretObject["status"] = {
  conditions: [
    {
      type: "Ready",
      status: "False",
      reason: "SecretSyncedError",
      message: "could not get secret data from provider",
      lastTransitionTime: "2026-11-30T11:30:00Z",
    },
  ],
};
const event = (name: string, message: string, lastTimestamp: string): EventObject => ({
  type: "Warning",
  involvedObject: { kind: "ExternalSecret", name },
  message,
  lastTimestamp,
});

const there = (...names: string[]): StoreState["secrets"] =>
  Object.fromEntries(names.map((name) => [name, { isStored: true }]));
const said = (objects: ExternalSecretObject[], secrets: string[] = [], events: EventObject[] = []) =>
  notSynced({ objects, secrets: there(...secrets), events }, NOW);

describe("what is said of a store's objects", () => {
  it("is nothing while they are synced", () => {
    assert.deepEqual(said([external("postgres-secret", synced())]), []);
  });

  it("is which one is not synced, since when, and the operator's own last words", () => {
    const [line, ...more] = said(
      [external("postgres-secret", failed)],
      ["postgres-secret"],
      [
        event("postgres-secret", "an older reason", "2026-11-30T11:31:00Z"),
        event("postgres-secret", "Code: 403.\n permission denied", "2026-11-30T11:59:00Z"),
        event("postgres-logins", "of another one", "2026-11-30T11:59:30Z"),
      ],
    );
    assert.deepEqual(more, []);
    assert.match(
      line ?? "",
      /^ExternalSecret postgres-secret is not synced since 2026-11-30T11:30:00Z: could not get secret data from provider: Code: 403\. permission denied\. The Secret stays as it is/,
    );
  });

  it("is, where there is no Secret yet, that pods wait for it", () => {
    assert.match(
      said([external("postgres-secret", failed)]).join(),
      /no Secret yet, and the pods that need it wait/,
    );
  });

  it("is that nobody looks at them where no operator runs", () => {
    const pending = external("postgres-secret");
    assert.ok(isPending(pending));
    assert.match(
      said([pending]).join(),
      /since 2026-11-30T11:00:00Z: the External Secrets Operator has not looked at it yet/,
    );
  });

  it("is that the operator has stopped reading the store, which leaves the last state in place", () => {
    const line = said(
      [external("postgres-secret", synced("2026-11-30T11:50:00Z"))],
      ["postgres-secret"],
    ).join();
    assert.match(
      line,
      /since 2026-11-30T11:50:00Z: the operator reads the store every 1m0s and has not done so/,
    );
    assert.deepEqual(said([external("postgres-secret", synced("2026-11-30T11:57:00Z"))]), []);
  });

  describe("once the operator has found the store itself unusable", () => {
    const object = (kind: string): ExternalSecretObject => ({
      ...external("postgres-secret", failed),
      spec: { refreshInterval: "1m0s", secretStoreRef: { kind, name: "vault" } },
    });
    const consequence = event(
      "postgres-secret",
      'error processing spec.data[0] (key: a), err: SecretStore "vault" is not ready',
      "2026-11-30T11:59:00Z",
    );
    const ofStore = (kind: string, message: string, lastTimestamp: string): EventObject => ({
      ...event("vault", message, lastTimestamp),
      involvedObject: { kind, name: "vault" },
    });

    it("is the reason that it gave before, not the consequence", () => {
      const before = event("postgres-secret", "connection refused", "2026-11-30T11:29:58Z");
      assert.match(said([object("SecretStore")], [], [before, consequence]).join(), /connection refused\./);
    });

    it("is not the reason of an earlier trouble", () => {
      const before = event("postgres-secret", "permission denied", "2026-11-30T11:10:00Z");
      assert.doesNotMatch(said([object("SecretStore")], [], [before, consequence]).join(), /permission/);
    });

    it("is what it said of the store, where that is in the namespace", () => {
      const own = ofStore("SecretStore", "certificate has expired", "2026-11-30T11:40:00Z");
      const other = ofStore("ClusterSecretStore", "of another one", "2026-11-30T11:41:00Z");
      assert.match(
        said([object("SecretStore")], [], [own, other, consequence]).join(),
        /certificate has expired\./,
      );
    });

    it("is otherwise how to see what it said of the store", () => {
      assert.match(
        said([object("ClusterSecretStore")], [], [consequence]).join(),
        /is not ready: kubectl describe clustersecretstore vault\./,
      );
    });
  });

  it("cuts words of others that are long", () => {
    assert.ok(said([external("a", failed)], [], [event("a", "x".repeat(5000), "")]).join().length < 1000);
  });

  it("knows a duration as Go writes it", () => {
    assert.equal(millisecondsOf("1h0m30s"), 3_630_000);
    assert.equal(millisecondsOf("10s"), 10_000);
    assert.equal(millisecondsOf("soon"), undefined);
  });
});

describe("Secrets and the store's objects", () => {
  const store: StoreState = {
    versions: ["v1"],
    objects: [external("postgres-secret", synced()), external("postgres-login-going", synced())],
    secrets: {
      "postgres-login-going": { isStored: true },
      "postgres-secret": { isStored: true },
      "postgres-superuser": { isStored: false },
      "postgres-ca": { isStored: false },
      "postgres-login-gone": { isStored: true },
    },
    events: [],
  };
  const wanted = ["postgres-secret", "postgres-superuser"];

  it("one that no object makes yet is what the engine must let go of, if the stack wants it", () => {
    assert.deepEqual(heldSecrets(store, wanted), ["postgres-superuser"]);
  });

  it("one of the store that the stack does not want any more is left over, and no other one", () => {
    assert.deepEqual(leftSecrets(store, wanted), ["postgres-login-going", "postgres-login-gone"]);
  });
});

describe("a look at the store", () => {
  const GROUPS = { groups: [{ name: "external-secrets.io", versions: [{ version: "v1" }] }] };
  const answers =
    (of: Record<string, unknown>, asked: string[] = []) =>
    <T>(path: string): Promise<T | undefined> => {
      asked.push(path);
      const found = Object.entries(of).find(([part]) => path.endsWith(part))?.[1];
      return found instanceof Error ? Promise.reject(found) : Promise.resolve(found as T | undefined);
    };

  it("asks nothing more of a cluster that does not have the kind", async () => {
    const asked: string[] = [];
    const state = await lookAtStore(answers({ "/apis": { groups: [] } }, asked), "db", true);
    assert.deepEqual([state.versions, asked], [[], ["/apis"]]);
    const old = { groups: [{ name: "external-secrets.io", versions: [{ version: "v1beta1" }] }] };
    assert.deepEqual((await lookAtStore(answers({ "/apis": old }), "db", true)).versions, ["v1beta1"]);
  });

  it("sees only the stack's own objects", async () => {
    const foreign = { metadata: { name: "other", labels: {} } };
    const state = await lookAtStore(
      answers({
        "/apis": GROUPS,
        "/externalsecrets": { items: [external("postgres-secret"), foreign] },
        "/secrets": {
          items: [
            {
              metadata: {
                name: "postgres-secret",
                labels: { ...OWN, "reconcile.external-secrets.io/managed": "true" },
              },
            },
            { metadata: { name: "postgres-superuser", labels: OWN } },
            foreign,
          ],
        },
      }),
      "db",
      true,
    );
    assert.deepEqual(
      state.objects.map(({ metadata }) => metadata.name),
      ["postgres-secret"],
    );
    assert.deepEqual(state.secrets, {
      "postgres-secret": { isStored: true },
      "postgres-superuser": { isStored: false },
    });
  });

  it("of a stack without a store never fails for want of rights, and asks for no Secrets", async () => {
    const asked: string[] = [];
    const refusal = new KubectlError("Error from server (Forbidden): no", true);
    const state = await lookAtStore(
      answers({ "/apis": GROUPS, "/externalsecrets": refusal }, asked),
      "db",
      false,
    );
    assert.deepEqual([state.objects, asked.some((path) => path.endsWith("/secrets"))], [[], false]);
    await assert.rejects(
      lookAtStore(answers({ "/apis": GROUPS, "/externalsecrets": refusal }), "db", true),
      /Forbidden/,
    );
  });
});
