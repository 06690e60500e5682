/** Certificates of an S3 server: of an authority that a repository names, or of another, valid or expired. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { succeed } from "../support.ts";

/** A certificate with its key, in PEM. */
export interface ServerCertificate {
  crt: string;
  key: string;
}

/** A certificate authority in a folder of its own. */
export class Authority {
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Creates its key and its certificate. */
  async create(): Promise<this> {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    await this.openssl(
      ...["req", "-x509", "-days", "30", "-subj", `/CN=authority`, "-keyout", "ca.key", "-out", "ca.crt"],
      ...["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
    );
    return this;
  }

  /** Its certificate in PEM. */
  get crt(): string {
    return readFileSync(join(this.folder, "ca.crt"), "utf8");
  }

  /**
   * Issues a server's certificate.
   *
   * @param days from now until it expires; negative for one that has expired
   */
  async issue(host: string, days = 30): Promise<ServerCertificate> {
    writeFileSync(
      join(this.folder, "extensions"),
      `basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:${host}\n`,
    );
    await this.openssl(
      ...["req", "-new", "-subj", `/CN=store`, "-keyout", "server.key", "-out", "server.csr"],
      ...["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
    );
    await this.openssl(
      ...["x509", "-req", "-in", "server.csr", "-out", "server.crt", "-extfile", "extensions"],
      ...["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", String(days)],
    );
    const read = (file: string) => readFileSync(join(this.folder, file), "utf8");
    return { crt: read("server.crt"), key: read("server.key") };
  }

  private openssl(...args: string[]): Promise<unknown> {
    return succeed("openssl", args, { cwd: this.folder });
  }
}
