/** What attackers, and those who may, do: connections, SQL, kubectl, and commands in pods and on the node. */
import { addresses } from "../../../tools/local-cluster/network.ts";
import { APPLICATION } from "../../../components/kubernetes/labels.ts";
import { PROMETHEUS_PORT } from "../../../components/kubernetes/names.ts";
import type { Who } from "../ci/identities.ts";
import { AS_SUPERUSER, CLUSTER, execute, inPod, type Ran, theCluster } from "../support.ts";
import type { Act, Attempt, Outcome } from "./attempt.ts";
import {
  CLIENTS_PORT,
  type Login,
  OTHERS_PORT,
  OWNER,
  type Stage,
  UNDECLARED_PORT,
  VERIFIED,
} from "./stage.ts";

/** An act on the stage. */
export type Deed = Act<Stage>;

/** What a command came to: by its status, and by its output where a status says too little. */
export function outcomeOf({ status, stdout, output }: Ran, wanted?: RegExp): Outcome {
  return { succeeded: status === 0 && (wanted === undefined || wanted.test(stdout)), words: output.trim() };
}

// Connections

/** A place to connect to. */
export type Place = (stage: Stage) => readonly [host: string, port: number];

/** The server's port, by the address of its pod. */
export const database: Place = ({ server }) => [server, 5432];
export const databaseService: Place = ({ service }) => [service, 5432];
export const prometheus: Place = ({ prometheus }) => [prometheus, PROMETHEUS_PORT];
/** A port of the server for which nothing has declared a way in. */
export const undeclared: Place = ({ server }) => [server, UNDECLARED_PORT];
/** What others listen on: a pod of another namespace, and the client's. */
export const others: Place = ({ foreign }) => [foreign, OTHERS_PORT];
export const clients: Place = ({ client }) => [client, CLIENTS_PORT];
/** The API server, as every pod can reach it in a cluster without policies. */
export const api: Place = () => ["10.43.0.1", 443];
export const dns: Place = () => ["10.43.0.10", 53];
export const kubelet: Place = () => [addresses(CLUSTER).node, 10250];
export const apiOnNode: Place = () => [addresses(CLUSTER).node, 6443];

/** How an attacker's way is closed: kube-router rejects. An address that is wrong, or no name, is another answer. */
export const CLOSED = /Connection refused|no answer within 3 s/;

/** A line of bash that opens a TCP connection, and complains in its own words. */
export function connecting([host, port]: ReturnType<Place>): string {
  return `timeout 3 bash -c 'exec 3<>/dev/tcp/${host}/${port}' 2>&1 || { [ $? != 124 ] || echo 'no answer within 3 s'; false; }`;
}

/** Opens a TCP connection from an attacker's pod. */
export function connects(from: keyof Stage["pods"], place: Place): Deed {
  return async (stage) => outcomeOf(await stage.pods[from].run(["bash", "-c", connecting(place(stage))]));
}

// SQL over the network

/** How somebody logs in. */
export interface LogIn {
  /** @default the owner */
  user?: Login | "postgres";
  /** @default that user's */
  password?: (stage: Stage) => string;
  /** Whose pod. @default the client's */
  from?: keyof Stage["pods"];
  /** Keywords of libpq. @default {@link VERIFIED} */
  way?: string | ((stage: Stage) => string);
  /** @default the application's */
  dbname?: string;
  /** What must be answered; otherwise it has not succeeded. @default anything without an error */
  answer?: RegExp;
}

/** Statements, one after the other in a session, until one fails. Errors come with their codes. */
export function asks(statements: string | readonly string[], logIn: LogIn = {}): Deed {
  const { user = OWNER, from = "client", way = VERIFIED, dbname = "transcripts_db", answer } = logIn;
  return async (stage) => {
    const password = logIn.password?.(stage) ?? stage.passwords[user] ?? "";
    const connection = `user=${user} dbname=${dbname} ${typeof way === "string" ? way : way(stage)}`;
    const line =
      'IFS= read -r PGPASSWORD || exit 99; export PGPASSWORD PGCONNECT_TIMEOUT=5; exec psql -X -q -w -At -v ON_ERROR_STOP=1 -v VERBOSITY=verbose -d "$@"';
    const command = ["bash", "-c", line, "-", connection, ...commandsOf(statements)];
    // Now and then kubectl loses the input: nothing was tried then.
    for (let again = 3; ; again--) {
      const ran = await stage.pods[from].run(command, `${password}\n`);
      if (ran.status !== 99 || again === 0) return outcomeOf(ran, answer);
    }
  };
}

const commandsOf = (statements: string | readonly string[]) =>
  [statements].flat().flatMap((statement) => ["-c", statement]);

/** Statements of the superuser, over the server's own socket. */
export function superuserAsks(
  statements: string | readonly string[],
  answer?: RegExp,
  dbname = "transcripts_db",
): Deed {
  return async () =>
    outcomeOf(await inPod([...AS_SUPERUSER, "-d", dbname, ...commandsOf(statements)]), answer);
}

/** PostgreSQL's answer to a statement for which a privilege is missing, and no other error's. */
export const DENIED = /^ERROR: {2}42501: /m;

/** What a line of {@link beyondRights} may say in addition. */
interface Beyond {
  /** Words of the refusal. @default for want of a privilege */
  refused?: RegExp;
  /** Who may do it. @default the superuser */
  by?: Login;
  /** What the one who may does instead of the same. */
  control?: string | readonly string[];
  /** What is answered to the one who may, and would be to the attacker. @default anything without an error */
  answer?: RegExp;
}

/**
 * Attempts of a login that is let in, at what it has no right to. The control is the same statement in a transaction that
 * is rolled back.
 */
export function beyondRights(login: Login) {
  return (tries: string, statements: string | readonly string[], beyond: Beyond = {}): Attempt<Stage> => {
    const { refused = DENIED, by, control, answer } = beyond;
    const allowed = control ?? ["begin", ...[statements].flat(), "rollback"];
    const expected = answer === undefined ? {} : { answer };
    return {
      tries,
      // What comes before the statement that is refused does not stay.
      attack: asks(typeof statements === "string" ? statements : ["begin", ...statements], {
        user: login,
        ...expected,
      }),
      refused,
      control: by === undefined ? superuserAsks(allowed, answer) : asks(allowed, { user: by, ...expected }),
    };
  };
}

/**
 * A statement that ends the sessions of a role, and is an error where there are none: the control may have ended the
 * last one, which comes back.
 */
export function terminating(role: string): string {
  return `do $$ begin
    for attempt in 1..100 loop
      perform pg_stat_clear_snapshot();
      perform pg_terminate_backend(pid) from pg_stat_activity
        where usename = '${role}' and pid <> pg_backend_pid() and datname = current_database();
      if found then return; end if;
      perform pg_sleep(0.1);
    end loop;
    raise exception 'there is no session of ${role}';
  end $$`;
}

// Kubernetes

/** kubectl with an identity's kubeconfig, which must succeed. */
export function asksCluster(who: Who, args: readonly string[], input?: object): Deed {
  return async ({ ci }) =>
    outcomeOf(await ci.kubectl(who, args, input === undefined ? undefined : JSON.stringify(input)));
}

/** The API server's own words, of whichever check. */
export const FORBIDDEN = /Error from server \(Forbidden\)|is forbidden: /;

// In pods of the product

/** A line of bash in a container of the product. */
export function inContainer(pod: string, container: string, line: string, wanted?: RegExp): Deed {
  return async () => {
    const { kubeconfig, kubectl: program } = theCluster();
    const exec = ["exec", "-n", APPLICATION, pod, "-c", container, "--", "bash", "-c", line];
    return outcomeOf(
      await execute(program, ["--kubeconfig", kubeconfig, ...exec], { timeout: 60_000 }),
      wanted,
    );
  };
}

/** A line of bash in the server's container: what somebody could do who runs code in the server. */
export const inServer = (line: string, wanted?: RegExp): Deed =>
  inContainer("postgres-0", "postgres", line, wanted);

/** A line of bash in an attacker's pod. */
export function inPodOf(who: keyof Stage["pods"], line: string): Deed {
  return async ({ pods }) => outcomeOf(await pods[who].run(["bash", "-c", line]));
}

// On the node

/** A line of bash on the node, with the stage's values as its arguments. */
export function onNode(line: string, values: (stage: Stage) => string[], uid = 0): Deed {
  const other = ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  return async (stage) => {
    const command = [...(uid === 0 ? [] : other), "bash", "-c", line, "bash", ...values(stage)];
    const [program = "", ...args] = command;
    return outcomeOf(await execute(program, args, { cwd: "/", env: { LC_ALL: "C" }, timeout: 30_000 }));
  };
}

/** The same as root, and as a user of the node who is nobody. */
export function asNobody(tries: string, line: string, values: (stage: Stage) => string[]): Attempt<Stage> {
  return {
    tries,
    attack: onNode(line, values, 65534),
    refused: /Permission denied|Operation not permitted/,
    control: onNode(line, values),
  };
}
