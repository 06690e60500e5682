/** The section `secretStore`: who keeps the values of the stack's credentials. */
import type { Problem } from "../problem.ts";
import { defaulted, dnsName, oneOf, text } from "./fields.ts";
import { commandToRemove, commandToSet, type Section, type ValuesOf } from "./reader.ts";

const duration = text(/^[1-9][0-9]{0,4}[smh]$/, 'a number and a unit, such as "1m": s, m or h', {
  description: "`external-secrets`: how often the store is read, so how long a new password takes at most",
});

export const secretStore = {
  source: defaulted(
    "pulumi",
    oneOf(["pulumi", "external-secrets", "sealed-secrets"], {
      description:
        "Who keeps passwords, passphrase and keys. `pulumi`: the stack, which generates what is not configured. `external-secrets`: a store such as Vault, AWS Secrets Manager or Azure Key Vault, read by the External Secrets Operator. `sealed-secrets`: the repository, encrypted for the Sealed Secrets controller by `npm run render -- --seal`",
    }),
  ),
  store: dnsName({ description: "`external-secrets`: name of the SecretStore" }),
  storeKind: defaulted(
    "SecretStore",
    oneOf(["SecretStore", "ClusterSecretStore"], { description: "`external-secrets`: its kind" }),
  ),
  path: text(
    /^(?!.*\/\/)[A-Za-z0-9][A-Za-z0-9/_+=.@-]{0,199}(?<!\/)$/,
    "1 to 200 letters, digits and /_+=.@-, beginning with a letter or a digit, without an empty part",
    {
      description:
        "`external-secrets`: what the names of the values begin with in the store. Default: `transcript-pipeline` and the stack's name",
    },
  ),
  separator: defaulted(
    "/",
    oneOf(["/", "-"], {
      description:
        "`external-secrets`: what separates `path` and the name of a value. `-`: for Azure Key Vault, whose names have no `/`",
    }),
  ),
  refreshInterval: defaulted("1m", duration),
  directory: text(
    /^(?!.*(?:^|\/)\.\.?(?:\/|$))\/?[A-Za-z0-9._-][A-Za-z0-9._/-]{0,199}$/,
    'a folder below the project, such as "sealed/prod", or an absolute path, without . and ..',
    {
      description:
        "`sealed-secrets`: the folder with what is sealed; commit it. Default: `sealed` and the stack's name",
    },
  ),
} as const satisfies Section;

/** The section's values. */
export type SecretStoreValues = ValuesOf<typeof secretStore>;

/** What the names of a stack's values begin with in the store, without the separator. */
export function pathInStore({
  stack,
  secretStore: { path, separator },
}: {
  stack: string;
  secretStore: Pick<SecretStoreValues, "path" | "separator">;
}): string {
  return path ?? `transcript-pipeline${separator}${stack}`;
}

/** The folder with what is sealed. */
export function sealedDirectory({
  stack,
  secretStore: { directory },
}: {
  stack: string;
  secretStore: Pick<SecretStoreValues, "directory">;
}): string {
  return directory ?? `sealed/${stack}`;
}

/** Whether a store keeps the values, and the stack's own are not in force. */
export function isStored({ secretStore: { source } }: { secretStore: { source: string } }): boolean {
  return source !== "pulumi";
}

/** Fields that only this source reads, without those that have a default. `directory` is read before the switch, too. */
const OF_EXTERNAL_SECRETS = ["store", "path"] as const;

/** The page that says how a value gets into a store. */
const PAGE: Readonly<Record<string, string>> = { "sealed-secrets": "docs/sealed-secrets.md" };

interface Looked {
  stack: string;
  secretStore: SecretStoreValues;
  secrets: Readonly<Record<string, unknown>> & {
    repositories: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
  database: { rotation?: string | undefined };
}

/** The configured values that a store has instead, by key. */
function configuredValues({ secrets }: Looked): string[] {
  const keys = ["databasePassword", "superuserPassword", "backupPassphrase"].filter(
    (name) => secrets[name] !== undefined,
  );
  return [
    ...keys.map((name) => `secrets.${name}`),
    ...Object.entries(secrets.repositories).flatMap(([repository, values]) =>
      Object.entries(values).flatMap(([name, value]) =>
        value === undefined ? [] : [`secrets.repositories.${repository}.${name}`],
      ),
    ),
  ];
}

/** Checks how the fields fit together, and the other credentials. */
export function secretStoreProblems(looked: Looked): Problem[] {
  const { secretStore: written } = looked;
  const { source, store, separator } = written;
  const problems: Problem[] = [];
  if (source === "external-secrets") {
    if (store === undefined)
      problems.push({
        key: "secretStore.store",
        message: `is missing, but secretStore.source is external-secrets. Choose one of \`kubectl get secretstores,clustersecretstores -A\` and set it: ${commandToSet("secretStore.store", false)}`,
      });
    const path = pathInStore(looked);
    if (separator === "-" && !/^[A-Za-z0-9-]*$/.test(path))
      problems.push({
        key: "secretStore.path",
        message: `is "${path}", but with secretStore.separator - names have letters, digits and '-' only, as Azure Key Vault wants them. Set it: ${commandToSet("secretStore.path", false)}`,
      });
  } else {
    for (const field of OF_EXTERNAL_SECRETS)
      if (written[field] !== undefined)
        problems.push({
          key: `secretStore.${field}`,
          message: `is not used: secretStore.source is ${source}. To remove it: ${commandToRemove(`secretStore.${field}`)}; to use it: ${commandToSet("secretStore.source", false, { value: "external-secrets" })}`,
        });
  }
  if (isStored(looked))
    for (const key of configuredValues(looked))
      problems.push({
        key,
        message: `is set, and secretStore.source is ${source}, so the value in the store is in force. Put it there (${PAGE[source] ?? "docs/secret-stores.md"}), and remove it here: ${commandToRemove(key)}; or keep it here: ${commandToSet("secretStore.source", false, { value: "pulumi" })}`,
      });
  return problems;
}

/** What is doubtful about them. */
export function secretStoreWarnings(looked: Looked): string[] {
  const { secretStore: written, database } = looked;
  return isStored(looked) && database.rotation !== undefined && database.rotation !== ""
    ? [
        `database.rotation has no effect while secretStore.source is ${written.source}: passwords are changed in the store. It counts again without the store, so keep it`,
      ]
    : [];
}
