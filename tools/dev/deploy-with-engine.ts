/** The stack `dev`, deployed and destroyed by Pulumi's engine on a backend of files in the user's state folder. */
import { delimiter } from "node:path";
import { type ExportedState, unfinished, withPendingCreated } from "../engine/recovery.ts";
import { CONFIG_FILE_VARIABLE } from "../../config/file-variable.ts";
import { projectFile } from "../cli.ts";
import type { DevState } from "./state.ts";
import type { Engine } from "../engine/engine.ts";
import { run } from "../processes.ts";

const STACK = "dev";

function environment(state: DevState): NodeJS.ProcessEnv {
  return {
    // A passphrase of another stack would be taken before the file's, and a token would lead to another backend.
    PULUMI_CONFIG_PASSPHRASE: undefined,
    PULUMI_ACCESS_TOKEN: undefined,
    // The Node that came with `npm ci`, which is new enough whatever the machine has.
    PATH: `${projectFile("node_modules/.bin")}${delimiter}${process.env.PATH}`,
    PULUMI_BACKEND_URL: `file://${state.backend}`,
    PULUMI_CONFIG_PASSPHRASE_FILE: state.passphraseFile,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    [CONFIG_FILE_VARIABLE]: state.configFile,
    NODE_COMPILE_CACHE: `${state.directory}/compile-cache`,
  };
}

/** Runs the program: the checkout's, with the configuration of the state folder. */
function pulumi(engine: Engine, state: DevState, args: readonly string[]): Promise<string> {
  return run(
    engine.command,
    [...args, "--stack", STACK, "--config-file", state.configFile, "--non-interactive"],
    {
      cwd: projectFile("."),
      env: environment(state),
      show: true,
    },
  );
}

/** Runs `pulumi stack` and its like, which know no --config-file: in the state folder, a project of its own. */
function manageStack(
  engine: Engine,
  state: DevState,
  args: readonly string[],
  input?: string,
): Promise<string> {
  return run(engine.command, [...args, "--non-interactive"], {
    cwd: state.directory,
    env: environment(state),
    ...(input !== undefined && { input }),
  });
}

/**
 * `pulumi up`. Whoever calls holds the state's lock, so a lock of the backend is that of a run that was killed, and
 * pending operations are its unfinished ones.
 */
export async function upWithEngine(engine: Engine, state: DevState): Promise<void> {
  // Writes the salt of the stack's encryption into the configuration beside it.
  await manageStack(engine, state, ["stack", "select", "--create", "--stack", STACK]);
  await clearInterrupted(engine, state);
  await pulumi(engine, state, ["up", "--yes", "--skip-preview"]);
}

/** `pulumi destroy`. */
export async function downWithEngine(engine: Engine, state: DevState): Promise<void> {
  await clearInterrupted(engine, state);
  await pulumi(engine, state, ["destroy", "--yes", "--skip-preview"]);
}

/** Removes the lock of a run that was killed, and looks at what became of the operations it had begun. */
async function clearInterrupted(engine: Engine, state: DevState): Promise<void> {
  await manageStack(engine, state, ["cancel", "--yes", "--stack", STACK]).catch(() => undefined);
  const exported = JSON.parse(
    await manageStack(engine, state, ["stack", "export", "--stack", STACK]),
  ) as ExportedState;
  const begun = unfinished(exported);
  if (begun.length === 0) return;
  console.log(`an earlier run was killed while ${begun.join(", ")}; looking at what became of it`);
  const taken = JSON.stringify(withPendingCreated(exported));
  await manageStack(engine, state, ["stack", "import", "--stack", STACK], taken);
  await pulumi(engine, state, ["refresh", "--yes", "--skip-preview"]);
}
