/** The engine on one stack. */
import { projectFile } from "../cli.ts";
import type { Engine } from "./engine.ts";
import { type EngineResult, type EngineRun, runEngine } from "./runner.ts";

/** Runs the engine on one stack. */
export interface StackEngine {
  stack: string;
  /** Runs the program: preview, up, refresh, destroy. */
  operate: (args: readonly string[], options?: Pick<EngineRun, "show" | "eventLog">) => Promise<EngineResult>;
  /** Runs a command about the stack, with a text for its standard input: export, import, cancel. */
  manage: (args: readonly string[], input?: string) => Promise<EngineResult>;
}

/** A stack, and how to run the engine on it. */
export interface StackOptions extends Pick<EngineRun, "env" | "mask" | "color"> {
  engine: Engine;
  stack: string;
  /** The stack's configuration. @default Pulumi.<stack>.yaml of the checkout */
  configFile?: string | undefined;
  /**
   * Folder of the project that `manage` runs in: these commands have no --config-file, and write to the stack's file
   * there. @default the checkout
   */
  manageIn?: string;
}

/** The engine on a stack of the checkout's program. */
export function stackEngine(options: StackOptions): StackEngine {
  const { engine, stack, configFile, manageIn = projectFile("."), ...run } = options;
  const config = configFile === undefined ? [] : ["--config-file", configFile];
  return {
    stack,
    operate: (args, wanted) =>
      runEngine(engine, [...args, "--stack", stack, ...config], {
        ...run,
        cwd: projectFile("."),
        ...wanted,
      }),
    manage: (args, input) =>
      runEngine(engine, [...args, "--stack", stack], { ...run, color: false, cwd: manageIn, input }),
  };
}
