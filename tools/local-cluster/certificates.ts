import { generateKeyPairSync } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../processes.ts";

/** The subject of a certificate: a Kubernetes user, its group, and for servers the addresses. */
interface Subject {
  user: string;
  group?: string;
  addresses?: string[];
  /** Who signs it. Default: the cluster's authority. */
  authority?: typeof REQUEST_HEADER_AUTHORITY;
}

/**
 * Signs the certificate with which the API server passes requests on to other API servers, such as metrics-server. They
 * believe its holder whoever it names as the user: an authority of its own, so that no other certificate will do.
 */
export const REQUEST_HEADER_AUTHORITY = "request-header-ca";

const tenYears = "3650";
const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** The cluster's certificate authorities and what they signed; created once, kept in the cluster's state folder. */
export class Certificates {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Creates the authorities and the key that signs service accounts' tokens, unless they exist. */
  async prepare(clusterName: string): Promise<void> {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const authorities = { ca: clusterName, [REQUEST_HEADER_AUTHORITY]: `${clusterName}-request-header` };
    for (const [name, commonName] of Object.entries(authorities)) {
      if (existsSync(this.path(`${name}.crt`))) continue;
      const subject = ["-subj", `/CN=${commonName}`, "-days", tenYears];
      await run("openssl", ["req", "-x509", ...curve, ...subject, ...this.output(name)]);
    }
    if (!existsSync(this.path("service-accounts.key"))) {
      const { privateKey, publicKey } = generateKeyPairSync("rsa", {
        modulusLength: 2048,
        publicKeyEncoding: { type: "spki", format: "pem" },
        privateKeyEncoding: { type: "pkcs8", format: "pem" },
      });
      writeFileSync(this.path("service-accounts.pub"), publicKey);
      writeFileSync(this.path("service-accounts.key"), privateKey, { mode: 0o600 });
    }
  }

  /** Creates `<name>.crt` and `<name>.key`, unless they exist and name the same subject. */
  async issue(name: string, subject: Subject): Promise<void> {
    const wanted = JSON.stringify(subject);
    const record = this.path(`${name}.subject`);
    if (existsSync(record) && readFileSync(record, "utf8") === wanted) return;
    const distinguished = `${subject.group === undefined ? "" : `/O=${subject.group}`}/CN=${subject.user}`;
    const alternatives = (subject.addresses ?? []).map(
      (one) => `${/^[\d.]+$/.test(one) ? "IP" : "DNS"}:${one}`,
    );
    const authority = subject.authority ?? "ca";
    await run("openssl", [
      ...["req", "-x509", ...curve],
      ...["-CA", this.path(`${authority}.crt`), "-CAkey", this.path(`${authority}.key`)],
      ...["-subj", distinguished, "-days", tenYears, ...this.output(name)],
      ...["-addext", "basicConstraints=critical,CA:FALSE"],
      ...["-addext", "extendedKeyUsage=clientAuth,serverAuth"],
      ...(alternatives.length > 0 ? ["-addext", `subjectAltName=${alternatives.join(",")}`] : []),
    ]);
    chmodSync(this.path(`${name}.key`), 0o600);
    writeFileSync(record, wanted);
  }

  /** A self-contained kubeconfig for the holder of certificate `name`. */
  kubeconfig(name: string, context: string, server: string): string {
    const data = (file: string): string => readFileSync(this.path(file)).toString("base64");
    return JSON.stringify(
      {
        apiVersion: "v1",
        kind: "Config",
        "current-context": context,
        clusters: [{ name: context, cluster: { server, "certificate-authority-data": data("ca.crt") } }],
        users: [
          {
            name: context,
            user: {
              "client-certificate-data": data(`${name}.crt`),
              "client-key-data": data(`${name}.key`),
            },
          },
        ],
        contexts: [{ name: context, context: { cluster: context, user: context } }],
      },
      undefined,
      2,
    );
  }

  /** Path of a file in the folder. */
  path(file: string): string {
    return join(this.folder, file);
  }

  private output(name: string): string[] {
    return ["-keyout", this.path(`${name}.key`), "-out", this.path(`${name}.crt`)];
  }
}
