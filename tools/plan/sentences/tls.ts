/** The server's certificate: who signs it, what clients trust, and whether connections are encrypted. */
import { acceptsPlain } from "../../../cluster/plain-connections.ts";
import { AUTHORITY_NAME, CERTIFICATE_SECRET, TLS_NAME } from "../../../components/kubernetes/names.ts";
import { settingsIn } from "../../../postgres/conf-file.ts";
import { at, type Change, isKind } from "../changes.ts";
import { quoted, type Say } from "../statements.ts";
import { sayObject } from "./objects.ts";
import type { Sentences } from "./sentences.ts";

const isSecret = isKind("Secret");
const isTrust = isKind("ConfigMap");
const isGenerated = ({ type }: Pick<Change, "type">) => type.startsWith("random:");
/** What the names of the secrets begin with that authorities are computed from. */
const AUTHORITY = "postgres-tls-authority-";
const GUIDE = "docs/certificate-authority.md";

const files = (object: Change["old"], file: string) => {
  const text = at(object, `data["${file}"]`);
  return typeof text === "string" ? text : "";
};

/** The certificates of a bundle. */
const certificatesIn = (bundle: string) =>
  bundle.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];

function sayTrust(change: Change, say: Say): void {
  const { kind, name } = change;
  if (kind === "delete")
    return say("danger", `Takes away what clients verify the server with: ${name} is deleted`);
  if (kind !== "update" || !change.paths.has('data["ca.crt"]')) return sayObject(change, say);
  const [before, after] = [change.old, change.new].map((object) => certificatesIn(files(object, "ca.crt")));
  const has = (bundle: readonly string[] = [], certificate: string) => bundle.includes(certificate);
  const [added, removed] = [
    (after ?? []).filter((certificate) => !has(before, certificate)).length,
    (before ?? []).filter((certificate) => !has(after, certificate)).length,
  ];
  if (removed > 0)
    return say(
      "danger",
      `Takes ${removed === 1 ? "an authority" : `${removed} authorities`} away from what clients trust: a server whose certificate it signed is refused. See ${GUIDE}`,
    );
  if (added > 0)
    return say(
      "attention",
      `Adds ${added === 1 ? "an authority" : `${added} authorities`} to what clients trust: give ca.crt to all of them before it signs. See ${GUIDE}`,
    );
  say("attention", `Changes the order of the authorities that clients trust. See ${GUIDE}`);
}

function saySigning(change: Change, say: Say): void {
  const { kind, name, paths } = change;
  if (kind === "delete" || kind === "replace")
    return say(
      "danger",
      `Takes away the key that signs the server's certificate (${name}): the server keeps the one that it has until it restarts`,
    );
  if (kind === "update" && [...paths.keys()].some((path) => path.includes("tls.key")))
    return say(
      "danger",
      `Changes the authority that signs the server's certificate (${name}): clients that do not trust the new one yet are refused. See ${GUIDE}`,
    );
  sayObject(change, say);
}

function sayAuthority(change: Change, say: Say): void {
  const { kind, logicalName } = change;
  const authority = quoted(logicalName.slice(AUTHORITY.length));
  if (kind === "create") return say("attention", `Generates the certificate authority ${authority}`);
  if (kind === "update") return sayObject(change, say);
  say("danger", `Forgets the certificate authority ${authority}: what it signed cannot be signed again`);
}

export const tls: Sentences = {
  owns: ({ type, logicalName }) =>
    [AUTHORITY_NAME, CERTIFICATE_SECRET, TLS_NAME].includes(logicalName) ||
    (isGenerated({ type }) && logicalName.startsWith(AUTHORITY)),
  say(change, say) {
    if (isGenerated(change)) return sayAuthority(change, say);
    if (change.logicalName === AUTHORITY_NAME && isSecret(change)) return saySigning(change, say);
    if (change.logicalName === AUTHORITY_NAME && isTrust(change)) return sayTrust(change, say);
    sayObject(change, say);
  },
};

const PROTOCOL = "ssl_min_protocol_version";
const ON = /^(on|true|yes|1)$/i;

/** What a change of the server's configuration does to the encryption of its connections. */
export function sayEncryption(change: Change, say: Say): void {
  const settings = [change.old, change.new].map((object) => settingsIn(files(object, "postgresql.conf")));
  const [before, after] = settings.map((of) => ON.test(of.get("ssl") ?? ""));
  if (before !== after)
    say(
      after === true ? "attention" : "danger",
      after === true
        ? "Encrypts connections from now on, if the client asks for it, which libpq does by itself"
        : "Switches TLS off: passwords stay protected, and statements and rows cross the network as plain text",
    );
  const [from = "", to = ""] = settings.map((of) => of.get(PROTOCOL));
  if (before === true && after === true && to < from)
    say("danger", `Accepts a weaker protocol: ${quoted(PROTOCOL)} ${quoted(from)} → ${quoted(to)}`);
  const [plain, stillPlain] = [change.old, change.new].map((object) =>
    acceptsPlain(files(object, "pg_hba.conf")),
  );
  if (plain === stillPlain) return;
  say(
    stillPlain === true ? "danger" : "attention",
    stillPlain === true
      ? "Accepts logins over the network without encryption"
      : "Refuses logins over the network without encryption: a client with sslmode=disable does not connect again",
  );
}
