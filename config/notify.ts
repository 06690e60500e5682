/** The section `notify`: who is told that something is wrong, and that it is over. */
import type { Problem } from "../problem.ts";
import {
  certificates,
  defaulted,
  flag,
  host,
  image,
  integer,
  mailAddress,
  mailAddresses,
  oneOf,
  required,
  text,
} from "./fields.ts";
import { REPOSITORY_NAME } from "./backup.ts";
import { kindProblems, type Kinds, strayProblems } from "./kinds.ts";
import { commandToSet, type Entries, type Section, type ValuesOf } from "./reader.ts";
import { isStored } from "./secret-store.ts";

/** How somebody is told. */
const KINDS = ["mail", "ntfy", "slack", "telegram", "webhook", "heartbeat"] as const;

const sink = {
  kind: required(
    oneOf(KINDS, {
      description:
        "`mail`: SMTP. `ntfy`, `slack`, `telegram`: that service. `webhook`: JSON to an address of yours. `heartbeat`: no message, but an address that is requested each minute as long as the database is watched; who expects that notices when the whole machine is gone",
    }),
  ),
  least: oneOf(["warning", "critical"], {
    description: "All but `heartbeat`: the least grave thing that is told. Default: `warning`",
  }),
  host: host(
    { description: "`mail`: host name or address of the SMTP server" },
    { elsewhere: "set a port in notify.sinks.<name>.port", zones: false },
  ),
  port: integer(1, 65535, "port", {
    description: "`mail`: its port. Default: 587; 465 with `security: tls`, 25 with `none`",
  }),
  security: oneOf(["starttls", "tls", "none"], {
    description:
      "`mail`: how the connection is encrypted. `none`: not at all, and without a login. Default: `starttls`",
  }),
  user: text(/^[A-Za-z0-9._%+=@-]{1,128}$/, "a user's name: letters, digits and . _ % + = @ -", {
    description: "`mail`: who logs in, with `secrets.sinks.<name>.password`. Default: nobody",
  }),
  from: mailAddress({ description: "`mail`: the sender's address" }),
  to: mailAddresses({ description: "`mail`: who gets it" }),
  chat: text(/^(-?[0-9]{1,20}|@[A-Za-z0-9_]{1,64})$/, "a number, or @ and a channel's name", {
    description: "`telegram`: the chat",
  }),
  bearer: flag({
    description: "`ntfy`, `webhook`: whether `secrets.sinks.<name>.token` is sent as a bearer token",
  }),
  ca: certificates({
    description:
      "The CA of the server's certificate. Default: those of the image; not of `telegram`, `slack`",
  }),
} as const satisfies Section;

/** The name of a sink: part of files' names. */
export const SINK_NAME = { ...REPOSITORY_NAME, most: 8 };

/** A sink's secrets, in `secrets.sinks`. */
export const SINK_SECRETS = ["url", "token", "password"] as const;

const sinks: Entries<typeof sink> = {
  fields: sink,
  ...SINK_NAME,
  secrets: { path: "secrets.sinks", fields: SINK_SECRETS },
};

export const notify = {
  sinks,
  image: defaulted(
    "curlimages/curl:8.17.0",
    image({ description: "An image with curl 7.76 or newer, a shell and awk, for what is sent" }),
  ),
} as const satisfies Section;

/** What is written in the section. */
export type NotifyValues = ValuesOf<typeof notify>;
/** One sink. */
export type Sink = ValuesOf<typeof sink>;

const SINKS: Kinds<Sink["kind"]> = {
  path: "notify.sinks",
  secretPath: "secrets.sinks",
  what: "sink",
  fieldsOf: {
    mail: {
      needs: ["host", "from", "to"],
      has: ["least", "port", "security", "user", "ca"],
      secrets: [],
    },
    ntfy: { needs: [], has: ["least", "bearer", "ca"], secrets: ["url"] },
    slack: { needs: [], has: ["least"], secrets: ["url"] },
    telegram: { needs: ["chat"], has: ["least"], secrets: ["token"] },
    webhook: { needs: [], has: ["least", "bearer", "ca"], secrets: ["url"] },
    heartbeat: { needs: [], has: ["ca"], secrets: ["url"] },
  },
};

/** The secrets that a sink is reached with. */
function secretsOfSink({ kind, user, bearer }: Sink): (typeof SINK_SECRETS)[number][] {
  return [
    ...(SINKS.fieldsOf[kind].secrets as ("url" | "token")[]),
    ...(user === undefined ? [] : (["password"] as const)),
    ...(bearer === true ? (["token"] as const) : []),
  ];
}

/** The port of a sink's server: a secret address may have another one, which network.sinks says. */
export function portOfSink({ kind, port, security }: Sink): number {
  if (kind !== "mail") return 443;
  return port ?? { starttls: 587, tls: 465, none: 25 }[security ?? "starttls"];
}

interface Looked {
  notify: NotifyValues;
  secrets: { sinks: Readonly<Record<string, Readonly<Record<string, unknown>>>> };
  secretStore: { source: string };
}

/** How the fields of the section fit together, and to those of others. */
export function notifyProblems(looked: Looked): Problem[] {
  const { notify: written, secrets } = looked;
  const names = Object.keys(written.sinks);
  const problems = Object.entries(written.sinks).flatMap(([name, values]) => {
    const needed = { ...SINKS.fieldsOf[values.kind], secrets: secretsOfSink(values) };
    const kinds = { ...SINKS, fieldsOf: { ...SINKS.fieldsOf, [values.kind]: needed } };
    return kindProblems(kinds, name, values, secrets.sinks[name], isStored(looked));
  });
  problems.push(...strayProblems(SINKS, names, secrets.sinks));
  for (const [name, { security, user }] of Object.entries(written.sinks)) {
    if (security !== "none" || user === undefined) continue;
    const key = `notify.sinks.${name}.security`;
    problems.push({
      key,
      message: `is none, and ${user} would log in with a password that everybody on the way can read. Allowed: starttls or tls, or no user. Set it: ${commandToSet(key, false, { value: "starttls" })}`,
    });
  }
  return problems;
}

/** What every preview says about the messages. */
export function notifyWarnings({
  stack,
  notify: written,
}: {
  stack: string;
  notify: NotifyValues;
}): string[] {
  const kinds = Object.values(written.sinks).map(({ kind }) => kind);
  // Who tries it out looks at it.
  if (stack === "dev" && kinds.length === 0) return [];
  if (kinds.every((kind) => kind === "heartbeat"))
    return [
      `nobody is told when something is wrong: notify.sinks has ${kinds.length === 0 ? "nothing" : "only a heartbeat"}. Mail, ntfy, Slack, Telegram or an address of yours: docs/notifications.md`,
    ];
  if (!kinds.includes("heartbeat"))
    return [
      "nobody notices when the whole machine is gone, which can then send nothing: add a sink of kind heartbeat. docs/notifications.md",
    ];
  return [];
}
