/** What the engine finds in its environment: the only place that says so. */
import { delimiter } from "node:path";
import { projectFile } from "../cli.ts";

/** Where a stack's state is kept in files, and what opens the secrets in it. */
export interface Backend {
  /** Folder of the state, absolute. */
  directory: string;
  /** The passphrase, or the file that holds it. */
  passphrase: string | { file: string };
}

/** How the environment comes about. */
export interface EnvironmentOptions {
  /** What it is made from. @default this process's */
  inherited?: NodeJS.ProcessEnv;
  /** A backend of files. @default the one that the person is logged in to, with their passphrase */
  backend?: Backend;
  /** Variables of one caller; undefined takes one away. @default none */
  variables?: NodeJS.ProcessEnv;
}

/** The environment of an engine and of the program that it runs. */
export function engineEnvironment({
  inherited = process.env,
  backend,
  variables = {},
}: EnvironmentOptions = {}): NodeJS.ProcessEnv {
  return {
    ...inherited,
    // The Node that came with `npm ci`, which is new enough whatever the machine has.
    PATH: `${projectFile("node_modules/.bin")}${delimiter}${inherited.PATH ?? ""}`,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    ...(backend && backendVariables(backend)),
    ...variables,
  };
}

/** A person's token would lead to another backend, and the passphrase of another stack would be taken before a file's. */
function backendVariables({ directory, passphrase }: Backend): NodeJS.ProcessEnv {
  return {
    PULUMI_ACCESS_TOKEN: undefined,
    PULUMI_BACKEND_URL: `file://${directory}`,
    PULUMI_CONFIG_PASSPHRASE: typeof passphrase === "string" ? passphrase : undefined,
    PULUMI_CONFIG_PASSPHRASE_FILE: typeof passphrase === "string" ? undefined : passphrase.file,
  };
}
