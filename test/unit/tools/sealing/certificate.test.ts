import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CertificateError,
  readSealingCertificate,
  sealingCertificate,
} from "../../../../tools/sealing/certificate.ts";
import { made } from "./certificates.ts";

const NOW = new Date("2026-12-01T00:00:00Z");
const FETCH =
  "kubectl get --raw /api/v1/namespaces/kube-system/services/http:sealed-secrets-controller:8080/proxy/v1/cert.pem > ";

/** The error, which must say what to type. */
function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof CertificateError);
    assert.ok(error.message.includes(FETCH), error.message);
    assert.match(error.message, /kubeseal --fetch-cert/);
    return error.message;
  }
  return assert.fail("it was accepted");
}

describe("the certificate to seal with", () => {
  const good = made("rsa:3072");

  it("is taken as the controller gives it, also as the first of several", () => {
    for (const text of [good.certificate, `\n${good.certificate}${made("ec").certificate}`]) {
      const { publicKey, warnings } = sealingCertificate(text, "sealing.pem", NOW);
      assert.equal(publicKey.asymmetricKeyDetails?.modulusLength, 3072);
      assert.deepEqual(warnings, []);
    }
  });

  it("is refused, with the command that fetches it, if it is none", () => {
    const damaged = good.certificate.replace("MII", "MIJ");
    for (const text of ["", "<html>", damaged, "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"]) {
      const message = refusal(() => sealingCertificate(text, "sealing.pem", NOW));
      assert.match(message, /^sealing\.pem is not a certificate in PEM form\. /);
    }
  });

  it("is refused if the file is missing or a folder", () => {
    const folder = mkdtempSync(join(tmpdir(), "sealing-"));
    try {
      const missing = join(folder, "none.pem");
      assert.ok(
        refusal(() => readSealingCertificate(missing)).startsWith(
          `${missing}, the certificate to seal with, does not exist. `,
        ),
      );
      assert.match(
        refusal(() => readSealingCertificate(folder)),
        /cannot be read \(EISDIR\)/,
      );
      const file = join(folder, "good.pem");
      writeFileSync(file, good.certificate);
      assert.deepEqual(readSealingCertificate(file, NOW).warnings, []);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("is refused if it is for another kind of key, which the controller never has", () => {
    const message = refusal(() => sealingCertificate(made("ec").certificate, "tls.crt", NOW));
    assert.match(message, /^tls\.crt is a certificate for a key of type ec, .* RSA keys only/);
  });

  it("is refused if the key is too short to encrypt with, and warned about if it can be broken", () => {
    assert.match(
      refusal(() => sealingCertificate(made("rsa:512").certificate, "s.pem", NOW)),
      /an RSA key of 512 bits, too short/,
    );
    const { warnings } = sealingCertificate(made("rsa:1024").certificate, "s.pem", NOW);
    assert.deepEqual(warnings, ["s.pem is for an RSA key of 1024 bits, and less than 2048 can be broken"]);
  });

  it("is refused if the file holds a private key, with or without the certificate", () => {
    for (const text of [good.key, good.certificate + good.key]) {
      const message = refusal(() => sealingCertificate(text, "main.key", NOW));
      assert.match(message, /^main\.key holds a private key, and --seal takes only the certificate/);
    }
  });

  it("is warned about, and used, when it has expired or is not valid yet", () => {
    const expired = sealingCertificate(good.certificate, "s.pem", new Date("2036-01-02T00:00:00Z"));
    assert.equal(expired.publicKey.asymmetricKeyType, "rsa");
    assert.equal(expired.warnings.length, 1);
    assert.match(
      expired.warnings[0] ?? "",
      /^s\.pem expired on 2036-01-01T00:00:00\.000Z\. .*kubectl get --raw/,
    );
    const early = sealingCertificate(good.certificate, "s.pem", new Date("2025-12-31T00:00:00Z"));
    assert.match(early.warnings.join(), /valid only from 2026-01-01T00:00:00\.000Z on/);
  });
});
