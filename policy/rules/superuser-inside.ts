import { accessLines, type AccessRule, accessRuleOf, takesFromFile, type Word } from "../access-files.ts";
import { EVERYWHERE, isLoopback, isWithin, type Network, networksOf } from "../networks.ts";
import { configurationFiles } from "../postgres.ts";
import { type Finding, objectRule } from "../rule.ts";

const SUPERUSER = "postgres";

/** How a client connects over the network, by type of line. */
const TRANSPORTS: Readonly<Record<string, readonly string[]>> = {
  host: ["plain", "ssl", "gss"],
  hostssl: ["ssl"],
  hostnossl: ["plain", "gss"],
  hostgssenc: ["gss"],
  hostnogssenc: ["plain", "ssl"],
};

/** Some connections: one transport, one database, one network. */
interface Connections {
  transport: string;
  /** Unquoted `replication` is a physical copy of all databases, which `all` does not include. */
  database: Word;
  /** Undefined: addresses that only the server knows. */
  network: Network | undefined;
}

const keyword = ({ text, quoted }: Word, ...words: string[]) => !quoted && words.includes(text);

/** Whether a line for these users is one for the superuser: surely, perhaps, or not at all. */
function isForSuperuser(users: readonly Word[]): "surely" | "perhaps" | "no" {
  if (users.some((user) => user.text === SUPERUSER || keyword(user, "all"))) return "surely";
  const perhaps = users.some(({ text, quoted }) => {
    // PostgreSQL and JavaScript read these expressions alike.
    if (/^\/\^\w+(\.\*)?\$?$/.test(text)) return new RegExp(text.slice(1)).test(SUPERUSER);
    return text.startsWith("/") || (!quoted && /^[+@]/.test(text));
  });
  return perhaps ? "perhaps" : "no";
}

function connectionsOf({ type, databases, address, mask }: AccessRule): Connections[] {
  const networks = networksOf(address, mask) ?? [undefined];
  return (TRANSPORTS[type] ?? []).flatMap((transport) =>
    databases.flatMap((database) => networks.map((network) => ({ transport, database, network }))),
  );
}

/** Whether refusing some connections refuses others. */
function covers(refused: Connections, asked: Connections): boolean {
  const { database } = refused;
  const same = database.text === asked.database.text && database.quoted === asked.database.quoted;
  const every = keyword(database, "all") && !keyword(asked.database, "replication");
  return (
    refused.transport === asked.transport &&
    (same || every) &&
    refused.network !== undefined &&
    asked.network !== undefined &&
    isWithin(asked.network, refused.network)
  );
}

function findingsIn(file: string, text: string, subject: string): Finding[] {
  const refused: Connections[] = [];
  const findings: Finding[] = [];
  for (const entry of accessLines(text)) {
    const said = `data["${file}"] has the line "${entry.line}", `;
    if (takesFromFile(entry) && /^include/.test(entry.fields[0]?.[0]?.text ?? "")) {
      findings.push({
        subject,
        why: `${said}which can let the superuser ${SUPERUSER} in over the network, where no rule sees it`,
        remedy: "its lines in the file itself",
      });
      continue;
    }
    const rule = accessRuleOf(entry);
    if (!rule || rule.type === "local") continue;
    const match = isForSuperuser(rule.users);
    if (match === "no") continue;
    const connections = connectionsOf(rule);
    if (rule.method === "reject") {
      if (match === "surely") refused.push(...connections);
      continue;
    }
    const open = connections.filter(({ network, transport, database }) => {
      if (network && isLoopback(network)) return false;
      // An address that only the server knows can be any.
      const parts = network ? [network] : EVERYWHERE;
      return !parts.every((part) =>
        refused.some((other) => covers(other, { transport, database, network: part })),
      );
    });
    if (open.length === 0) continue;
    const copy = open.every(({ database }) => keyword(database, "replication"));
    findings.push({
      subject,
      why: `${said}which lets the superuser ${SUPERUSER} in over the network${copy ? ", for a copy of everything" : ""}: no line before it rejects that`,
      remedy:
        `the line "host ${copy ? "replication" : "all"} ${SUPERUSER} all reject" before it, other users in it, or ` +
        "127.0.0.1/32 or ::1/128 as its address",
    });
  }
  return findings;
}

export const superuserInside = objectRule({
  name: "superuser-inside",
  asks: "the superuser connects over the network from the pod alone, whatever the method; lines in order, as PostgreSQL reads them",
  description:
    "Accepting the superuser over the network gives the whole server to anyone who learns one password",
  level: "mandatory",
  check: ({ kind, body, subject }) =>
    kind === "ConfigMap"
      ? Object.entries(configurationFiles(body))
          .filter(([file]) => file.includes("hba"))
          .flatMap(([file, text]) => findingsIn(file, text, subject))
      : [],
});
