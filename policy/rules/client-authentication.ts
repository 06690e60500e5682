import { configurationFiles, parseSettings } from "../postgres.ts";
import { type Finding, objectRule } from "../rule.ts";

/** Methods by which a client proves who it is without its password crossing the network. */
const PROVEN = ["scram-sha-256", "cert", "gss", "reject"];

function methodOf(line: string): { type: string; method: string } | undefined {
  const words = line.replace(/#.*$/, "").trim().split(/\s+/);
  const [type = ""] = words;
  if (!/^(local|host|hostssl|hostnossl|hostgssenc|hostnogssenc)$/.test(type)) return undefined;
  // type database user [address [mask]] method [options]
  const rest = words.slice(type === "local" ? 3 : 4);
  const method = /^\d+(\.\d+){3}$/.test(rest[0] ?? "") ? rest[1] : rest[0];
  return { type, method: method ?? "" };
}

export const clientAuthentication = objectRule({
  name: "client-authentication",
  description: "Who lets clients in without proof has opened the database to every pod of the cluster",
  level: "mandatory",
  check: ({ kind, body, subject }) => {
    if (kind !== "ConfigMap") return [];
    return Object.entries(configurationFiles(body)).flatMap(([file, text]): Finding[] => {
      const where = `data["${file}"]`;
      const lines = text.split("\n").flatMap((line) => {
        const entry = methodOf(line);
        if (!entry) return [];
        const allowed = entry.type === "local" ? [...PROVEN, "peer"] : PROVEN;
        if (allowed.includes(entry.method)) return [];
        return [
          {
            subject,
            why: `${where} has the line "${line.trim().replace(/\s+/g, " ")}", whose method is ${entry.method || "missing"}`,
            remedy: `the method ${entry.type === "local" ? "peer" : "scram-sha-256"}`,
          },
        ];
      });
      const { password_encryption: encryption } = parseSettings(text);
      if (encryption !== undefined && encryption !== "scram-sha-256") {
        lines.push({
          subject,
          why: `${where} sets password_encryption to ${encryption}`,
          remedy: "password_encryption = scram-sha-256, or leave it out",
        });
      }
      return lines;
    });
  },
});
