/**
 * The part of the External Secrets Operator, played by the tests where it does not run: it makes Secrets from the objects
 * and the values of a store, and says in their status what it did.
 */
import { kubectl, succeed, theCluster } from "../support.ts";

const NAMESPACE = ["-n", "transcript-pipeline"];

/** An ExternalSecret, as far as the operator needs it. */
interface ExternalSecret {
  metadata: { name: string };
  spec: {
    target: { template: { data: Record<string, string> } };
    data: { secretKey: string; remoteRef: { key: string } }[];
  };
}

/** The objects of the namespace. */
export async function externalSecrets(): Promise<ExternalSecret[]> {
  const text = await kubectl("get", "externalsecrets", ...NAMESPACE, "-o", "json");
  return (JSON.parse(text) as { items: ExternalSecret[] }).items;
}

/** kubectl with an object for its input, so that no value is in a process list. */
async function apply(object: object): Promise<void> {
  const args = ["apply", "--server-side", "--force-conflicts", "--field-manager=externalsecrets", "-f", "-"];
  await succeed("kubectl", ["--kubeconfig", theCluster().kubeconfig, ...args], {
    input: JSON.stringify(object),
  });
}

/** A template with its values. */
function filled(template: string, values: ReadonlyMap<string, string>): string {
  return template.replaceAll(
    /\{\{ (?:"(\{)"|\.(\w+)) \}\}/g,
    (_, brace: string | undefined, name = "") => brace ?? values.get(name as string) ?? "",
  );
}

async function say(name: string, status: "True" | "False", message: string): Promise<void> {
  const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  const reason = status === "True" ? "SecretSynced" : "SecretSyncedError";
  const ready = { type: "Ready", status, reason, message, lastTransitionTime: now };
  const patch = { status: { conditions: [ready], ...(status === "True" && { refreshTime: now }) } };
  await kubectl(
    ...["patch", "externalsecret", name, ...NAMESPACE, "--subresource=status", "--type=merge"],
    ...["-p", JSON.stringify(patch)],
  );
}

/**
 * Looks at every object once, as the operator does after a change and at each interval.
 *
 * @param store values by the last part of their names
 */
export async function synchronise(store: Readonly<Record<string, string>>): Promise<void> {
  for (const { metadata, spec } of await externalSecrets()) {
    const missing = spec.data.find(({ remoteRef }) => store[nameOf(remoteRef.key)] === undefined);
    if (missing) {
      await say(metadata.name, "False", `could not get secret data from provider: ${missing.remoteRef.key}`);
      continue;
    }
    const values = new Map(
      spec.data.map(({ secretKey, remoteRef }) => [secretKey, store[nameOf(remoteRef.key)] ?? ""]),
    );
    await apply({
      apiVersion: "v1",
      kind: "Secret",
      metadata: {
        name: metadata.name,
        namespace: "transcript-pipeline",
        labels: { "reconcile.external-secrets.io/managed": "true" },
      },
      stringData: Object.fromEntries(
        Object.entries(spec.target.template.data).map(([key, text]) => [key, filled(text, values)]),
      ),
    });
    await say(metadata.name, "True", "secret synced");
  }
}

/** The last part of a value's name: `owner` of `transcript-pipeline/dev/owner`. */
function nameOf(key: string): string {
  return key.split("/").at(-1) ?? "";
}
