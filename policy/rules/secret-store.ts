import { type KubernetesObject, objectsIn } from "../resources.ts";
import { type Finding, stackRule } from "../rule.ts";
import { field, isMap, shown, textAt, UNKNOWN } from "../values.ts";

interface Config {
  store: string;
}

/** Computed by the program, and kept by nobody: the authority of the server's certificate. */
const NOT_OF_THE_STORE = ["Secret/postgres-ca"];

/** What an ExternalSecret must say, so that its Secret stays whatever happens to it. */
const STAYS: readonly { at: string; wanted: string; otherwise: string }[] = [
  {
    at: "creationPolicy",
    wanted: "Orphan",
    otherwise: "the Secret is deleted with the ExternalSecret, and the next start of the server finds none",
  },
  {
    at: "deletionPolicy",
    wanted: "Retain",
    otherwise: "a value that is missing in the store takes the Secret away, or keys of it",
  },
];

function findingsIn(object: KubernetesObject, store: string): Finding[] {
  const { subject, name, body, resource } = object;
  const spec = field(body, "spec");
  if (spec === UNKNOWN) return [];
  const finding = (why: string, remedy: string): Finding => ({ subject, why, remedy, urn: resource.urn });
  const findings: Finding[] = [];
  const ref = field(spec, "secretStoreRef");
  const [kind, of] = [field(ref, "kind") ?? "SecretStore", field(ref, "name")];
  if (![ref, kind, of].includes(UNKNOWN)) {
    const found = `${textAt(ref, "kind") ?? "SecretStore"}/${textAt(ref, "name") ?? ""}`;
    if (found !== store)
      findings.push(
        finding(
          `its values come from ${found}, and ${store === "" ? "no store is declared" : `the declared store is ${store}`}: whoever writes to it sets the passwords of the database`,
          `if it is meant, in policy/config.<stack>.json: "secret-store": { "store": ${JSON.stringify(found)} }`,
        ),
      );
  }
  const target = field(spec, "target");
  if (target === UNKNOWN) return findings;
  for (const { at, wanted, otherwise } of STAYS) {
    const value = field(target, at);
    if (value !== UNKNOWN && value !== wanted)
      findings.push(finding(`spec.target.${at} is ${shown(value)}: ${otherwise}`, `${at}: ${wanted}`));
  }
  const made = field(target, "name") ?? name;
  if (made !== UNKNOWN && made !== name)
    findings.push(
      finding(`spec.target.name is ${shown(made)}: it makes another Secret than its own`, `name: ${name}`),
    );
  return findings;
}

export const secretStore = stackRule<Config>({
  name: "secret-store",
  asks: "values of Secrets from the declared secret store alone, by objects that never take a Secret away",
  description:
    "A changed store sets the database's passwords; a removed one brings back those from before; an ExternalSecret that owns its Secret takes it along",
  level: "mandatory",
  schema: {
    properties: {
      store: {
        type: "string",
        default: "",
        pattern: "^$|^(SecretStore|ClusterSecretStore)/[a-z0-9.-]+$",
        description:
          "The store that the stack's Secrets come from, `<kind>/<name>`; empty where the stack itself keeps them",
      },
    },
  },
  check: (stack, { store }) => {
    const objects = objectsIn(stack);
    const external = objects.filter(({ kind }) => kind === "ExternalSecret");
    const findings = external.flatMap((object) => findingsIn(object, store));
    if (store !== "" && external.length === 0)
      findings.push({
        subject: "stack",
        why: `no Secret comes from the declared store ${store}: the stack's own passwords, from before it, are in force again`,
        remedy:
          'pulumi config set --path secretStore.source external-secrets; or, if it is meant, "secret-store": { "store": "" } in policy/config.<stack>.json',
      });
    if (store === "" && external.length === 0) return findings;
    const plain = objects.filter(
      ({ kind, subject, body }) =>
        kind === "Secret" && !NOT_OF_THE_STORE.includes(subject) && isMap(field(body, "metadata")),
    );
    for (const { subject, resource } of plain)
      findings.push({
        subject,
        urn: resource.urn,
        why: "its values are the stack's own, in its state, next to a secret store that should have them",
        remedy: "a value of the store, by an ExternalSecret",
      });
    return findings;
  },
});
