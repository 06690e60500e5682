/**
 * The certificate authority of a stack, computed from a secret that the state keeps. The same secret always gives the
 * same key and the same certificate, so that a deployment which changes nothing changes no certificate either.
 */
import { createECDH, createHash, createPrivateKey, createPublicKey, hkdfSync } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  BasicConstraints,
  Certificate,
  Extension,
  Extensions,
  id_ce_basicConstraints,
  id_ce_keyUsage,
  id_ce_subjectKeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";

/** A key and its certificate, as PEM. */
export interface Authority {
  /** PKCS #8. A secret. */
  key: string;
  certificate: string;
}

/** Object identifiers: the common name (RFC 5280, A.1), and ECDSA with SHA-256 (RFC 5758, 3.2). */
const COMMON_NAME = "2.5.4.3";
const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";

/** Before any stack existed: the date of a certificate that is computed cannot be that of its computation. */
const NOT_BEFORE = new Date("2026-01-01T00:00:00Z");
/** "No well-defined expiration date" (RFC 5280, 4.1.2.5): an authority is replaced on purpose. */
const NOT_AFTER = new Date("9999-12-31T23:59:59Z");

/** Bytes from which a private key is made: 128 bits more than it has, so that no key is likelier (FIPS 186-5, A.2.1). */
const KEY_MATERIAL = 48;

const sequence = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;

/** PEM (RFC 7468). */
function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

function commonName(text: string): Name {
  const value = new AttributeValue({ utf8String: text });
  return new Name([new RelativeDistinguishedName([new AttributeTypeAndValue({ type: COMMON_NAME, value })])]);
}

const extension = (extnID: string, critical: boolean, value: object) =>
  new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });

/**
 * The authority of a secret: a P-256 key, because libpq's channel binding does not work with Ed25519, and a certificate
 * that may sign servers' certificates and no other authority. Its signature is deterministic (RFC 6979).
 *
 * @param secret random characters with at least 128 bits of entropy
 * @param name its common name, at most 64 characters (RFC 5280, ub-common-name)
 */
export function authorityFrom(secret: string, name: string): Authority {
  const material = hkdfSync("sha256", secret, "transcript-pipeline", "certificate authority", KEY_MATERIAL);
  const privateKey = p256.utils.randomSecretKey(new Uint8Array(material));
  const pair = createECDH("prime256v1");
  pair.setPrivateKey(privateKey);
  const point = pair.getPublicKey();
  // An uncompressed point: 4, x, y (SEC 1, 2.3.3).
  const [x, y, d] = ([point.subarray(1, 33), point.subarray(33), privateKey] as const).map((part) =>
    Buffer.from(part).toString("base64url"),
  ) as [string, string, string];
  const key = createPrivateKey({ key: { kty: "EC", crv: "P-256", x, y, d }, format: "jwk" });
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" });

  const keyIdentifier = createHash("sha1").update(point).digest();
  const subject = commonName(name);
  const signatureAlgorithm = new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 });
  // Positive, and unique for a key (RFC 5280, 4.1.2.2).
  const serialNumber = createHash("sha256").update(point).update(name).digest().subarray(0, 16);
  serialNumber[0] = ((serialNumber[0] ?? 0) & 0x7f) | 0x40;
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: sequence(serialNumber),
    signature: signatureAlgorithm,
    issuer: subject,
    validity: new Validity({ notBefore: NOT_BEFORE, notAfter: NOT_AFTER }),
    subject,
    subjectPublicKeyInfo: AsnConvert.parse(sequence(publicKey), SubjectPublicKeyInfo),
    extensions: new Extensions([
      extension(id_ce_basicConstraints, true, new BasicConstraints({ cA: true, pathLenConstraint: 0 })),
      extension(id_ce_keyUsage, true, new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign)),
      extension(id_ce_subjectKeyIdentifier, false, new SubjectKeyIdentifier(sequence(keyIdentifier))),
    ]),
  });
  const signed = new Uint8Array(AsnConvert.serialize(tbsCertificate));
  const signature = p256.sign(signed, privateKey, { format: "der", lowS: false });
  const certificate = new Certificate({
    tbsCertificate,
    signatureAlgorithm,
    signatureValue: sequence(signature),
  });
  return {
    key: key.export({ type: "pkcs8", format: "pem" }).toString(),
    certificate: pem("CERTIFICATE", new Uint8Array(AsnConvert.serialize(certificate))),
  };
}
