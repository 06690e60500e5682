/**
 * AWS Secrets Manager as moto imitates it, in the cluster. It keeps values in memory, and takes any signature: whether a
 * key may read is not tested here.
 */
import { buildSecretStoresImage } from "../../../tools/local-cluster/images.ts";
import { ctr, kubectl } from "../support.ts";
import { apply, inServer, serverObjects, STORES_NAMESPACE, untilServes } from "./objects.ts";
import type { Store } from "./store.ts";

const NAME = "secrets-manager";
const PORT = 5000;
const REGION = "eu-central-1";
const KEYS = { id: "AKIAOFTHECONTROLLER", secret: "of+the/controller=tests0123456789abcdefg" };

/** For the controller's process: where the service is. */
export const SECRETS_MANAGER = {
  AWS_SECRETSMANAGER_ENDPOINT: `http://${NAME}.${STORES_NAMESPACE}.svc:${PORT}`,
} as const;

/** Does what it is told on its input, by the client library of AWS. */
const client = `
import boto3, json, sys
told = json.load(sys.stdin)
manager = boto3.client("secretsmanager", region_name="${REGION}", endpoint_url="http://127.0.0.1:${PORT}",
    aws_access_key_id="${KEYS.id}", aws_secret_access_key="${KEYS.secret}")
if "value" not in told:
    manager.delete_secret(SecretId=told["name"], ForceDeleteWithoutRecovery=True)
else:
    text = json.dumps({"value": told["value"]})
    try:
        manager.put_secret_value(SecretId=told["name"], SecretString=text)
    except manager.exceptions.ResourceNotFoundException:
        manager.create_secret(Name=told["name"], SecretString=text)
`;

export class SecretsManager implements Store {
  readonly title = "moto, as AWS Secrets Manager";
  readonly clusterStore = "aws";

  async start(): Promise<void> {
    const { archive, reference } = await buildSecretStoresImage(console.log);
    await ctr("images", "import", "--local=false", archive);
    const keyOf = (key: string) => ({ name: NAME, namespace: STORES_NAMESPACE, key });
    await apply(
      { apiVersion: "v1", kind: "Namespace", metadata: { name: STORES_NAMESPACE } },
      {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: NAME, namespace: STORES_NAMESPACE },
        stringData: KEYS,
      },
      ...serverObjects({
        name: NAME,
        image: reference,
        command: ["python3", "-c", `from moto.server import main; main(["-H", "0.0.0.0", "-p", "${PORT}"])`],
        port: PORT,
      }),
      {
        apiVersion: "external-secrets.io/v1",
        kind: "ClusterSecretStore",
        metadata: { name: this.clusterStore },
        spec: {
          provider: {
            aws: {
              service: "SecretsManager",
              region: REGION,
              auth: {
                secretRef: { accessKeyIDSecretRef: keyOf("id"), secretAccessKeySecretRef: keyOf("secret") },
              },
            },
          },
        },
      },
    );
    await untilServes(NAME);
  }

  async put(name: string, value: string): Promise<void> {
    await inServer(NAME, ["python3", "-c", client], JSON.stringify({ name, value }));
  }

  async forget(name: string): Promise<void> {
    await inServer(NAME, ["python3", "-c", client], JSON.stringify({ name }));
  }

  /** Nobody answers any more. The pod stays, which has the values in its memory. */
  async leave(): Promise<void> {
    await this.select("nobody");
  }

  async come(): Promise<void> {
    await this.select(NAME);
  }

  async remove(): Promise<void> {
    await kubectl("delete", "clustersecretstore", this.clusterStore, "--ignore-not-found");
    await kubectl("delete", "namespace", STORES_NAMESPACE, "--ignore-not-found");
  }

  private async select(app: string): Promise<void> {
    const patch = JSON.stringify({ spec: { selector: { app } } });
    await kubectl("patch", "service", NAME, "-n", STORES_NAMESPACE, "--type=merge", "-p", patch);
  }
}
