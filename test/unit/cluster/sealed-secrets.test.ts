import assert from "node:assert/strict";
import { checkSealedSecrets } from "../../../cluster/checks/secret-store.ts";
import { rightsForLooks } from "../../../cluster/rights.ts";
import type { ClusterState, Expectations } from "../../../cluster/cluster-state.ts";
import {
  heldFromSealed,
  isUnread,
  leftFromSealed,
  notOpened,
  type SealedSecretObject,
} from "../../../cluster/sealed-secrets.ts";

const SINCE = "2026-11-30T00:52:40Z";

/** A SealedSecret of which the controller says this. */
const object = (name: string, status?: string, message?: string, observed = 1): SealedSecretObject => ({
  metadata: { name, generation: 1, creationTimestamp: "2026-11-30T00:00:00Z" },
  ...(status !== undefined && {
    status: {
      observedGeneration: observed,
      conditions: [
        {
          type: "Synced",
          status,
          lastTransitionTime: SINCE,
          ...(message !== undefined && { message }),
        },
      ],
    },
  }),
});
const secrets = { there: { isStored: true } };

describe("SealedSecrets in the cluster", () => {
  it("are not spoken of when they are opened", () => {
    assert.deepEqual(notOpened({ objects: [object("there", "True")], secrets }), []);
    assert.equal(isUnread(object("there", "True")), false);
  });

  it("are reported in the controller's words, with since when, what it means, and what to do", () => {
    const foreign = object("there", "False", "no key could decrypt secret (B,\n c.conf)");
    assert.deepEqual(notOpened({ objects: [foreign], secrets }), [
      `SealedSecret there is not opened since ${SINCE}: no key could decrypt secret (B, c.conf). The Secret stays as it is. ` +
        "It is sealed for another name, another namespace or another cluster, or the controller has lost the key: seal it " +
        "again with this cluster's certificate, see docs/sealed-secrets.md",
    ]);
    const unmanaged = object(
      "new",
      "False",
      'failed update: Resource "new" already exists and is not managed',
    );
    assert.match(
      notOpened({ objects: [unmanaged], secrets }).join(),
      /There is no Secret yet, .* Let the controller change the Secret/,
    );
  });

  it("are reported when the controller has not looked, at all or since the last change", () => {
    for (const unread of [object("there"), object("there", "True", undefined, 0)]) {
      assert.equal(isUnread(unread), true);
      assert.match(
        notOpened({ objects: [unread], secrets }).join(),
        /the controller has not looked at it yet/,
      );
    }
  });

  it("take over what is sealed and made by none of them, and leave what is not the stack's any more", () => {
    const state = {
      objects: [object("made")],
      secrets: {
        made: { isStored: true },
        held: { isStored: false },
        "the-stacks": { isStored: false },
        "login-gone": { isStored: true },
        "sealed-before": { isStored: true },
      },
    };
    assert.deepEqual(heldFromSealed(state, ["made", "held"]), ["held"]);
    // One that was sealed before and is the stack's own again is wanted.
    assert.deepEqual(leftFromSealed(state, ["made", "held", "sealed-before"]), ["login-gone"]);
  });

  it("take the right to list them, and in a deployment to hand a Secret over and to delete what is left", () => {
    const rights = (operation: "preview" | "deploy", isSealed: boolean) =>
      rightsForLooks(operation, false, isSealed)
        .namespace.filter(({ resource }) => /secrets$/.test(resource))
        .map(({ verb, resource }) => `${verb} ${resource}`);
    assert.deepEqual(rights("deploy", false), []);
    const looks = ["list sealedsecrets", "get secrets", "list secrets"];
    assert.deepEqual(rights("preview", true), looks);
    assert.deepEqual(rights("deploy", true), [...looks, "patch secrets", "delete secrets"]);
  });

  it("need their controller, before anything is changed", () => {
    const check = (isInstalled: boolean, secretSource: string) =>
      checkSealedSecrets(
        { sealed: { isInstalled, objects: [], secrets: {} } } as unknown as ClusterState,
        { secretSource } as unknown as Expectations,
      );
    assert.deepEqual(check(true, "sealed-secrets"), {});
    assert.deepEqual(check(false, "pulumi"), {});
    const [problem] = check(false, "sealed-secrets").problems ?? [];
    assert.equal(problem?.key, "secretStore.source");
    assert.match(
      problem?.message ?? "",
      /does not have the Sealed Secrets controller\. Install version 0\.22 or later: helm/,
    );
  });
});
