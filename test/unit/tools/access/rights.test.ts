import assert from "node:assert/strict";
import type { Right } from "../../../../cluster/rights.ts";
import { differences, foreignBindings } from "../../../../tools/access/differences.ts";
import { accessObjects } from "../../../../tools/access/objects.ts";
import {
  resourceOf,
  rightsFor,
  rightsIn,
  rightText,
  rulesOf,
  simplified,
  type Use,
  USES,
} from "../../../../tools/access/rights.ts";
import { projectFile } from "../../../../tools/cli.ts";
import { evaluate } from "../../../../tools/evaluation/evaluate.ts";
import { type Manifest, manifestsOf } from "../../../../tools/evaluation/manifests.ts";
import { readStackFile } from "../../../../tools/stack-file/stack-file.ts";
import { changed, type Raw } from "../../../settings.ts";

const IDENTITY = "transcript-pipeline/prod";

async function objectsOf(raw: Raw): Promise<Manifest[]> {
  const config = Object.fromEntries(
    Object.entries(raw).map(([name, value]) => [`transcript-pipeline:${name}`, JSON.stringify(value)]),
  );
  const { registrations } = await evaluate("prod", config);
  return manifestsOf(registrations).map(({ manifest }) => manifest);
}

const texts = (use: Use, manifests: readonly Manifest[]) => {
  const { cluster, namespace } = rightsFor(use, manifests);
  return { cluster: cluster.map(rightText), namespace: namespace.map(rightText) };
};

describe("the rights of CI's identities", () => {
  let prod: Manifest[];
  before(async () => {
    const { config, secretKeys } = readStackFile(projectFile("Pulumi.prod.yaml"));
    const { registrations } = await evaluate("prod", config, secretKeys);
    prod = manifestsOf(registrations).map(({ manifest }) => manifest);
  });

  it("cover each object that the program registers, and follow it where it changes", async () => {
    const raw = changed("backup", {
      repositories: { disk: { kind: "directory", path: "/mnt/backup/postgres" } },
    });
    const [without, withBackups] = [
      texts("deploy", await objectsOf(changed("backup", undefined))),
      texts("deploy", await objectsOf(raw)),
    ];
    assert.ok(!without.namespace.includes("create cronjobs.batch"));
    assert.ok(withBackups.namespace.includes("create cronjobs.batch"));
    const volume = "patch persistentvolumes postgres-backup-disk-pv";
    assert.ok(!without.cluster.includes(volume));
    assert.ok(withBackups.cluster.includes(volume));
    for (const { kind, metadata } of prod)
      for (const verb of ["get", "patch"]) {
        const { cluster, namespace } = texts("deploy", prod);
        const right = (text: string) => text.startsWith(`${verb} ${resourceOf(kind)}`);
        const rights = metadata.namespace === undefined ? cluster : namespace;
        assert.ok(rights.some(right), `${verb} ${kind}`);
      }
  });

  it("keep those to objects that the program no longer registers and the next `up` deletes", async () => {
    const manifests = await objectsOf(changed("backup", undefined));
    const left = [
      {
        apiVersion: "batch/v1",
        kind: "CronJob",
        metadata: { name: "old", namespace: "transcript-pipeline" },
      },
      { apiVersion: "v1", kind: "PersistentVolume", metadata: { name: "old-pv" } },
    ];
    const granted = (use: Use) =>
      accessObjects(use, IDENTITY, manifests, left).objects.flatMap(({ rules }) =>
        rightsIn((rules ?? []) as object[]).map(rightText),
      );
    for (const right of ["delete cronjobs.batch", "delete persistentvolumes old-pv"]) {
      assert.ok(granted("deploy").includes(right), right);
      assert.ok(!granted("preview").includes(right), right);
    }
  });

  it("reach, with a secret store, as far as its objects and what they leave behind, and no further", async () => {
    const raw = { ...changed("backup", undefined), tls: { source: "none" } };
    const secretStore = { source: "external-secrets", store: "vault" };
    const without = await objectsOf(raw);
    const stored = await objectsOf({ ...raw, secretStore });
    for (const [use, added] of [
      ["preview", ["create", "get", "list", "patch"]],
      ["deploy", ["create", "delete", "get", "list", "patch", "watch"]],
    ] as const) {
      const rights = texts(use, stored).namespace;
      const of = (resource: string) =>
        rights.filter((text) => text.endsWith(` ${resource}`)).map((text) => text.split(" ")[0]);
      assert.deepEqual(of("externalsecrets.external-secrets.io"), added);
      assert.deepEqual(of("secrets"), use === "preview" ? ["get", "list"] : ["delete", "get", "list"]);
      assert.ok(rights.includes("list events"));
      assert.ok(!texts(use, without).namespace.some((text) => text.includes("external-secrets")));
    }
  });

  it("name every object outside the database's namespace, but for the list of nodes", () => {
    for (const use of USES) {
      const unnamed = rightsFor(use, prod).cluster.filter(({ name }) => name === undefined);
      assert.deepEqual(unnamed.map(rightText), ["list nodes"], use);
    }
  });

  it("contain no way to more rights, to another identity or into every container", () => {
    const forbidden =
      /^(bind|escalate|impersonate|deletecollection|\*) |\*| (serviceaccounts|roles|clusterroles|rolebindings|clusterrolebindings|nodes\/|validatingadmission|certificatesigning|pods\/(attach|portforward|ephemeral)|namespaces\/)/;
    for (const use of USES) {
      const { cluster, namespace } = texts(use, prod);
      const found = [...cluster, ...namespace].filter((text) => forbidden.test(text));
      assert.deepEqual(found, [], use);
    }
    const exec = texts("deploy", prod).namespace.filter((text) => text.includes("exec"));
    assert.deepEqual(exec, ["create pods/exec postgres-0", "get pods/exec postgres-0"]);
  });

  it("let a preview delete nothing, watch nothing and enter nothing", () => {
    const { cluster, namespace } = texts("preview", prod);
    const verbs = new Set([...cluster, ...namespace].map((text) => text.split(" ")[0]));
    assert.deepEqual([...verbs].sort(), ["create", "get", "list", "patch"]);
    assert.ok(![...cluster, ...namespace].some((text) => text.includes("pods/")));
  });

  it("name kinds as Kubernetes does", () => {
    const kinds = [
      "Namespace",
      "NetworkPolicy",
      "Ingress",
      "StorageClass",
      "Endpoints",
      "Gateway",
      "SealedSecret",
    ];
    assert.deepEqual(kinds.map(resourceOf), [
      ...[
        "namespaces",
        "networkpolicies",
        "ingresses",
        "storageclasses",
        "endpoints",
        "gateways",
        "sealedsecrets",
      ],
    ]);
  });

  it("are the same as rules and back, for every combination of a few", () => {
    const all: Right[] = ["a", "b"].flatMap((resource) =>
      ["get", "patch"].flatMap((verb) =>
        [undefined, "x", "y"].map((name) => ({ group: resource === "a" ? "" : "g", resource, verb, name })),
      ),
    );
    for (let chosen = 0; chosen < 2 ** all.length; chosen++) {
      const rights = simplified(all.filter((_, index) => (chosen >> index) & 1));
      assert.deepEqual(simplified(rightsIn(rulesOf(rights))).map(rightText), rights.map(rightText));
    }
  });

  it("come after what limits them, when they are created", () => {
    for (const use of USES) {
      const kinds = accessObjects(use, IDENTITY, prod).objects.map(({ kind }) => kind);
      const last = kinds.lastIndexOf("ValidatingAdmissionPolicyBinding");
      assert.ok(last > 0 && last < kinds.indexOf("ServiceAccount"), use);
      assert.ok(kinds.indexOf("ServiceAccount") < kinds.indexOf("ClusterRoleBinding"), use);
    }
  });

  it("are no program's objects: pods keep having no token", () => {
    assert.deepEqual(
      prod.filter(({ kind }) => /Role|ServiceAccount/.test(kind)),
      [],
    );
  });
});

describe("the comparison of an identity in the cluster", () => {
  let wanted: readonly Manifest[];
  before(async () => {
    wanted = accessObjects("deploy", IDENTITY, await objectsOf(changed("backup", undefined))).objects;
  });
  /** The objects with one of a kind changed, as the API server returns them. */
  const changedOf = (kind: string, change: (manifest: Manifest) => void): Manifest[] => {
    const found = structuredClone([...wanted]);
    const one = found.find((manifest) => manifest.kind === kind);
    assert.ok(one);
    change(one);
    return found;
  };

  it("finds nothing where the API server has only filled in its defaults", () => {
    const found = structuredClone([...wanted]);
    for (const { kind, metadata, ...rest } of found) {
      Object.assign(metadata, { uid: "1", resourceVersion: "2" });
      if (kind !== "ValidatingAdmissionPolicy") continue;
      const { matchConstraints } = rest.spec as { matchConstraints: Record<string, unknown> };
      Object.assign(matchConstraints, {
        matchPolicy: "Equivalent",
        namespaceSelector: {},
        objectSelector: {},
      });
      for (const rule of matchConstraints.resourceRules as object[]) Object.assign(rule, { scope: "*" });
    }
    assert.deepEqual(differences(wanted, found), []);
  });

  it("names a right that is missing, and one that is not needed", () => {
    const found = changedOf("Role", (role) => {
      const rules = role.rules as { resources: string[]; verbs: string[]; apiGroups: string[] }[];
      const rule = rules.find(({ resources }) => resources.includes("secrets"));
      assert.ok(rule);
      rule.resources = rule.resources.filter((resource) => resource !== "secrets");
      rules.push({ apiGroups: [""], resources: ["serviceaccounts/token"], verbs: ["create"] });
    });
    const lines = differences(wanted, found);
    const role = "Role postgres-ci-deploy in namespace transcript-pipeline";
    assert.ok(lines.includes(`${role} does not give "patch secrets", which is needed`), lines.join("\n"));
    assert.ok(lines.includes(`${role} gives "create serviceaccounts/token", which is not needed`));
  });

  for (const [name, kind, change] of [
    [
      "a policy with an exception",
      "ValidatingAdmissionPolicy",
      { matchConstraints: { excludeResourceRules: [{}] } },
    ],
    [
      "a policy that lets pass what it cannot judge",
      "ValidatingAdmissionPolicy",
      { failurePolicy: "Ignore" },
    ],
    ["a binding that only warns", "ValidatingAdmissionPolicyBinding", { validationActions: ["Warn"] }],
    [
      "a binding to some namespaces",
      "ValidatingAdmissionPolicyBinding",
      { matchResources: { objectSelector: {} } },
    ],
  ] as const) {
    it(`finds ${name}`, () => {
      const found = changedOf(kind, ({ spec }) => {
        for (const [field, value] of Object.entries(change)) {
          const before = (spec as Record<string, unknown>)[field];
          const isNested = typeof before === "object" && !Array.isArray(before);
          (spec as Record<string, unknown>)[field] = isNested ? { ...before, ...(value as object) } : value;
        }
      });
      assert.match(differences(wanted, found).join(), new RegExp(`${kind} postgres-ci-deploy-.* is not as`));
    });
  }

  it("finds each object that is gone", () => {
    for (const gone of wanted) {
      const lines = differences(
        wanted,
        wanted.filter((manifest) => manifest !== gone),
      );
      assert.equal(lines.length, 1);
      assert.match(lines.join(), new RegExp(`${gone.kind} ${gone.metadata.name}.* is missing`));
    }
  });

  it("finds what else gives it rights: itself, its namespace's accounts, everybody", () => {
    const binding = (subject: object, labels: object = {}): Manifest => ({
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: "other", labels },
      roleRef: { kind: "ClusterRole", name: "cluster-admin" },
      subjects: [{ kind: "User", name: "anna" }, subject],
    });
    const its = { name: "postgres-ci-deploy", namespace: "transcript-pipeline-ci" };
    for (const subject of [
      { kind: "ServiceAccount", ...its },
      { kind: "User", name: "system:serviceaccount:transcript-pipeline-ci:postgres-ci-deploy" },
      { kind: "Group", name: "system:serviceaccounts:transcript-pipeline-ci" },
      { kind: "Group", name: "system:serviceaccounts" },
      { kind: "Group", name: "system:authenticated" },
    ])
      assert.match(
        foreignBindings("deploy", [binding(subject)]).join(),
        /gives it ClusterRole cluster-admin too/,
      );
    for (const [subject, labels] of [
      [{ kind: "ServiceAccount", ...its, namespace: "other" }, {}],
      [{ kind: "Group", name: "system:authenticated" }, { "kubernetes.io/bootstrapping": "rbac-defaults" }],
      [{ kind: "ServiceAccount", ...its, name: "postgres-ci-preview" }, {}],
    ] as const)
      assert.deepEqual(foreignBindings("deploy", [binding(subject, labels)]), []);
  });
});
