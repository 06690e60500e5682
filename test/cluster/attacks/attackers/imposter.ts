/**
 * Somebody between a client and the server: a PostgreSQL of their own, in the client's pod, to which the client's
 * connections lead. It lets everybody in, so that nothing but its certificate tells it from the server.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asks, type Deed } from "../acts.ts";
import type { Attacker, Attempt } from "../attempt.ts";
import { HOST } from "../../client-pod.ts";
import { secretValue, succeed } from "../../support.ts";
import { type Stage, VERIFIED } from "../stage.ts";

const PORT = 5433;
const DATA = "/var/lib/postgresql/imposter";
/** The client's own words for the server, and whom it reaches by them. */
const deceived = `${VERIFIED} hostaddr=127.0.0.1 port=${PORT}`;

/** What the imposter shows. */
interface Certificate {
  /** @default the server's */
  name?: string;
  /** Days from now. @default 1 */
  days?: number;
  /** Who signs it: the stack's authority, whose key only the certificate's container has, or one of their own. */
  by: "the authority" | "themselves";
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** Makes one with OpenSSL. */
async function made({
  name = HOST,
  days = 1,
  by,
}: Certificate): Promise<{ key: string; certificate: string }> {
  const folder = mkdtempSync(join(tmpdir(), "transcript-pipeline-imposter-"));
  const file = (base: string) => join(folder, base);
  try {
    if (by === "the authority") {
      for (const half of ["key", "crt"])
        writeFileSync(file(`ca.${half}`), await secretValue("postgres-ca", `tls\\.${half}`), { mode: 0o600 });
    } else {
      const authority = ["req", "-x509", ...KEY, "-days", "1", "-subj", "/CN=another"];
      await succeed("openssl", [...authority, "-keyout", file("ca.key"), "-out", file("ca.crt")]);
    }
    await succeed("openssl", [
      ...["req", ...KEY, "-subj", "/CN=server", "-addext", `subjectAltName=DNS:${name}`],
      ...["-keyout", file("key"), "-out", file("csr")],
    ]);
    await succeed("openssl", [
      ...["x509", "-req", "-in", file("csr"), "-CA", file("ca.crt"), "-CAkey", file("ca.key")],
      ...["-days", String(days), "-copy_extensions", "copy", "-out", file("crt")],
    ]);
    return { key: readFileSync(file("key"), "utf8"), certificate: readFileSync(file("crt"), "utf8") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A command in the client's pod; must succeed. */
async function inClient({ pods }: Stage, line: string, input = ""): Promise<void> {
  const ran = await pods.client.run(["bash", "-c", `set -euo pipefail; ${line}`], input);
  assert.equal(ran.status, 0, ran.output);
}

/** Starts the imposter with a certificate, or, without one, in plain text. The first time, makes it. */
async function pretend(stage: Stage, shown: Certificate | undefined): Promise<void> {
  await inClient(
    stage,
    `[ -e ${DATA} ] || { initdb -D ${DATA} -U transcript_user --auth=trust --no-sync >/dev/null
     echo 'create database transcripts_db' | postgres --single -D ${DATA} postgres >/dev/null 2>&1; }`,
  );
  if (shown !== undefined) {
    const { key, certificate } = await made(shown);
    await inClient(stage, `umask 077; cat >${DATA}/server.key`, key);
    await inClient(stage, `cat >${DATA}/server.crt`, certificate);
  }
  const options = `-c listen_addresses=127.0.0.1 -c port=${PORT} -c ssl=${shown !== undefined} -k /tmp -c shared_buffers=1MB -c max_connections=5 -c fsync=off`;
  await inClient(
    stage,
    `pg_ctl -D ${DATA} -m immediate -w stop >/dev/null 2>&1 || true
     pg_ctl -D ${DATA} -o '${options}' -l /tmp/imposter.log -w start >/dev/null`,
  );
}

/** Connects to the imposter, who shows a certificate. */
const meets =
  (shown: Certificate | undefined, way = deceived): Deed =>
  async (stage) => {
    await pretend(stage, shown);
    return asks("select 1", { way })(stage);
  };

/** The imposter whom nothing tells from the server: the control of all others. */
const perfect = meets({ by: "the authority" });

const shows = (tries: string, shown: Certificate | undefined, refused: RegExp): Attempt<Stage> => ({
  tries,
  attack: meets(shown),
  refused,
  control: perfect,
});

export const imposter: Attacker<Stage> = {
  who: "a server that pretends to be the database",
  attempts: [
    shows(
      "has a certificate of another authority",
      { by: "themselves" },
      /SSL error: certificate verify failed/,
    ),
    shows(
      "has a certificate of the authority for another name",
      { by: "the authority", name: "postgres.media.svc.cluster.local" },
      /server certificate for .* does not match host name/,
    ),
    shows(
      "has a certificate of the authority that has expired",
      { by: "the authority", days: -1 },
      /SSL error: certificate verify failed/,
    ),
    shows("has no certificate", undefined, /server does not support SSL, but SSL was required/),
    {
      tries: "has the server's own certificate, and asks for no proof of the password",
      attack: meets({ by: "the authority" }, `${deceived} channel_binding=require`),
      refused: /channel binding required, but server authenticated client without channel binding/,
      control: asks("select 1", { way: `${VERIFIED} channel_binding=require` }),
    },
    {
      tries: "is reached by its address, which no certificate has",
      attack: asks("select 1", { way: ({ server }) => VERIFIED.replace(HOST, server) }),
      refused: /server certificate for .* does not match host name/,
      control: asks("select 1"),
    },
  ],
};
