/** A certificate authority that is not the program's: what an existing Secret is made from. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CURVE = ["-pkeyopt", "ec_paramgen_curve:P-256"];

/** What a Secret for the server's certificate has. */
export interface Material {
  "tls.crt": string;
  "tls.key": string;
  "ca.crt": string;
}

/** UTC, as `openssl ca` takes it: 20261130013000Z. */
const moment = (date: Date) => date.toISOString().replace(/[-:T]|\.\d+/g, "");

const HOUR = 3_600_000;

export class OwnAuthority {
  private readonly folder = mkdtempSync(join(tmpdir(), "own-authority-"));
  /** Its certificate. */
  readonly certificate: string;

  constructor(name: string) {
    this.openssl(
      ...["req", "-x509", "-newkey", "ec", ...CURVE, "-nodes", "-days", "30", "-subj", `/CN=${name}`],
      ...["-addext", "keyUsage=critical,keyCertSign", "-keyout", this.path("ca.key")],
      ...["-out", this.path("ca.crt")],
    );
    this.certificate = this.read("ca.crt");
    const config = `[ca]
default_ca = own
[own]
certificate = ${this.path("ca.crt")}
private_key = ${this.path("ca.key")}
new_certs_dir = ${this.folder}
database = ${this.path("index")}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
`;
    writeFileSync(this.path("ca.cnf"), config);
    writeFileSync(this.path("index"), "");
  }

  private path(name: string): string {
    return join(this.folder, name);
  }

  private read(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  private openssl(...args: string[]): void {
    execFileSync("openssl", args, { stdio: ["ignore", "pipe", "pipe"] });
  }

  /**
   * A new key and a certificate for it.
   *
   * @param lasts until its end, in milliseconds from now; negative if that is over
   */
  signed(names: readonly string[], lasts: number): Material {
    this.openssl("genpkey", "-algorithm", "EC", ...CURVE, "-out", this.path("key"));
    this.openssl("req", "-new", "-key", this.path("key"), "-subj", "/CN=postgres", "-out", this.path("csr"));
    const all = names.map((name) => `DNS:${name}`).join(",");
    writeFileSync(this.path("ext"), `subjectAltName=${all}\nextendedKeyUsage=serverAuth\n`);
    const end = Date.now() + lasts;
    this.openssl(
      ...["ca", "-batch", "-notext", "-config", this.path("ca.cnf"), "-extfile", this.path("ext")],
      ...["-in", this.path("csr"), "-out", this.path("crt")],
      ...[
        "-startdate",
        moment(new Date(Math.min(end, Date.now()) - HOUR)),
        "-enddate",
        moment(new Date(end)),
      ],
    );
    return { "tls.crt": this.read("crt"), "tls.key": this.read("key"), "ca.crt": this.certificate };
  }

  /** The same key, encrypted. */
  encrypted(key: string, passphrase: string): string {
    writeFileSync(this.path("plain"), key, { mode: 0o600 });
    this.openssl(
      ...["pkey", "-in", this.path("plain"), "-aes256", "-passout", `pass:${passphrase}`],
      ...["-out", this.path("encrypted")],
    );
    return this.read("encrypted");
  }

  /** Deletes its files. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
