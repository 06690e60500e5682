/** The section `tls`: the server's certificate, and whether connections without it are accepted. */
import type { Problem } from "../problem.ts";
import { settingName } from "../postgres/settings.ts";
import { defaulted, dnsName, hostNames, namesOnce, oneOf } from "./fields.ts";
import { commandToRemove, commandToSet, type Section, type ValuesOf } from "./reader.ts";

const version = oneOf(["1.3", "1.2"], {
  description: "Oldest version of TLS that the server speaks. `1.2`: for drivers that know no other",
});

export const tls = {
  source: defaulted(
    "generated",
    oneOf(["generated", "existing", "cert-manager", "none"], {
      description:
        "Who signs the server's certificate. `generated`: an authority of this stack, without any further work. `existing`: whoever renews the Secret `secretName`. `cert-manager`: `issuer`. `none`: nobody; connections are plain text",
    }),
  ),
  secretName: defaulted(
    "postgres-tls",
    dnsName({
      description: "`existing`: the Secret in the database's namespace, with tls.crt, tls.key and ca.crt",
    }),
  ),
  issuer: dnsName({ description: "`cert-manager`: name of the issuer" }),
  issuerKind: defaulted(
    "Issuer",
    oneOf(["Issuer", "ClusterIssuer"], { description: "`cert-manager`: kind of the issuer" }),
  ),
  trust: defaulted(
    "authority",
    oneOf(["authority", "system"], {
      description:
        "`existing`, `cert-manager`: what clients verify the certificate with. `authority`: the Secret's ca.crt. `system`: the roots of their own systems, for a public authority",
    }),
  ),
  authorities: defaulted(
    ["1"],
    namesOnce(
      /^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/,
      "one to three different names of 22 lower-case letters, digits and '-' at most",
      3,
      {
        description:
          "`generated`: names of the authorities. The first one signs, clients trust all of them. For a change of the authority: docs/certificate-authority.md",
      },
    ),
  ),
  names: defaulted(
    [],
    hostNames({
      description: "Further DNS names and addresses under which clients reach the server from elsewhere",
    }),
  ),
  minimumVersion: defaulted("1.3", {
    ...version,
    // `pulumi config set --path` makes a number of it.
    parse: (written: unknown) => version.parse(typeof written === "number" ? String(written) : written),
  }),
  plainConnections: oneOf(["refused", "accepted"], {
    description:
      "Logins over the network without TLS. Default: `refused`, but a stack that accepts them keeps doing so, with a warning, until it is set",
  }),
} as const satisfies Section;

/** The section's values. */
export type TlsValues = ValuesOf<typeof tls>;

/** Settings of PostgreSQL that TLS sets itself. */
const OWN_SETTINGS = ["ssl", "ssl_cert_file", "ssl_key_file", "ssl_min_protocol_version", "ssl_ciphers"];

/** Checks how the fields fit together, and the server's settings. */
export function tlsProblems({
  tls: written,
  database: { settings },
}: {
  tls: TlsValues;
  database: { settings: Readonly<Record<string, string>> };
}): Problem[] {
  const problems: Problem[] = [];
  const { source, trust, issuer, names, plainConnections } = written;
  if (source === "cert-manager" && issuer === undefined) {
    problems.push({
      key: "tls.issuer",
      message: `is missing, but tls.source is cert-manager. Choose one of \`kubectl get issuers,clusterissuers -A\` and set it: ${commandToSet("tls.issuer", false)}`,
    });
  }
  if (source === "generated" && trust === "system") {
    problems.push({
      key: "tls.trust",
      message: `is system, but no system trusts an authority of this stack, which tls.source generated means. Allowed: authority. To remove it: ${commandToRemove("tls.trust")}`,
    });
  }
  if (source !== "none" && trust === "system" && names.length === 0) {
    problems.push({
      key: "tls.names",
      message: `is empty, but tls.trust is system, and no public authority signs a name of the cluster: clients connect by the first of these names, which must lead to Service postgres. Set it: ${commandToSet("tls.names[0]", false)}`,
    });
  }
  if (source === "none") {
    if (plainConnections === "refused") {
      problems.push({
        key: "tls.plainConnections",
        message: `is refused, but tls.source is none, so nobody could log in over the network. Allowed: accepted. To remove it: ${commandToRemove("tls.plainConnections")}`,
      });
    }
    return problems;
  }
  for (const name of Object.keys(settings).filter((setting) => OWN_SETTINGS.includes(settingName(setting)))) {
    const key = `database.settings.${name}`;
    const instead =
      settingName(name) === "ssl_min_protocol_version" ? " Use tls.minimumVersion instead." : "";
    problems.push({
      key,
      message: `is set by tls and cannot be configured.${instead} To remove it: ${commandToRemove(key)}`,
    });
  }
  return problems;
}

/** What is doubtful about them. */
export function tlsWarnings({ tls: { source, minimumVersion } }: { tls: TlsValues }): string[] {
  if (source === "none") {
    return [
      "tls.source is none: passwords are protected, but every statement and every row crosses the network as plain text. " +
        "To encrypt connections: pulumi config set --path tls.source generated",
    ];
  }
  return minimumVersion === "1.2"
    ? [
        "tls.minimumVersion is 1.2, for old drivers: TLS 1.3 hides more of the handshake and has no weak variants. Once every " +
          "driver knows it: pulumi config rm --path tls.minimumVersion",
      ]
    : [];
}
