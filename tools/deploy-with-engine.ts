/** The stack `dev`, deployed and destroyed by Pulumi's engine on a backend of files in the user's state folder. */
import { delimiter } from "node:path";
import { projectFile } from "./cli.ts";
import type { DevState } from "./dev-state.ts";
import type { Engine } from "./engine.ts";
import { run } from "./processes.ts";

const STACK = "dev";

function environment(state: DevState): NodeJS.ProcessEnv {
  const { PULUMI_CONFIG_PASSPHRASE: _, PULUMI_ACCESS_TOKEN: __, ...inherited } = process.env;
  return {
    ...inherited,
    // The Node that came with `npm ci`, which is new enough whatever the machine has.
    PATH: `${projectFile("node_modules/.bin")}${delimiter}${process.env.PATH}`,
    PULUMI_BACKEND_URL: `file://${state.backend}`,
    PULUMI_CONFIG_PASSPHRASE_FILE: state.passphraseFile,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    NODE_COMPILE_CACHE: `${state.directory}/compile-cache`,
  };
}

/** Runs the engine on the stack, its progress shown. */
function pulumi(engine: Engine, state: DevState, args: readonly string[], show = true): Promise<string> {
  return run(engine.command, [...args, "--non-interactive"], {
    cwd: projectFile("."),
    env: environment(state),
    show,
  });
}

const onStack = (state: DevState) => ["--stack", STACK, "--config-file", state.configFile];

/**
 * `pulumi up`. Whoever calls holds the state's lock, so a lock of the backend is that of a run that was killed, and
 * pending operations are its unfinished ones.
 */
export async function upWithEngine(engine: Engine, state: DevState): Promise<void> {
  await pulumi(engine, state, ["stack", "select", "--create", ...onStack(state)], false);
  await clearInterrupted(engine, state);
  await pulumi(engine, state, ["up", "--yes", "--skip-preview", ...onStack(state)]);
}

/** `pulumi destroy`. */
export async function downWithEngine(engine: Engine, state: DevState): Promise<void> {
  await pulumi(engine, state, ["stack", "select", ...onStack(state)], false);
  await clearInterrupted(engine, state);
  await pulumi(engine, state, ["destroy", "--yes", "--skip-preview", ...onStack(state)]);
}

/** Removes the lock of a run that was killed. What it had begun is settled by the refresh of every `up`. */
async function clearInterrupted(engine: Engine, state: DevState): Promise<void> {
  await pulumi(engine, state, ["cancel", "--yes", "--stack", STACK], false).catch(() => undefined);
  const exported = JSON.parse(await pulumi(engine, state, ["stack", "export", "--stack", STACK], false)) as {
    deployment?: { pending_operations?: unknown[] };
  };
  const pending = exported.deployment?.pending_operations?.length ?? 0;
  if (pending === 0) return;
  console.log(
    `an earlier run was interrupted with ${pending} operations unfinished; looking at what became of them`,
  );
  await pulumi(engine, state, [
    "refresh",
    "--yes",
    "--skip-preview",
    "--clear-pending-creates",
    ...onStack(state),
  ]);
}
