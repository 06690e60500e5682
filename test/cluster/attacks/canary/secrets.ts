/** Every secret of the deployed stack. */
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { APPLICATION } from "../../../../components/kubernetes/labels.ts";
import { secretsOfKubeconfig } from "../../../../tools/ci/secret-values.ts";
import { CiCheckout } from "../../ci/identities.ts";
import { kubectl } from "../../support.ts";
import type { Stage } from "../stage.ts";

/** Values of Secrets that everybody may know. */
const PUBLIC = /^(?:POSTGRES_USER|POSTGRES_DB|ca\.crt|tls\.crt)$/;
/** A shorter word is a kind or a name: a password has 40 characters, a line of a key 64. */
const SHORTEST = 20;

/** The words of a text that may be secrets: a password in a line, a line of a key. */
const words = (text: string) => text.split(/[\s=]+/).filter((word) => word.length >= SHORTEST);

/** What may be known under a name. */
export interface Known {
  name: string;
  value: string | Buffer;
}

/** The secrets of the namespace's Secrets, whichever there are. */
async function ofSecrets(): Promise<Known[]> {
  const { items } = JSON.parse(await kubectl("get", "secrets", "-n", APPLICATION, "-o", "json")) as {
    items: { metadata: { name: string }; data?: Record<string, string> }[];
  };
  return items.flatMap(({ metadata, data = {} }) =>
    Object.entries(data).flatMap(([key, encoded]) => {
      const text = Buffer.from(encoded, "base64").toString();
      return PUBLIC.test(key)
        ? []
        : words(text).map((value) => ({ name: `${metadata.name}, ${key}`, value }));
    }),
  );
}

/** What the engine decrypts of the state: also what passwords are computed from. */
async function ofState(stage: Stage): Promise<Known[]> {
  const { stdout } = await stage.ci.pulumi("operator", "stack", "export", "--show-secrets");
  const { deployment } = JSON.parse(stdout) as {
    deployment: {
      resources: { type: string; urn: string; outputs?: Record<string, { plaintext?: string }> }[];
    };
  };
  return deployment.resources
    .filter(({ type }) => type.startsWith("random:"))
    .flatMap(({ urn, outputs = {} }) =>
      Object.entries(outputs).flatMap(([key, { plaintext }]) =>
        plaintext === undefined
          ? []
          : [{ name: `${urn.split("::").at(-1)}, ${key}`, value: JSON.parse(plaintext) as string }],
      ),
    );
}

/** All of them, each once. */
export async function secretsOfStage(stage: Stage): Promise<Known[]> {
  const key = await kubectl(
    "get",
    "secret",
    "postgres-ca",
    "-n",
    APPLICATION,
    "-o",
    "jsonpath={.data.tls\\.key}",
  );
  const { d = "" } = createPrivateKey(Buffer.from(key, "base64")).export({ format: "jwk" });
  const [fromSecrets, fromState] = [await ofSecrets(), await ofState(stage)];
  const all: Known[] = [
    ...fromSecrets,
    ...fromState,
    { name: "the authority's key", value: Buffer.from(d, "base64url") },
    { name: "the passphrase of the state", value: CiCheckout.passphrase },
    ...(["deploy", "preview"] as const).flatMap((who) =>
      secretsOfKubeconfig(readFileSync(stage.ci.kubeconfig(who), "utf8"))
        // The cluster's certificate is no secret.
        .filter((value) => value.startsWith("ey"))
        .map((value) => ({ name: `the token of ${who}`, value })),
    ),
    ...Object.entries({ ...stage.former }).map(([login, value]) => ({
      name: `the former password of ${login}`,
      value,
    })),
  ];
  // That the list is what it is meant to be.
  for (const name of [
    "postgres-secret",
    "postgres-superuser",
    "postgres-logins",
    "postgres-ca",
    "postgres-backup",
    "the token of deploy",
  ])
    assert.ok(
      all.some((known) => known.name.startsWith(name)),
      `${name} is not among the known secrets`,
    );
  assert.ok(fromState.length >= 5, "the state's own secrets are not among the known ones");
  const once = new Map(all.map((known) => [Buffer.from(known.value as string).toString("latin1"), known]));
  return [...once.values()];
}
