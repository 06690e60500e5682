import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { authorityFrom, type Authority } from "../../../../components/tls/authority.ts";
import { projectFile } from "../../../../tools/cli.ts";

const HOST = "postgres.transcript-pipeline.svc.cluster.local";
const DAY = 24 * 3600 * 1000;

describe("the server's certificate, in its container", function () {
  this.timeout(30_000);
  let root: string;
  let keeper: ChildProcess | undefined;
  let said: string;
  const one = authorityFrom("1".repeat(40), "test database CA 1");
  const other = authorityFrom("2".repeat(40), "test database CA 2");

  const path = (name: string) => join(root, name);
  const published = (file = "tls.crt") => path(`run/tls/current/${file}`);
  const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: ["ignore", "pipe", "pipe"] });
  const read = () => new X509Certificate(readFileSync(published()));
  const problem = () =>
    existsSync(path("run/tls/problem")) ? readFileSync(path("run/tls/problem"), "utf8") : "";

  function trust(...authorities: Authority[]): void {
    writeFileSync(path("etc/tls-trust/ca.crt"), authorities.map(({ certificate }) => certificate).join(""));
  }
  function signedBy(authority: Authority): void {
    writeFileSync(path("etc/tls/tls.crt"), authority.certificate);
    writeFileSync(path("etc/tls/tls.key"), authority.key);
  }
  /** A certificate as somebody else renews it, for some days from now. */
  function made(
    days: number,
    { by = one, name = HOST, algorithm = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"] } = {},
  ): { key: string; certificate: string } {
    const folder = mkdtempSync(join(root, "made-"));
    const file = (ending: string) => join(folder, ending);
    writeFileSync(file("ca.crt"), by.certificate);
    writeFileSync(file("ca.key"), by.key);
    openssl("genpkey", ...algorithm, "-out", file("key"));
    openssl("req", "-new", "-key", file("key"), "-subj", "/CN=x", "-out", file("csr"));
    writeFileSync(file("ext"), `subjectAltName=DNS:${name}\nextendedKeyUsage=serverAuth\n`);
    openssl(
      ...["x509", "-req", "-in", file("csr"), "-CA", file("ca.crt"), "-CAkey", file("ca.key")],
      ...["-days", String(days), "-extfile", file("ext"), "-out", file("crt")],
    );
    return { key: file("key"), certificate: file("crt") };
  }
  function give({ key, certificate }: { key: string; certificate: string }): void {
    copyFileSync(certificate, path("etc/tls/tls.crt"));
    copyFileSync(key, path("etc/tls/tls.key"));
  }
  function start(source: "generated" | "secret", TRUST = "authority"): void {
    said = "";
    keeper = spawn("bash", ["--norc", path("lib/certificate.sh")], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env.PATH, ROOT: root, SOURCE: source, HOST, TRUST, LOOK: "1" },
    });
    for (const stream of [keeper.stdout, keeper.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => (said += text));
  }
  async function until(what: string, holds: () => boolean): Promise<void> {
    for (const end = Date.now() + 20_000; !holds(); await pause(50))
      assert.ok(Date.now() < end, `${what} within 20 s; it said:\n${said}\n${problem()}`);
  }
  const isPublished = () => until("a certificate is published", () => existsSync(published()));

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "certificate-"));
    for (const name of ["etc/tls", "etc/tls-trust", "run/tls", "tmp", "lib"])
      mkdirSync(path(name), { recursive: true });
    copyFileSync(projectFile("components/tls/scripts/certificate.sh"), path("lib/certificate.sh"));
    writeFileSync(
      path("lib/names"),
      `${HOST}\npostgres\nlocalhost\n127.0.0.1\n2001:db8::1\n*.db.example.com\n`,
    );
  });
  afterEach(() => {
    keeper?.kill("SIGKILL");
    keeper = undefined;
    rmSync(root, { recursive: true, force: true });
  });

  describe("signed by the stack's own authority", () => {
    beforeEach(() => {
      signedBy(one);
      trust(one);
    });

    it("is one that clients accept under every name, with a key that only the server's user reads", async () => {
      start("generated");
      await isPublished();
      const certificate = read();
      assert.ok(certificate.verify(new X509Certificate(one.certificate).publicKey));
      for (const name of [HOST, "postgres", "localhost", "east.db.example.com"])
        assert.ok(certificate.checkHost(name), name);
      for (const address of ["127.0.0.1", "2001:db8::1"]) assert.ok(certificate.checkIP(address), address);
      assert.equal(certificate.checkHost("postgres.example.com"), undefined);
      assert.ok(!certificate.ca);
      assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1");
      assert.equal(statSync(published("tls.key")).mode & 0o077, 0);
      const [from, to] = [certificate.validFrom, certificate.validTo].map(
        (date) => Date.parse(date) - Date.now(),
      );
      assert.ok((from ?? 0) < -3000_000, "it reaches back, for clients whose clocks are late");
      assert.ok((to ?? 0) > 29 * DAY && (to ?? 0) < 31 * DAY);
      assert.equal(problem(), "");
    });

    it("is renewed ten days before its end, without anybody", async () => {
      start("generated");
      await isPublished();
      const { certificate } = made(9);
      copyFileSync(certificate, published());
      const late = read().serialNumber;
      await until("it is renewed", () => read().serialNumber !== late);
      assert.ok(Date.parse(read().validTo) - Date.now() > 29 * DAY);
    });

    it("is not renewed as long as nothing asks for it", async () => {
      start("generated");
      await isPublished();
      const { serialNumber } = read();
      await pause(4000);
      assert.equal(read().serialNumber, serialNumber);
      assert.equal(readdirSync(path("run/tls")).filter((name) => name.startsWith("certificate.")).length, 1);
    });

    it("is signed again when the authority changes, and clients already trust the new one", async () => {
      start("generated");
      await isPublished();
      signedBy(other);
      trust(one, other);
      await until("it is signed by the other", () =>
        read().verify(new X509Certificate(other.certificate).publicKey),
      );
    });

    it("is not replaced by one that clients do not trust yet, and that is reported", async () => {
      start("generated");
      await isPublished();
      const { serialNumber } = read();
      signedBy(other);
      await until("it is reported", () => problem() !== "");
      assert.match(
        problem(),
        /clients do not accept tls\.crt as postgres\.transcript.*keeps the certificate/s,
      );
      assert.equal(read().serialNumber, serialNumber);
    });

    it("is no longer reported when what was wrong is as it was before", async () => {
      start("generated");
      await isPublished();
      const { serialNumber } = read();
      writeFileSync(path("etc/tls/tls.key"), "damaged");
      await until("it is reported", () => /no certificate could be signed/.test(problem()));
      signedBy(one);
      await until("nothing is reported any more", () => problem() === "");
      assert.equal(read().serialNumber, serialNumber);
    });

    it("gets a new name without another start", async () => {
      start("generated");
      await isPublished();
      writeFileSync(path("lib/names"), `${HOST}\ndb.example.org\n`);
      await until("it has the name", () => read().checkHost("db.example.org") !== undefined);
    });

    it("comes as soon as a missing Secret does", async () => {
      rmSync(path("etc/tls/tls.key"));
      start("generated");
      await until("it is reported", () => problem() !== "");
      assert.match(problem(), /the Secret with the certificate is missing/);
      signedBy(one);
      await isPublished();
      await until("nothing is reported any more", () => problem() === "");
    });

    it("never shows a key in what is printed", async () => {
      start("generated");
      await isPublished();
      assert.doesNotMatch(said, /PRIVATE|BEGIN/);
      for (const line of one.key.split("\n").slice(1, -2)) assert.ok(!said.includes(line));
    });
  });

  describe("from a Secret that somebody else renews", () => {
    beforeEach(() => trust(one));

    it("is taken over when it is renewed, both files together", async () => {
      give(made(60));
      start("secret");
      await isPublished();
      const before = [read().serialNumber, readlinkSync(path("run/tls/current"))];
      const next = made(60);
      give(next);
      await until("the new one is published", () => read().serialNumber !== before[0]);
      assert.deepEqual(readFileSync(published("tls.key")), readFileSync(next.key));
      assert.notEqual(readlinkSync(path("run/tls/current")), before[1]);
      assert.equal(problem(), "");
    });

    const refused: Record<string, [() => void, RegExp]> = {
      "the key of another certificate": [
        () => copyFileSync(made(60).key, path("etc/tls/tls.key")),
        /tls\.key does not belong to tls\.crt/,
      ],
      "a key that is cut off": [
        () => writeFileSync(path("etc/tls/tls.key"), "-----BEGIN PRIVATE KEY-----\nMIGH\n"),
        /tls\.key cannot be read/,
      ],
      "something that is no certificate": [
        () => writeFileSync(path("etc/tls/tls.crt"), "nothing"),
        /tls\.crt cannot be read/,
      ],
      "one for another host": [
        () => give(made(60, { name: "other.example.com" })),
        /clients do not accept tls\.crt as postgres\.transcript-pipeline\S+: error 62 .*hostname mismatch/,
      ],
      "one of an authority that clients do not know": [
        () => give(made(60, { by: other })),
        /clients do not accept tls\.crt as .*error 20/,
      ],
      "one that expired": [() => give(made(-1)), /tls\.crt expired: notAfter=/],
      "one with a key that libpq cannot use": [
        () => give(made(60, { algorithm: ["-algorithm", "ED25519"] })),
        /Ed25519 or Ed448.*Allowed: ECDSA or RSA/,
      ],
      "none at all": [() => rmSync(path("etc/tls/tls.crt")), /the Secret with the certificate is missing/],
    };
    for (const [what, [damage, message]] of Object.entries(refused)) {
      it(`is not replaced by ${what}, and that is reported once`, async () => {
        give(made(60));
        start("secret");
        await isPublished();
        const before = [readFileSync(published(), "utf8"), readFileSync(published("tls.key"), "utf8")];
        damage();
        await until("it is reported", () => message.test(problem()));
        await pause(2500);
        assert.deepEqual(
          [readFileSync(published(), "utf8"), readFileSync(published("tls.key"), "utf8")],
          before,
        );
        // One of them may first be seen half-way, as the key of another certificate.
        assert.ok(said.split("PROBLEM").length - 1 <= 2, said);
      });
    }

    it("is missed two weeks before its end, and when it has ended", async () => {
      give(made(13));
      start("secret");
      await isPublished();
      await until("it is reported", () => problem() !== "");
      assert.match(problem(), /expires soon, and nobody has renewed it: notAfter=/);
      give(made(60));
      await until("it is renewed", () => problem() === "");
    });

    it("is checked without an authority where clients use the roots of their systems", async () => {
      give(made(60, { by: other }));
      start("secret", "system");
      await isPublished();
      give(made(60, { by: other, name: "other.example.com" }));
      await until("a wrong name is reported", () => problem() !== "");
      assert.match(problem(), /clients do not accept tls\.crt as postgres\./);
    });
  });

  describe("before there is one", () => {
    const prepare = (seconds: string) => {
      const script = readFileSync(projectFile("components/tls/scripts/prepare-certificate.sh"), "utf8");
      writeFileSync(
        path("lib/prepare.sh"),
        script.replace("published=/run/tls", `published=${root}/run/tls`),
      );
      return execFileSync("bash", ["--norc", path("lib/prepare.sh"), seconds], {
        encoding: "utf8",
        stdio: "pipe",
      });
    };

    it("the server gets one to start with, which no client that verifies accepts, and then the right one", async () => {
      prepare("0");
      const stopgap = read();
      assert.equal(stopgap.checkHost(HOST), undefined);
      assert.equal(statSync(published("tls.key")).mode & 0o077, 0);
      signedBy(one);
      trust(one);
      start("generated");
      await until("the right one is there", () => read().checkHost(HOST) !== undefined);
      await until(
        "the other one is gone",
        () => !readdirSync(path("run/tls")).some((name) => name.startsWith("stopgap.")),
      );
    });

    it("the server waits no longer than until it is there", async () => {
      signedBy(one);
      trust(one);
      start("generated");
      await isPublished();
      const { serialNumber } = read();
      prepare("15");
      assert.equal(read().serialNumber, serialNumber);
    });
  });
});
