/**
 * What `npm run up` keeps of the stack `dev`, outside the checkout: Pulumi's state, the passphrase that encrypts it,
 * the configuration it was deployed with, and, on a cluster of this machine, the data directory.
 */
import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { projectFile } from "../cli.ts";
import { withEncryptionSalt, withFields } from "../stack-file/editing.ts";
import { readDocument } from "../stack-file/stack-file.ts";

/** How the stack was deployed, for `down` and `psql`. */
export interface Deployment {
  kubeconfig?: string | undefined;
  context?: string | undefined;
  /** By Pulumi's engine, or by kubectl if no engine is available. */
  by: "pulumi" | "kubectl";
  /** Name of the local cluster that was started for it. */
  localCluster?: string | undefined;
}

/** The files of the stack `dev`. */
export class DevState {
  readonly directory: string;
  constructor(
    base: string = join(process.env.XDG_STATE_HOME || join(homedir(), ".local/state"), "transcript-pipeline"),
  ) {
    this.directory = join(base, "dev");
  }

  get backend(): string {
    return join(this.directory, "pulumi");
  }
  get passphraseFile(): string {
    return join(this.directory, "passphrase");
  }
  get configFile(): string {
    return join(this.directory, "Pulumi.dev.yaml");
  }
  get renderedDirectory(): string {
    return join(this.directory, "rendered");
  }
  /** The database's directory, if the cluster's node is this machine. */
  get dataDirectory(): string {
    // A home folder may be behind a link (/home is one on some systems); the node's directory must not be.
    return join(existsSync(this.directory) ? realpathSync(this.directory) : this.directory, "pgdata");
  }
  private get deploymentFile(): string {
    return join(this.directory, "deployment.json");
  }

  /** Creates the folder, and once the passphrase: without it the state cannot be read. */
  prepare(): void {
    mkdirSync(this.backend, { recursive: true, mode: 0o700 });
    // Makes this folder a project of the same name, for commands that write to the project's own stack file.
    writeWhole(join(this.directory, "Pulumi.yaml"), "name: transcript-pipeline\nruntime: nodejs\n");
    if (existsSync(this.passphraseFile)) return;
    writeWhole(this.passphraseFile, `${randomBytes(32).toString("base64url")}\n`);
  }

  /** The deployment that is up, or undefined. */
  get deployment(): Deployment | undefined {
    return existsSync(this.deploymentFile)
      ? (JSON.parse(readFileSync(this.deploymentFile, "utf8")) as Deployment)
      : undefined;
  }

  set deployment(deployment: Deployment | undefined) {
    if (deployment) writeWhole(this.deploymentFile, `${JSON.stringify(deployment, undefined, 2)}\n`);
    else rmSync(this.deploymentFile, { force: true });
  }

  /**
   * Writes the configuration: the committed Pulumi.dev.yaml with this machine's values over it, and with the encryption
   * salt of an earlier copy.
   */
  writeConfig(overrides: Record<string, Record<string, unknown>>): void {
    const committed = readFileSync(projectFile("Pulumi.dev.yaml"), "utf8");
    const salt = existsSync(this.configFile) ? readDocument(this.configFile).encryptionSalt : undefined;
    writeWhole(
      this.configFile,
      "# Made by `npm run up` from Pulumi.dev.yaml at every run.\n" +
        withEncryptionSalt(withFields(committed, overrides), salt),
    );
  }
}

/** Writes a file that only its owner can read, whole or not at all. */
function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
