/** Reads the certificate with whose key values are sealed. */
import { readFileSync } from "node:fs";
import { type KeyObject, X509Certificate } from "node:crypto";

/** A certificate of the Sealed Secrets controller. */
export interface SealingCertificate {
  /** RSA. */
  publicKey: KeyObject;
  /** What is questionable about it. */
  warnings: string[];
}

/** A certificate that cannot be used for sealing. */
export class CertificateError extends Error {}

/** Where Sealed Secrets is installed by default: the namespace, and the controller's name, which some charts change. */
const CONTROLLER = { namespace: "kube-system", name: "sealed-secrets-controller" };

/** Fetches the certificate without kubeseal. It is public. */
const FETCH = `kubectl get --raw /api/v1/namespaces/${CONTROLLER.namespace}/services/http:${CONTROLLER.name}:8080/proxy/v1/cert.pem`;

/** What to type. Not into the file that was refused, which may be something else's. */
const fetchTo = (file = "sealing.pem") =>
  `Fetch the certificate of the controller in the cluster: ${FETCH} > ${file} (a controller in another namespace or ` +
  "with another name has these in the path; with kubeseal: kubeseal --fetch-cert)";

/** The smallest RSA key that NIST accepts (SP 800-57 part 1, table 2), in bits. The controller's have 4096. */
const SMALLEST_KEY = 2048;
/** Bytes that OAEP with SHA-256 needs besides the text (RFC 8017, 7.1.1). */
const OAEP_BYTES = 2 * 32 + 2;
/** Bytes of the key that is encrypted. */
const SESSION_KEY = 32;

const FIRST_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/;

/**
 * The certificate in a text, the first one of several, as kubeseal takes it.
 *
 * @param text PEM
 * @param file where it is from, for messages
 * @param now the current time
 * @throws CertificateError with what to type, if nothing can be sealed with it
 */
export function sealingCertificate(text: string, file: string, now: Date = new Date()): SealingCertificate {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
    throw new CertificateError(
      `${file} holds a private key, and --seal takes only the certificate: keep the key out of the project. ` +
        fetchTo(),
    );
  }
  const certificate = parsed(FIRST_CERTIFICATE.exec(text)?.[0] ?? "");
  if (certificate === undefined) {
    throw new CertificateError(`${file} is not a certificate in PEM form. ${fetchTo()}`);
  }
  const { publicKey } = certificate;
  if (publicKey.asymmetricKeyType !== "rsa") {
    throw new CertificateError(
      `${file} is a certificate for a key of type ${publicKey.asymmetricKeyType ?? "unknown"}, and the Sealed Secrets ` +
        `controller has RSA keys only: it belongs to something else. ${fetchTo()}`,
    );
  }
  const bits = publicKey.asymmetricKeyDetails?.modulusLength ?? 0;
  if (bits < 8 * (SESSION_KEY + OAEP_BYTES)) {
    throw new CertificateError(
      `${file} is a certificate for an RSA key of ${bits} bits, too short to encrypt anything with. ${fetchTo()}`,
    );
  }
  const warnings: string[] = [];
  if (bits < SMALLEST_KEY)
    warnings.push(`${file} is for an RSA key of ${bits} bits, and less than ${SMALLEST_KEY} can be broken`);
  const [from, to] = [certificate.validFromDate, certificate.validToDate];
  if (to < now) {
    warnings.push(
      `${file} expired on ${to.toISOString()}. The controller opens what is sealed with it as long as it has the key, ` +
        `but has newer ones. ${fetchTo()}`,
    );
  }
  if (from > now) {
    warnings.push(`${file} is valid only from ${from.toISOString()} on: look at this machine's clock`);
  }
  return { publicKey, warnings };
}

function parsed(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/**
 * The certificate in a file.
 *
 * @throws CertificateError with what to type, if it cannot be read or nothing can be sealed with it
 */
export function readSealingCertificate(file: string, now: Date = new Date()): SealingCertificate {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "does not exist" : `cannot be read (${code ?? String(error)})`;
    throw new CertificateError(`${file}, the certificate to seal with, ${why}. ${fetchTo(file)}`);
  }
  return sealingCertificate(text, file, now);
}
