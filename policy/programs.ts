/** Programs that a stack runs: their words, and the hash that declares them. */
import { createHash } from "node:crypto";
import type { Pod } from "./pods.ts";
import type { KubernetesObject, Resource } from "./resources.ts";
import { field, hasUnknown, listAt, mapAt, textAt, UNKNOWN } from "./values.ts";

/** The hash of a program, as declarations write it. */
export function hashOf(program: unknown): string {
  const text = typeof program === "string" ? program : JSON.stringify(program);
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

/** A program of a pod. */
export interface PodProgram {
  /** `<container> <where>`. */
  at: string;
  /** Words of the command; another action as JSON. */
  words: unknown;
}

const PROBES = ["startupProbe", "livenessProbe", "readinessProbe"];
const HOOKS = ["postStart", "preStop"];

/** Stands for the words of a container that runs its image's own program. */
export const IMAGES_OWN = "the image's own program";

/**
 * Every program in a pod's spec, except those not known before the deployment. A container without a command runs its
 * image's own.
 */
export function programsOf(pod: Pod): PodProgram[] {
  return pod.containers.flatMap(({ name, body }) => {
    if (body.name === UNKNOWN) return [];
    const programs: PodProgram[] = [
      { at: "command", words: field(body, "command") ?? IMAGES_OWN },
      { at: "args", words: body.args },
      ...PROBES.map((probe) => ({ at: probe, words: field(body, probe, "exec", "command") })),
      // Any action: a hook that waits, or asks an address, can delay or end the server just like a command.
      ...HOOKS.map((hook) => ({
        at: hook,
        words: field(body, "lifecycle", hook, "exec", "command") ?? field(body, "lifecycle", hook),
      })),
    ];
    return programs
      .filter(({ words }) => words !== undefined && !hasUnknown(words))
      .filter(({ words }) => !Array.isArray(words) || words.length > 0)
      .map(({ at, words }) => ({ at: `${name} ${at}`, words }));
  });
}

/** `name='value'`: a constant of /bin/sh. The name is in lower case: PATH or IFS would change what follows. */
const CONSTANT = /^([a-z][a-z0-9_]*)='(?:[^']|'\\'')*'\n/;

/**
 * Takes a script apart: the names of the constants at its top, which hold the stack's own values, and the body, which
 * uses them.
 */
export function partsOfScript(script: string): { constants: string[]; body: string } {
  const constants: string[] = [];
  let body = script;
  for (let match = CONSTANT.exec(body); match; match = CONSTANT.exec(body)) {
    constants.push(match[1] ?? "");
    body = body.slice(match[0].length);
  }
  return { constants, body };
}

/** A script that a Command runs. */
export interface CommandScript {
  /** Field of the Command: `create`, `update`, `delete`. */
  at: string;
  script: unknown;
  /** `<logical name> <field> <hash>`, which declares it; undefined where the script is not known yet. */
  line?: string;
}

/** The hash of what does not depend on the stack: the constants' names, the body, and what runs them. */
function hashOfScript(script: string, interpreter: readonly unknown[]): string {
  const { constants, body } = partsOfScript(script);
  return hashOf([interpreter, constants, body]);
}

/** The scripts of a Command of the provider `command`, none of other resources. */
export function scriptsOf({ type, name, inputs }: Resource): CommandScript[] {
  if (!/^command:(local|remote):Command$/.test(type)) return [];
  const interpreter = listAt(inputs, "interpreter");
  return ["create", "update", "delete"].flatMap((at): CommandScript[] => {
    const script = inputs[at];
    if (script === undefined) return [];
    const text = textAt(inputs, at);
    if (text === undefined || hasUnknown(interpreter)) return [{ at, script }];
    // On another machine its login shell runs a script; here it is /bin/sh.
    const usual = interpreter.length === 0 || JSON.stringify(interpreter) === '["/bin/sh","-c"]';
    return [{ at, script, line: `${name} ${at} ${hashOfScript(text, usual ? [] : interpreter)}` }];
  });
}

/** A file of a ConfigMap that is a program. */
export interface ScriptFile {
  file: string;
  /** `<kind>/<name> <file> <hash>`, which declares it. */
  line: string;
}

/** The owner's SQL: it can do nothing to the server, and grows with every release. */
const MIGRATIONS = "postgres-init-migrations";
const SCRIPT_NAME = /\.(sh|bash|sql|py|pl|rb|js|mjs|cjs|lua|awk)$/i;

/** The scripts and SQL in a ConfigMap, by name or first line, except those not known before the deployment. */
export function scriptFilesOf({ kind, name, subject, body }: KubernetesObject): ScriptFile[] {
  if (kind !== "ConfigMap" || name === MIGRATIONS) return [];
  return ["data", "binaryData"].flatMap((part) =>
    Object.entries(mapAt(body, part)).flatMap(([file, content]) => {
      if (typeof content !== "string") return [];
      const text = part === "data" ? content : Buffer.from(content, "base64").toString("latin1");
      if (!SCRIPT_NAME.test(file) && !text.startsWith("#!")) return [];
      return [{ file, line: `${subject} ${file} ${hashOf(text)}` }];
    }),
  );
}
