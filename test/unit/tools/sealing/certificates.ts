/** Certificates for the tests of sealing, made by OpenSSL. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate, and its key. */
export interface Made {
  certificate: string;
  key: string;
}

/** Makes a certificate that signs itself, as the controller does. */
export function made(
  key: "rsa:3072" | "rsa:1024" | "rsa:512" | "ec",
  { from = "20260101000000Z", to = "20360101000000Z" } = {},
): Made {
  const folder = mkdtempSync(join(tmpdir(), "sealing-"));
  try {
    const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
    const newKey = key === "ec" ? ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"] : ["-newkey", key];
    openssl("req", "-new", "-nodes", ...newKey, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/");
    // Only `ca` sets both dates.
    const config =
      "[ca]\ndefault_ca=own\n[own]\ndatabase=index\nnew_certs_dir=.\nserial=serial\npolicy=any\n[any]\n";
    execFileSync(
      "sh",
      ["-c", ': >index; echo 01 >serial; cat >ca.conf; echo "unique_subject=no" >index.attr'],
      {
        cwd: folder,
        input: config,
      },
    );
    const dates = ["-startdate", from, "-enddate", to];
    const files = ["-in", "request.pem", "-out", "certificate.pem", "-keyfile", "key.pem"];
    openssl(
      "ca",
      "-batch",
      "-selfsign",
      "-config",
      "ca.conf",
      "-md",
      "sha256",
      "-notext",
      ...dates,
      ...files,
    );
    const read = (name: string) => readFileSync(join(folder, name), "utf8");
    return { certificate: read("certificate.pem"), key: read("key.pem") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
