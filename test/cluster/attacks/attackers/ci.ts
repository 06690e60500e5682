/**
 * The identities of CI beyond their bounds. ci/rights.long.ts has all of those; here is what would harm this database or
 * others most.
 */
import { APPLICATION } from "../../../../components/kubernetes/labels.ts";
import { ACCESS_NAMESPACE, accessName, userName } from "../../../../tools/access/names.ts";
import { FOREIGN } from "../../network/attackers.ts";
import type { Who } from "../../ci/identities.ts";
import { asksCluster, FORBIDDEN, outcomeOf } from "../acts.ts";
import type { Attacker, Attempt } from "../attempt.ts";
import type { Stage } from "../stage.ts";

const HERE = ["-n", APPLICATION];
const DRY_RUN = "--dry-run=server";
const created = ["create", "-f", "-", DRY_RUN];
const merge = (patch: object) => ["--type=merge", "-p", JSON.stringify(patch)];

/** What an identity tries, and the operator, or another identity, may. */
const tried =
  (who: Who) =>
  (
    tries: string,
    args: readonly string[],
    { input, by = "operator", refused = FORBIDDEN }: { input?: object; by?: Who; refused?: RegExp } = {},
  ): Attempt<Stage> => ({
    tries,
    attack: asksCluster(who, args, input),
    refused,
    control: asksCluster(by, args, input),
  });

const binding = (who: "deploy" | "preview") => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRoleBinding",
  metadata: { name: "mine" },
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
  subjects: [{ kind: "ServiceAccount", name: accessName(who), namespace: ACCESS_NAMESPACE }],
});

const pod = (namespace: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "mine", namespace },
  spec: {
    securityContext: { runAsNonRoot: true, runAsUser: 999, seccompProfile: { type: "RuntimeDefault" } },
    containers: [
      {
        name: "mine",
        image: "localhost/none:1",
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      },
    ],
  },
});

/** What neither may. */
const ofBoth = (who: "deploy" | "preview"): Attempt<Stage>[] => {
  const may = tried(who);
  const other = who === "deploy" ? "preview" : "deploy";
  return [
    may("reads the Secrets of another namespace", ["get", "secrets", "-n", FOREIGN]),
    may("reads the Secrets of all namespaces", ["get", "secrets", "-A"]),
    may("makes itself an administrator", created, { input: binding(who) }),
    may("acts as an administrator", ["get", "nodes", "--as=admin", "--as-group=system:masters"]),
    may("acts as the other identity", [
      "get",
      "secret",
      "postgres-secret",
      ...HERE,
      `--as=${userName(other)}`,
    ]),
    may("makes a token for the other identity", [
      "create",
      "token",
      accessName(other),
      "-n",
      ACCESS_NAMESPACE,
    ]),
    may("runs a pod in another namespace", created, { input: pod(FOREIGN) }),
    may("deletes the database's namespace", ["delete", "namespace", APPLICATION, DRY_RUN]),
    may("writes to the node", ["label", "nodes", "--all", "mine=yes", "--overwrite", DRY_RUN]),
    may("enters the pod with the backups' passphrase", ["exec", ...HERE, "postgres-backup-0", "--", "true"]),
    may("lifts the limits of previews", [
      "delete",
      "validatingadmissionpolicybinding",
      accessName("preview"),
      DRY_RUN,
    ]),
  ];
};

const previews = tried("preview");
const byDeploy = { by: "deploy" } as const;

/** May read this namespace's Secrets, which is said, and write nothing. */
export const previewIdentity: Attacker<Stage> = {
  who: "the preview identity of CI",
  attempts: [
    ...ofBoth("preview"),
    previews("enters the server", ["exec", ...HERE, "postgres-0", "-c", "postgres", "--", "true"], byDeploy),
    previews(
      "changes a password",
      ["patch", "secret", "postgres-secret", ...HERE, ...merge({ metadata: { annotations: { a: "b" } } })],
      byDeploy,
    ),
    previews(
      "changes who may log in from where",
      ["patch", "configmap", "postgres-config", ...HERE, ...merge({ metadata: { annotations: { a: "b" } } })],
      byDeploy,
    ),
    previews(
      "runs another image as the server",
      ["patch", "statefulset", "postgres", ...HERE, ...merge({ metadata: { annotations: { a: "b" } } })],
      byDeploy,
    ),
    previews(
      "opens the network to everybody",
      [
        "patch",
        "networkpolicy",
        "postgres-network-default-deny",
        ...HERE,
        ...merge({ metadata: { annotations: { a: "b" } } }),
      ],
      byDeploy,
    ),
    previews(
      "removes the network's policies",
      ["delete", "networkpolicy", "postgres-network-default-deny", ...HERE, DRY_RUN],
      byDeploy,
    ),
    previews("runs a Job in the namespace", ["create", "job", "mine", "--image=localhost/none:1", ...HERE], {
      by: "operator",
    }),
    {
      tries: "forwards the database's port to itself",
      attack: forwards("preview"),
      refused: FORBIDDEN,
      control: forwards("operator"),
    },
  ],
};

const deploys = tried("deploy");

/** Does what `up` needs in this namespace, and nothing else. */
export const deployIdentity: Attacker<Stage> = {
  who: "the deploy identity of CI",
  attempts: [
    ...ofBoth("deploy"),
    deploys("makes a volume of another directory of the node", created, {
      input: {
        apiVersion: "v1",
        kind: "PersistentVolume",
        metadata: { name: "mine" },
        spec: {
          capacity: { storage: "1Gi" },
          accessModes: ["ReadWriteOnce"],
          storageClassName: "",
          hostPath: { path: "/etc" },
        },
      },
      refused: /Forbidden|forbidden|must show/,
    }),
    deploys(
      "lets pods of the namespace be privileged",
      [
        "label",
        "namespace",
        APPLICATION,
        "pod-security.kubernetes.io/enforce=privileged",
        "--overwrite",
        DRY_RUN,
      ],
      {
        refused: /must keep its labels and annotations/,
      },
    ),
    ...(
      [
        ["opens the database on every node", { type: "NodePort" }],
        ["takes an address of others for the database", { externalIPs: ["192.0.2.1"] }],
        ["leads clients to a server elsewhere", { type: "ExternalName", externalName: "example.org" }],
      ] as const
    ).map(([tries, spec]) =>
      deploys(tries, ["patch", "service", "postgres", ...HERE, ...merge({ spec }), DRY_RUN], {
        refused: /must be of the type ClusterIP, without externalIPs/,
      }),
    ),
  ],
};

/** Forwards a port until it is open. */
function forwards(who: Who): (stage: Stage) => Promise<{ succeeded: boolean; words: string }> {
  return async ({ ci }) => {
    const { status, ...ran } = await ci.kubectl(
      who,
      ["port-forward", ...HERE, "svc/postgres", ":5432"],
      undefined,
      5000,
    );
    // It goes on until it is killed.
    return outcomeOf({ ...ran, status: status === null ? 0 : status }, /Forwarding from/);
  };
}
