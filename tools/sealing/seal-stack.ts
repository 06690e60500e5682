/** Seals a stack's Secrets, and renders the stack with SealedSecrets in their place. */
import { LEAVES } from "../../components/secrets/description.ts";
import { readSealed } from "../../components/secrets/sealed-folder.ts";
import { SEALED_TEXTS, type SealedSecret, sealedTexts } from "../../components/secrets/sealed-secret.ts";
import { evaluate } from "../evaluation/evaluate.ts";
import { secretValues } from "../evaluation/generated.ts";
import { fileOf, type Manifest, manifestsOf, type RenderedFile } from "../evaluation/manifests.ts";
import { readForRendering, refuseMissingSecrets, type Rendering } from "../evaluation/rendering.ts";
import { clusterOf } from "../stack-cluster.ts";
import { readSealingCertificate } from "./certificate.ts";
import { askCluster } from "./cluster-values.ts";
import { writeSealed } from "./folder.ts";
import { readValues } from "./given-values.ts";
import { needsValues, planned, sealedObjects, SealingError, type Values } from "./plan.ts";
import { isPublic, type Unsealed } from "./unsealed.ts";

/** How a stack is sealed. */
export interface SealingOptions {
  /** The file with the controller's certificate. */
  certificate: string;
  /** Names of the values that are replaced. */
  reseal: readonly string[];
  /** A file of values. @default none are given */
  values?: string | undefined;
  /** Whether the stack is not deployed yet, so that there is no cluster to ask. @default false */
  isNew?: boolean | undefined;
  /** The stack's configuration, if it is not in its usual place. */
  configFile?: string | undefined;
}

/** A sealed stack. */
export interface SealedStack {
  rendering: Rendering;
  /** What was done, for the user. */
  notes: string[];
}

/** The Secrets that the program registers to be sealed. */
export function unsealedIn(manifests: readonly Manifest[]): Unsealed[] {
  return manifests
    .filter(({ kind }) => kind === "Secret")
    .map((secret) => {
      const texts = sealedTexts(secret as unknown as SealedSecret);
      if (texts === undefined)
        throw new Error(
          `Secret ${secret.metadata.name} has no annotation ${SEALED_TEXTS}: it cannot be sealed`,
        );
      const {
        name,
        namespace = "",
        labels = {},
      } = secret.metadata as Manifest["metadata"] & {
        labels?: Record<string, string>;
      };
      const bytes = Object.entries(secretValues(secret));
      const values = bytes.map(([leaf, value]) => [leaf, Buffer.from(value, "latin1").toString()] as const);
      return { name, namespace, labels, texts, values: Object.fromEntries(values) };
    });
}

/** The same with its keys in order, as everything else that is rendered has them. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, entry]) => [key, sorted(entry)]));
}

/**
 * The stack's files with SealedSecrets in place of Secrets, and with the public halves that are sealed where others were
 * made up.
 *
 * @param readable the public halves, by name
 */
export function sealedFiles(
  files: readonly RenderedFile[],
  secrets: readonly Unsealed[],
  objects: readonly SealedSecret[],
  readable: ReadonlyMap<string, string>,
): RenderedFile[] {
  const madeUp = secrets.flatMap(({ values }) => Object.entries(values).filter(([leaf]) => isPublic(leaf)));
  const withPublic = (text: string) =>
    madeUp.reduce((all, [leaf, value]) => all.replaceAll(value, () => readable.get(leaf) ?? value), text);
  const byName = new Map(objects.map((object) => [object.metadata.name, object]));
  return files
    .map(({ file, manifest }): RenderedFile => {
      const object = byName.get(manifest.metadata.name);
      if (manifest.kind === "Secret" && object) {
        const sealed = sorted(object) as Manifest;
        return { file: `${fileOf(sealed)}.yaml`, manifest: sealed };
      }
      if (manifest.kind !== "ConfigMap") return { file, manifest };
      const data = Object.entries((manifest.data ?? {}) as Record<string, string>);
      const replaced = Object.fromEntries(data.map(([key, text]) => [key, withPublic(text)]));
      return { file, manifest: data.length > 0 ? { ...manifest, data: replaced } : manifest };
    })
    .sort((a, b) => (a.file < b.file ? -1 : 1));
}

/** Counted, in words: "1 value", "2 values". */
const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`;

/**
 * Seals what is not sealed yet, and writes it into the stack's folder.
 *
 * @throws CertificateError or SealingError with what to type
 */
export async function sealStack(
  stack: string,
  configFile: string,
  { certificate, reseal, values: valuesFile, isNew = false, configFile: named }: SealingOptions,
): Promise<SealedStack> {
  const { publicKey, warnings } = readSealingCertificate(certificate);
  const given = valuesFile === undefined ? new Map<string, string>() : readValues(valuesFile);
  const stackFile = readForRendering(stack, configFile);
  const evaluation = await evaluate(stack, stackFile.config, stackFile.secretKeys, {}, { kind: "unsealed" });
  const files = manifestsOf(evaluation.registrations);
  const secrets = unsealedIn(files.map(({ manifest }) => manifest));
  const { source, directory } = evaluation.secretStore;
  const before = readSealed(directory);
  const plan = planned(secrets, before, { reseal, given: [...given.keys()] });
  const values: Values = { given, inForce: new Map() };
  if (needsValues(plan)) {
    refuseMissingSecrets({ stack, undecrypted: stackFile.undecrypted });
    if (!isNew) values.inForce = await askCluster(clusterOf(stack, named), secrets);
  }
  const sealing = sealedObjects(plan, values, publicKey);
  const removed = writeSealed(directory, sealing.objects, before);

  const rendering: Rendering = {
    stack,
    files: sealedFiles(files, secrets, sealing.objects, sealing.readable),
    directories: evaluation.directories,
    warnings: [...warnings, ...evaluation.warnings],
    undecrypted: [],
    // Nothing made up is left in them.
    generated: { values: [], parts: new Map() },
  };
  const left = rendering.files.find(({ manifest }) => manifest.kind === "Secret");
  if (left) throw new SealingError(`Secret ${left.manifest.metadata.name} was not sealed`);
  const kept = plan.kept.filter(({ secret, key }) => before.get(secret.name)?.spec.encryptedData[key]);
  return {
    rendering,
    notes: [
      `${counted(sealing.sealed.length, "text")} sealed, ${kept.length} kept, in ${directory}`,
      ...sealing.sealed.map((place) => `  sealed: ${place}`),
      ...(sealing.fresh.length > 0
        ? [`  configured or made up, and not in force yet: ${sealing.fresh.join(", ")}`]
        : []),
      ...(sealing.fresh.includes(LEAVES.backupPassphrase)
        ? [
            `  ${LEAVES.backupPassphrase} is new: without it nobody can read the backups. Keep it outside the cluster, with a copy of the sealing key or by itself: docs/sealed-secrets.md`,
          ]
        : []),
      ...removed.map((file) => `  removed, because there is no such Secret any more: ${directory}/${file}`),
      ...(source === "sealed-secrets"
        ? []
        : [
            `secretStore.source is ${source}, so pulumi up does not use what is sealed. To use it: pulumi config set --path secretStore.source sealed-secrets`,
          ]),
    ],
  };
}
