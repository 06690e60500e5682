/** The stack `dev`, deployed and destroyed by Pulumi's engine on a backend of files in the user's state folder. */
import { CONFIG_FILE_VARIABLE } from "../../config/file-variable.ts";
import type { Engine } from "../engine/engine.ts";
import { type Backend, engineEnvironment } from "../engine/environment.ts";
import { operateRecovered, type Recovery } from "../engine/recovery.ts";
import { succeeded } from "../engine/runner.ts";
import { type StackEngine, stackEngine } from "../engine/stack.ts";
import type { DevState } from "./state.ts";

const STACK = "dev";

/** The stack's state, and its passphrase. */
export function backendOf({ backend, passphraseFile }: DevState): Backend {
  return { directory: backend, passphrase: { file: passphraseFile } };
}

/** Runs the checkout's program with the configuration in the state folder, a separate project. */
function devStack(engine: Engine, state: DevState): StackEngine {
  return stackEngine({
    engine,
    stack: STACK,
    configFile: state.configFile,
    manageIn: state.directory,
    color: process.stdout.isTTY && !process.env.NO_COLOR,
    env: engineEnvironment({
      backend: backendOf(state),
      variables: {
        [CONFIG_FILE_VARIABLE]: state.configFile,
        NODE_COMPILE_CACHE: `${state.directory}/compile-cache`,
      },
    }),
  });
}

/** The caller holds the state's lock, so a lock in the backend belongs to a run that was killed. */
const ALONE: Recovery = { objection: () => undefined };

/** `pulumi up`. The first run creates the stack and lets the engine write its salt into the configuration. */
export async function upWithEngine(engine: Engine, state: DevState): Promise<void> {
  await operate(engine, state, "up", { ...ALONE, missing: "create" });
}

/** `pulumi destroy`, also after an `up` that ended before it created the stack. */
export async function downWithEngine(engine: Engine, state: DevState): Promise<void> {
  await operate(engine, state, "destroy", { ...ALONE, missing: "leave" });
}

async function operate(
  engine: Engine,
  state: DevState,
  operation: string,
  recovery: Recovery,
): Promise<void> {
  const args = [operation, "--yes", "--skip-preview"];
  const result = await operateRecovered(devStack(engine, state), args, recovery);
  succeeded(`${engine.command} ${operation} --yes`, result, true);
}
