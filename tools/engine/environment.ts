/** The engine's environment variables: the only place that sets them. */
import { delimiter } from "node:path";
import { projectFile } from "../cli.ts";

/** A stack's state in files, and the passphrase for its secrets. */
export interface Backend {
  /** Folder of the state, absolute. */
  directory: string;
  /** The passphrase, or the file that holds it. */
  passphrase: string | { file: string };
}

/** What the environment is made from. */
export interface EnvironmentOptions {
  /** Variables to start from. @default this process's */
  inherited?: NodeJS.ProcessEnv;
  /** A backend of files. @default the user's login, with their passphrase */
  backend?: Backend;
  /** Variables of one caller; undefined removes one. @default none */
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
    // Node from `npm ci`, which is new enough whatever the machine has.
    PATH: `${projectFile("node_modules/.bin")}${delimiter}${inherited.PATH ?? ""}`,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    ...(backend && backendVariables(backend)),
    ...variables,
  };
}

/** A user's token would lead to another backend, and another stack's passphrase would take precedence over a file's. */
function backendVariables({ directory, passphrase }: Backend): NodeJS.ProcessEnv {
  return {
    PULUMI_ACCESS_TOKEN: undefined,
    PULUMI_BACKEND_URL: `file://${directory}`,
    PULUMI_CONFIG_PASSPHRASE: typeof passphrase === "string" ? passphrase : undefined,
    PULUMI_CONFIG_PASSPHRASE_FILE: typeof passphrase === "string" ? undefined : passphrase.file,
  };
}
