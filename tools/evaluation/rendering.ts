import type { NetworkValues } from "../../config/network.ts";
import { lstatSync } from "node:fs";
import { join } from "node:path";
import { APPLICATION } from "../../components/kubernetes/labels.ts";
import type { Live } from "../../live.ts";
import { evaluateMarked, type Generated, type MarkedEvaluation } from "./generated.ts";
import {
  isKubernetes,
  kustomizationText,
  type Manifest,
  manifestsOf,
  manifestText,
  objectId,
  type RenderedFile,
} from "./manifests.ts";
import { ownText, realDirectory, replaceFiles } from "./rendered-directory.ts";
import { readStackFile, refusePlainSecrets, type StackFile } from "../stack-file/stack-file.ts";
import { ANNOTATIONS, HOSTNAME_LABEL } from "../../components/kubernetes/names.ts";
import type { Directory } from "../../components/storage/directory.ts";
import { commandsForNode, preparationScript } from "../../components/storage/preparation.ts";

/** A stack's objects. */
export interface Rendering {
  stack: string;
  files: RenderedFile[];
  /** The directories on the node, the data's first. */
  directories: readonly Directory[];
  /** Warnings about the configuration. */
  warnings: string[];
  /** Secure configuration values that could not be decrypted. */
  undecrypted: string[];
  /** The values that the evaluation made up, and that the engine would have in its state. */
  generated: Generated;
}

/** A stack's objects as this program itself applies them to a cluster. */
export interface MarkedRendering extends Rendering {
  /** In the order of registration, which is the order of dependency. */
  objects: Manifest[];
  /** The image to which the existing database is upgraded on purpose. @default none */
  upgradeTo?: string | undefined;
  /** What is configured of the network. */
  network: NetworkValues;
}

/** What no object says, from the configuration that the evaluation has read and checked. */
function sectionOf<T>({ config }: StackFile, section: string): Partial<T> {
  return JSON.parse(config[`transcript-pipeline:${section}`] ?? "{}") as Partial<T>;
}

/** Reads a stack's file, which must hold no secret in plain text. */
export function readForRendering(stack: string, configFile: string): StackFile {
  const stackFile = readStackFile(configFile);
  refusePlainSecrets(stack, stackFile);
  return stackFile;
}

function renderingOf(
  stack: string,
  stackFile: StackFile,
  { evaluation: { registrations, directories, warnings }, generated }: MarkedEvaluation,
): Rendering {
  return {
    stack,
    files: manifestsOf(registrations),
    directories,
    warnings,
    undecrypted: stackFile.undecrypted,
    generated,
  };
}

/** Evaluates the program for a stack twice, which shows what was made up. */
export async function renderStack(stack: string, configFile: string): Promise<Rendering> {
  const stackFile = readForRendering(stack, configFile);
  return renderingOf(stack, stackFile, await evaluateMarked(stack, stackFile.config, stackFile.secretKeys));
}

/**
 * The same, for a cluster that this program itself applies the objects to.
 *
 * @param live what was found in it
 */
export async function renderMarked(
  stack: string,
  configFile: string,
  live: Live = {},
): Promise<MarkedRendering> {
  const stackFile = readForRendering(stack, configFile);
  const marked = await evaluateMarked(stack, stackFile.config, stackFile.secretKeys, live);
  const { evaluation } = marked;
  const rendering = renderingOf(stack, stackFile, marked);
  const byId = new Map(rendering.files.map(({ manifest }) => [objectId(manifest), manifest]));
  const objects = evaluation.registrations
    .filter(isKubernetes)
    .flatMap(({ inputs }) => byId.get(objectId(inputs as Manifest)) ?? []);
  const { upgradeTo } = sectionOf<{ upgradeTo: string }>(stackFile, "database");
  return { ...rendering, objects, upgradeTo, network: evaluation.network };
}

/** Refuses to write a Secret with a made-up value in place of one that could not be decrypted. */
export function refuseMissingSecrets({ stack, undecrypted }: Pick<Rendering, "stack" | "undecrypted">): void {
  if (undecrypted.length === 0) return;
  throw new Error(
    [
      `the Secrets of stack ${stack} cannot be written: these values are encrypted, and could not be decrypted:`,
      ...undecrypted.map((key) => `  ${key}`),
      "Set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to the stack's passphrase and render again, or leave out",
      "--secrets and --seal. If the stack's secrets provider is not a passphrase, deploy with: pulumi up",
    ].join("\n"),
  );
}

/**
 * Bytes of annotations that the API server accepts (TotalAnnotationSizeLimitB, 256 KiB). `kubectl apply` keeps the
 * whole object in one.
 */
const ANNOTATIONS_LIMIT = 256 * 1024;

/** Bytes of annotations that an object has after `kubectl apply` creates it. */
function annotationBytes(manifest: Manifest): number {
  const { annotations = {} } = manifest.metadata as { annotations?: Record<string, string> };
  // Go escapes these.
  const json = JSON.stringify(manifest).replace(/[<>&\u2028\u2029]/g, "\\u0000");
  return Object.entries({ ...annotations, "kubectl.kubernetes.io/last-applied-configuration": `${json}\n` })
    .map(([key, value]) => Buffer.byteLength(key) + Buffer.byteLength(value))
    .reduce((sum, size) => sum + size, 0);
}

/** Refuses what `kubectl apply -k` would fail at, with the objects before it already deployed. */
export function refuseTooLarge({ files }: Rendering): void {
  for (const { manifest } of files) {
    const size = annotationBytes(manifest);
    if (size <= ANNOTATIONS_LIMIT) continue;
    throw new Error(
      `${manifest.kind} ${manifest.metadata.name} takes ${size} bytes of annotations when kubectl applies it, and the ` +
        `API server allows ${ANNOTATIONS_LIMIT}: squash the oldest files in sql/, or deploy with pulumi up, which needs none`,
    );
  }
}

const COMPONENT_LABEL = "app.kubernetes.io/component";

const KUSTOMIZATION = "kustomization.yaml";
/** First line of a generated kustomization.yaml; it marks a directory as ours to replace. */
const MARK = "# Rendered by `npm run render`; the next rendering replaces this directory's files.\n";

/** First line of each script for the node, and what follows in it. */
const SCRIPT_MARK = "#!/bin/sh\n# Rendered by `npm run render` for the node that holds the data.";
const scriptHead = (file: string) => `${SCRIPT_MARK} On it: sudo sh ${file}\n`;
/** Names that such a script can have. */
const SCRIPT_NAME = /^prepare-[a-z0-9-]+\.sh$/;

/** The PersistentVolume with the data. */
export type VolumeManifest = Manifest & {
  metadata: { annotations: Record<string, string> };
  spec: { capacity: { storage: string }; hostPath: { path: string } };
};

/** The object of a kind with the database's names: of all volumes and servers, the database's own. */
export function objectWithData<T extends Manifest>({ files }: Rendering, kind: string): T | undefined {
  const isIt = ({ kind: its, metadata }: Manifest) =>
    its === kind &&
    ANNOTATIONS.database in ((metadata as { annotations?: Record<string, string> }).annotations ?? {});
  return files.find(({ manifest }) => isIt(manifest))?.manifest as T | undefined;
}

type PodTemplate = { spec: { nodeSelector?: Record<string, string> } };

/** The node of the server, from the rendered objects. */
function nodeOf(rendering: Rendering): string {
  const server = objectWithData<Manifest & { spec: { template: PodTemplate } }>(rendering, "StatefulSet");
  return server?.spec.template.spec.nodeSelector?.[HOSTNAME_LABEL] ?? "<node>";
}

/**
 * The commands that apply a rendering, in order. A Job cannot be changed, and a finished one does not run again, so
 * existing ones are deleted; run again, they find nothing to do.
 *
 * @param directory where the rendering is
 */
export function applyCommands({ files }: Rendering, directory: string): string[] {
  const components = files
    .filter(({ manifest }) => manifest.kind === "Job")
    .map(({ manifest }) => (manifest.metadata.labels as Record<string, string>)[COMPONENT_LABEL] ?? "");
  const selector = `${COMPONENT_LABEL} in (${[...new Set(components)].sort().join(",")})`;
  return [
    ...(components.length > 0
      ? [`kubectl delete job -n ${APPLICATION} -l '${selector}' --ignore-not-found`]
      : []),
    `kubectl apply -k ${directory}`,
  ];
}

/** Whether an earlier rendering may have written a file with this name. */
const isRendered = (name: string) => /^\d\d-[a-z0-9-]+\.yaml$/.test(name);

/** Whether an earlier rendering has written this script for a node. */
function isRenderedScript(directory: string, name: string): boolean {
  if (!SCRIPT_NAME.test(name) || !lstatSync(join(directory, name)).isFile()) return false;
  return ownText(join(directory, name))?.startsWith(SCRIPT_MARK) === true;
}

/**
 * Writes a rendering. An earlier rendering in the directory is replaced; anything else there is left alone. Nothing is
 * written through a link.
 *
 * @param secrets whether Secrets are written too, in plain text
 * @returns the files, and notes for the user
 */
export function writeRendering(
  rendering: Rendering,
  directory: string,
  { secrets }: { secrets: boolean },
): { files: RenderedFile[]; notes: string[] } {
  const real = realDirectory(directory);
  const scripts = rendering.directories.map((facts) => ({
    name: facts.use.file,
    text: scriptHead(facts.use.file) + preparationScript(facts),
    mode: 0o644,
  }));
  for (const [name, mark] of [
    [KUSTOMIZATION, MARK],
    ...scripts.map((script) => [script.name, SCRIPT_MARK] as const),
  ] as const) {
    if (ownText(join(real, name))?.startsWith(mark) === false) {
      throw new Error(
        `${join(directory, name)} was not made by render and is not replaced: choose another directory with --out`,
      );
    }
  }
  const isSecret = ({ manifest }: RenderedFile) => manifest.kind === "Secret";
  // What repeats a made-up value would not fit the one in the cluster.
  const isMadeUp = ({ manifest }: RenderedFile) => rendering.generated.parts.has(objectId(manifest));
  const files = rendering.files.filter((file) => secrets || !(isSecret(file) || isMadeUp(file)));
  const leftOut = rendering.files.filter((file) => !files.includes(file));

  replaceFiles(
    real,
    [
      ...files.map((file) => ({
        name: file.file,
        text: manifestText(file.manifest),
        mode: isSecret(file) ? 0o600 : 0o644,
      })),
      ...scripts,
      // kustomization.yaml last: without it the directory is not a half-written deployment, but none.
      { name: KUSTOMIZATION, text: MARK + kustomizationText(files), mode: 0o644 },
    ],
    (name) => isRendered(name) || isRenderedScript(real, name),
  );

  const notes = rendering.undecrypted.map(
    (key) =>
      `left out: ${key}, which is encrypted. To include it: set PULUMI_CONFIG_PASSPHRASE and render again`,
  );
  if (leftOut.length > 0) {
    const names = [...new Set(leftOut.map(({ manifest }) => manifest.kind))]
      .map((kind) => {
        const ofKind = leftOut.filter(({ manifest }) => manifest.kind === kind);
        return `${kind} ${ofKind.map(({ manifest }) => manifest.metadata.name).join(", ")}`;
      })
      .join("; ");
    notes.push(
      `left out: ${names}; an applied placeholder would overwrite a live password. To include them, in plain text: --secrets`,
    );
  }
  const [, ...others] = scripts;
  notes.push(
    `before a first deployment, prepare the ${others.length > 0 ? "directories" : "directory"} on the node:`,
    ...commandsForNode(
      nodeOf(rendering),
      directory,
      scripts.map(({ name }) => name),
    ).map((line) => `  ${line}`),
  );
  return { files, notes };
}
