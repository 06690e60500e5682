import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commandsForNode } from "../components/node-storage.ts";
import { evaluate } from "./evaluate.ts";
import {
  kustomizationText,
  type Manifest,
  manifestsOf,
  manifestText,
  type RenderedFile,
} from "./manifests.ts";
import { readStackFile } from "./stack-file.ts";

/** A stack's objects. */
export interface Rendering {
  stack: string;
  files: RenderedFile[];
  /** Secure configuration values that could not be decrypted. */
  undecrypted: string[];
}

/** Evaluates the program for a stack. */
export async function renderStack(stack: string, configFile: string): Promise<Rendering> {
  const stackFile = readStackFile(configFile);
  return {
    stack,
    files: manifestsOf(await evaluate(stack, stackFile.config)),
    undecrypted: stackFile.undecrypted,
  };
}

const KUSTOMIZATION = "kustomization.yaml";
/** First line of a kustomization.yaml that was made here, by which a directory is known to be ours to replace. */
const MARK = "# Rendered by `npm run render`; the next rendering replaces this directory's files.\n";

/** The directory on the node and whose data it is, as the rendered objects have it. */
function directoryOf(files: readonly RenderedFile[]): { path: string; identity: string } | undefined {
  const volume = files.find(({ manifest }) => manifest.kind === "PersistentVolume")?.manifest as
    | (Manifest & { metadata: { annotations: Record<string, string> }; spec: { hostPath: { path: string } } })
    | undefined;
  return (
    volume && {
      path: volume.spec.hostPath.path,
      identity: volume.metadata.annotations["transcript-pipeline/identity"] ?? "",
    }
  );
}

/**
 * Writes a rendering. An earlier rendering in the directory is replaced; anything else there is left alone.
 *
 * @param secrets whether Secrets are written too, in plain text
 * @returns the files, and what a person should know
 */
export function writeRendering(
  rendering: Rendering,
  directory: string,
  { secrets }: { secrets: boolean },
): { files: RenderedFile[]; notes: string[] } {
  const kustomization = join(directory, KUSTOMIZATION);
  if (existsSync(kustomization) && !readFileSync(kustomization, "utf8").startsWith(MARK)) {
    throw new Error(
      `${kustomization} was not made by render and is not replaced: choose another directory with --out`,
    );
  }
  const isSecret = ({ manifest }: RenderedFile) => manifest.kind === "Secret";
  const files = rendering.files.filter((file) => secrets || !isSecret(file));
  const leftOut = rendering.files.filter((file) => !files.includes(file));

  mkdirSync(directory, { recursive: true });
  // kustomization.yaml last: until it is there the directory is no half-written deployment, but none.
  rmSync(kustomization, { force: true });
  for (const name of readdirSync(directory)) {
    if (/^\d\d-[a-z0-9-]+\.yaml$/.test(name)) rmSync(join(directory, name));
  }
  for (const file of files) {
    writeFileSync(join(directory, file.file), manifestText(file.manifest), {
      mode: isSecret(file) ? 0o600 : 0o644,
    });
  }
  writeFileSync(`${kustomization}.new`, MARK + kustomizationText(files));
  renameSync(`${kustomization}.new`, kustomization);

  const notes = rendering.undecrypted.map(
    (key) =>
      `left out: ${key}, which is encrypted. To have it: set PULUMI_CONFIG_PASSPHRASE and render again`,
  );
  if (leftOut.length > 0) {
    const names = leftOut.map(({ manifest }) => manifest.metadata.name).join(", ");
    notes.push(
      `left out: Secret ${names}; an applied placeholder would overwrite a live password. With them, in plain text: --secrets`,
    );
  }
  const node = directoryOf(rendering.files);
  if (node) {
    notes.push(
      "before a first deployment, type on the node:",
      ...commandsForNode(node).map((line) => `  ${line}`),
    );
  }
  return { files, notes };
}
