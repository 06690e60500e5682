/** Who is told, as the notifier's scripts take it: a table of the sinks, and a curl configuration for each. Pure. */
import { type Leaf, LEAVES, type Text } from "../secrets/description.ts";
import type { Severity } from "./rules.ts";

interface Common {
  /** Its name, unique. */
  name: string;
  /** The CA of the server's certificate, PEM. @default those of the image */
  ca?: string | undefined;
  /** The least grave thing that is told. */
  least: Severity;
}

/** Mail through an SMTP server. */
export interface MailSink extends Common {
  kind: "mail";
  host: string;
  port: number;
  /** How the connection is encrypted. */
  security: "starttls" | "tls" | "none";
  /** Who logs in. @default nobody */
  user?: string | undefined;
  from: string;
  to: readonly string[];
}

/** A message over HTTP, to an address that is a secret. */
export interface HttpSink extends Common {
  kind: "ntfy" | "slack" | "webhook" | "heartbeat";
  /** Whether a bearer token is sent. */
  bearer: boolean;
}

/** A message in a chat. */
export interface TelegramSink extends Common {
  kind: "telegram";
  chat: string;
}

/** Somebody, or something, that is told. */
export type SinkArgs = MailSink | HttpSink | TelegramSink;

/** What a sink is reached with. */
export interface SinkKeys<Value> {
  url?: Value | undefined;
  token?: Value | undefined;
  password?: Value | undefined;
}

/** Where the sender finds the ConfigMap and the Secret. */
export const FILES_PATH = "/etc/notify";
export const SECRETS_PATH = "/etc/notify-secrets";

const certificateFile = (name: string) => `${name}.crt`;

/** An IPv6 address in a URL is in brackets. */
const inUrl = (host: string) => (host.includes(":") ? `[${host}]` : host);

const quoted = (option: string, ...value: Text): Text => [`${option} = "`, ...value, '"\n'];

function mailOptions(sink: MailSink, password: Leaf): Text {
  const { host, port, security, user, from, to } = sink;
  return [
    // The path is the name by which curl says hello.
    ...quoted(
      "url",
      `${security === "tls" ? "smtps" : "smtp"}://${inUrl(host)}:${port}/${from.split("@").at(-1)}`,
    ),
    // Without it, curl goes on in plain text with a server that offers no STARTTLS.
    ...(security === "none" ? [] : ["ssl-reqd\n"]),
    ...quoted("mail-from", from),
    ...to.flatMap((address) => quoted("mail-rcpt", address)),
    // The others get it all the same.
    "mail-rcpt-allowfails\n",
    ...(user === undefined ? [] : quoted("user", `${user}:`, password)),
  ];
}

/**
 * A sink's configuration for curl (https://curl.se/docs/manpage.html#-K): all that is secret about it, which so is never
 * an argument.
 */
export function curlConfiguration<Value extends Leaf["value"]>(sink: SinkArgs, keys: SinkKeys<Value>): Text {
  // An address is one address, whatever is in it.
  return ["globoff\n", ...options(sink, keys)];
}

function options<Value extends Leaf["value"]>(sink: SinkArgs, keys: SinkKeys<Value>): Text {
  const leaf = (part: keyof SinkKeys<Value>): Leaf => ({
    leaf: LEAVES.sink(sink.name, part),
    value: keys[part],
  });
  const trusted =
    sink.ca === undefined ? [] : quoted("cacert", `${FILES_PATH}/${certificateFile(sink.name)}`);
  switch (sink.kind) {
    case "mail":
      return [...mailOptions(sink, leaf("password")), ...trusted];
    case "telegram":
      return quoted("url", "https://api.telegram.org/bot", leaf("token"), "/sendMessage");
    default:
      return [
        ...quoted("url", leaf("url")),
        ...(sink.bearer ? quoted("header", "Authorization: Bearer ", leaf("token")) : []),
        ...trusted,
      ];
  }
}

/** The name of a sink's file in the Secret. */
export const configurationFile = (name: string) => `${name}.conf`;

/** The sinks, one a line: name, kind, least severity, sender, receivers, chat; `-` where there is none. */
export function sinksTable(sinks: readonly SinkArgs[]): string {
  return sinks
    .map((sink) => {
      const mail = sink.kind === "mail" ? [sink.from, sink.to.join(", ")] : ["-", "-"];
      const fields = [sink.name, sink.kind, sink.least, ...mail, sink.kind === "telegram" ? sink.chat : "-"];
      return `${fields.join("\t")}\n`;
    })
    .join("");
}

/** The files with the authorities of the sinks. */
export function certificateFiles(sinks: readonly SinkArgs[]): Record<string, string> {
  return Object.fromEntries(
    sinks.flatMap(({ name, ca }) => (ca === undefined ? [] : [[certificateFile(name), ca]])),
  );
}
