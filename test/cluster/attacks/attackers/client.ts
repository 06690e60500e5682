import {
  api,
  apiOnNode,
  asks,
  CLOSED,
  connecting,
  connects,
  inPodOf,
  inServer,
  kubelet,
  undeclared,
  others,
} from "../acts.ts";
import type { Attacker, Attempt } from "../attempt.ts";
import { metricsReading } from "./taken-over-monitoring.ts";
import { LOGINS, type Login, UNDECLARED_PORT, OWNER, type Stage, VERIFIED } from "../stage.ts";

const FAILED = /FATAL: {2}password authentication failed for user "(\w+)"/;
const plain = VERIFIED.replace("verify-full", "disable");

const inPlainText = (user: Login): Attempt<Stage> => ({
  tries: `logs in as ${user} in plain text`,
  attack: asks("select 1", { user, way: plain }),
  refused: /no pg_hba\.conf entry for host .* no encryption/,
  control: asks("select 1", { user }),
});

/** An OpenSSL client with no more than a version of the protocol. */
const shakesHands = (version: string) =>
  inPodOf(
    "client",
    `openssl s_client -connect ${VERIFIED.replace(/.*?host=(\S+).*/, "$1")}:5432 -starttls postgres -CAfile /etc/postgres-ca/ca.crt -verify_return_error ${version} </dev/null 2>&1 | grep -E 'Verify return code|alert|Protocol *:|New,|error'; [ \${PIPESTATUS[0]} = 0 ]`,
  );

/** A pod that may connect, and whoever runs code in it: with its own login, or those of others. */
export const client: Attacker<Stage> = {
  who: "a client that may connect",
  attempts: [
    ...([OWNER, ...Object.keys(LOGINS)] as Login[]).map(inPlainText),
    {
      tries: "speaks TLS 1.2, by libpq",
      attack: asks("select 1", { way: `${VERIFIED} ssl_max_protocol_version=TLSv1.2` }),
      refused: /protocol version|unsupported protocol/i,
      control: asks("select 1", { way: `${VERIFIED} ssl_min_protocol_version=TLSv1.3` }),
    },
    {
      tries: "speaks TLS 1.2, by OpenSSL",
      attack: shakesHands("-tls1_2"),
      refused: /alert protocol version|unsupported protocol/i,
      control: shakesHands("-tls1_3"),
    },
    {
      tries: "logs in as the superuser, with its password and TLS",
      attack: asks("select 1", { user: "postgres" }),
      refused: /pg_hba\.conf rejects connection for host .* user "postgres"/,
      control: asks("select 1"),
    },
    {
      tries: "logs in as the superuser in plain text",
      attack: asks("select 1", { user: "postgres", way: plain }),
      refused: /pg_hba\.conf rejects connection for host .* user "postgres"/,
      control: asks("select 1"),
    },
    {
      tries: "reads the whole server by a connection of replication",
      attack: asks("IDENTIFY_SYSTEM", { way: `${VERIFIED} replication=true` }),
      refused: /no pg_hba\.conf entry for replication connection|must be .*replication|permission denied/,
      control: asks("select 1"),
    },
    {
      tries: "logs in with a password that was changed",
      attack: asks("select 1", { user: "scribe", password: ({ former }) => former.scribe ?? "" }),
      refused: FAILED,
      control: async (stage) => {
        if (stage.former.scribe === undefined)
          await stage.changePassword("scribe", "another-password-of-the-scribe-0123456789");
        return asks("select 1", { user: "scribe" })(stage);
      },
    },
    {
      tries: "logs in as the owner with the password of another login",
      attack: asks("select 1", { password: ({ passwords }) => passwords.reader ?? "" }),
      refused: FAILED,
      control: asks("select 1", { user: "reader" }),
    },
    {
      tries: "logs in with an empty password",
      attack: asks("select 1", { password: () => "" }),
      refused: /no password supplied|empty password|password authentication failed/,
      control: asks("select 1"),
    },
    {
      tries: "logs in as a group, which has no password",
      attack: asks("select 1", {
        user: "transcripts_readwrite" as Login,
        password: ({ passwords }) => passwords.scribe ?? "",
      }),
      refused: /password authentication failed for user "transcripts_readwrite"/,
      control: asks("select 1", { user: "scribe" }),
    },
    ...["postgres", "template1"].map((dbname) => ({
      tries: `logs in to the database ${dbname}`,
      attack: asks("select 1", { user: "reader" as const, dbname }),
      refused: /permission denied for database/,
      control: asks("select 1", { user: "reader" as const }),
    })),
    {
      tries: "connects to another port of the server",
      attack: connects("client", undeclared),
      refused: CLOSED,
      control: inServer(connecting(["127.0.0.1", UNDECLARED_PORT])),
    },
    ...metricsReading("client"),
    ...(
      [
        ["connects to the API server", api],
        ["connects to the API server by the node's address", apiOnNode],
        ["connects to the kubelet", kubelet],
        ["connects to a pod of another namespace", others],
      ] as const
    ).map(([tries, place]) => ({
      tries,
      attack: connects("client", place),
      refused: CLOSED,
      control: connects("disguised", place),
    })),
    {
      tries: "has a token for the API server",
      attack: inPodOf(
        "client",
        "cat /var/run/secrets/kubernetes.io/serviceaccount/token | wc -c; exit ${PIPESTATUS[0]}",
      ),
      refused: /No such file or directory/,
      control: inPodOf("foreign", "cat /var/run/secrets/kubernetes.io/serviceaccount/token | wc -c"),
    },
  ],
};
