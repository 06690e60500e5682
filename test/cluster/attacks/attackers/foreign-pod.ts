import { APPLICATION } from "../../../../components/kubernetes/labels.ts";
import { addresses } from "../../../../tools/local-cluster/network.ts";
import { CLUSTER } from "../../support.ts";
import {
  asks,
  asksCluster,
  inPodOf,
  CLOSED,
  connects,
  database,
  databaseService,
  inServer,
  connecting,
  type Place,
  undeclared,
} from "../acts.ts";
import type { Attacker } from "../attempt.ts";
import { metricsReading } from "./taken-over-monitoring.ts";
import { UNDECLARED_PORT, NODE_PORT, type Stage, VERIFIED } from "../stage.ts";

const databaseOnNode: Place = () => [addresses(CLUSTER).node, 5432];
/** A Service of somebody else's that is open on the node. */
const nodePort: Place = () => [addresses(CLUSTER).node, NODE_PORT];

/** A request to the API server with the pod's token, for objects of the database's namespace. */
const asking = (objects: string) =>
  `folder=/var/run/secrets/kubernetes.io/serviceaccount
   { printf 'GET /api/v1/namespaces/${APPLICATION}/${objects} HTTP/1.1\\r\\nHost: kubernetes\\r\\nConnection: close\\r\\nAuthorization: Bearer '
     cat $folder/token; printf '\\r\\n\\r\\n'; sleep 2; } |
     openssl s_client -quiet -verify_quiet -CAfile $folder/ca.crt -connect 10.43.0.1:443 2>&1 | tee /dev/stderr | grep -q '200 OK'`;

/** A pod of another namespace, whose API server and DNS are open to it. */
export const foreignPod: Attacker<Stage> = {
  who: "a pod of another namespace",
  attempts: [
    {
      tries: "connects to the database by its pod's address",
      attack: connects("foreign", database),
      refused: CLOSED,
      control: connects("client", database),
    },
    {
      tries: "connects to the database by its Service's address",
      attack: connects("foreign", databaseService),
      refused: CLOSED,
      control: connects("client", databaseService),
    },
    {
      tries: "logs in with the owner's password, which it has got hold of",
      attack: asks("select 1", {
        from: "foreign",
        way: ({ server }) => `hostaddr=${server} sslmode=require`,
      }),
      refused: /connection to server .* failed: (Connection refused|timeout expired)/,
      control: asks("select 1", { way: ({ server }) => `hostaddr=${server} sslmode=require` }),
    },
    {
      tries: "connects with every label of a client, of the init Job and of the server",
      attack: connects("disguised", database),
      refused: CLOSED,
      control: connects("client", database),
    },
    {
      tries: "logs in so disguised, by the Service's name",
      attack: asks("select 1", {
        from: "disguised",
        way: VERIFIED.replace(/sslrootcert=\S+/, "").replace("verify-full", "require"),
      }),
      refused: /connection to server .* failed: (Connection refused|timeout expired)/,
      control: asks("select 1", { way: VERIFIED }),
    },
    {
      tries: "reads another login's Secret with its own token",
      attack: inPodOf("foreign", asking("secrets/postgres-login-reader")),
      refused: /403 Forbidden/,
      control: asksCluster("operator", [
        "get",
        "secret",
        "postgres-login-reader",
        "-n",
        APPLICATION,
        "-o",
        "name",
      ]),
    },
    {
      tries: "connects to another port of the server",
      attack: connects("foreign", undeclared),
      refused: CLOSED,
      control: inServer(connecting(["127.0.0.1", UNDECLARED_PORT])),
    },
    ...metricsReading("foreign"),
    {
      tries: "connects to the database by a port of the node",
      attack: connects("foreign", databaseOnNode),
      refused: CLOSED,
      control: connects("client", database),
    },
    {
      tries: "finds a node port of the database's namespace",
      attack: async (stage) => {
        const ran = await stage.ci.kubectl("operator", [
          ...["get", "services", "-n", APPLICATION, "-o"],
          "jsonpath={range .items[*]}{.metadata.name} {.spec.type} {.spec.ports[*].nodePort}{.spec.externalIPs}{'\\n'}{end}",
        ]);
        return { succeeded: !/^(\S+ ClusterIP *\n)+$/.test(ran.stdout), words: ran.stdout };
      },
      refused: /^postgres ClusterIP/m,
      control: connects("foreign", nodePort),
    },
  ],
};
