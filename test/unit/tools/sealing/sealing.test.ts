import assert from "node:assert/strict";
import { sealingCertificate } from "../../../../tools/sealing/certificate.ts";
import { sealed } from "../../../../tools/sealing/sealing.ts";
import { made } from "./certificates.ts";
import { opened } from "./opened.ts";

describe("sealing a value", () => {
  const { certificate, key } = made("rsa:3072");
  const { publicKey } = sealingCertificate(certificate, "c.pem", new Date("2026-12-01"));
  const place = { namespace: "transcript-pipeline", name: "postgres-secret" };

  it("gives what the controller's key opens, whatever the value is", () => {
    for (const value of ["p", "pass wörd\n€\0", "x".repeat(100_000)])
      assert.equal(opened(sealed(value, place, publicKey), place, key), value);
  });

  it("opens for no other name, namespace or key", () => {
    const text = sealed("secret", place, publicKey);
    assert.throws(() => opened(text, { ...place, name: "postgres-superuser" }, key), /oaep|decoding/i);
    assert.throws(() => opened(text, { ...place, namespace: "default" }, key), /oaep|decoding/i);
    assert.throws(() => opened(text, place, made("rsa:3072").key), /oaep|decoding|data too/i);
  });

  it("is authentic: a changed byte is refused", () => {
    const bytes = Buffer.from(sealed("secret", place, publicKey), "base64");
    bytes[bytes.length - 17] = (bytes[bytes.length - 17] ?? 0) ^ 1;
    assert.throws(() => opened(bytes.toString("base64"), place, key), /authenticate/);
  });

  it("is different each time, and does not contain the value", () => {
    const [one, other] = [1, 2].map(() => sealed("secret", place, publicKey));
    assert.notEqual(one, other);
    assert.ok(!Buffer.from(one ?? "", "base64").includes("secret"));
    // The controller's own begin so: 0x0180 bytes of an RSA key with 3072 bits.
    assert.equal(Buffer.from(one ?? "", "base64").readUInt16BE(0), 3072 / 8);
  });
});
