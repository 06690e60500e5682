/** The program, evaluated in this process: no CLI, no cluster, and the same objects that the engine would register. */
import { randomBytes } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import type { StackFile } from "./stack-file.ts";

/** A resource as the program registers it. */
export interface Registration {
  /** Type token, `kubernetes:core/v1:Secret`. */
  type: string;
  /** Logical name. */
  name: string;
  inputs: Record<string, unknown>;
}

/** The mark by which the SDK wraps a secret on its way to the engine. */
const SIGNATURE = "4dabf18193072939515e22adb298388d";

/** The value without the marks of secrecy. */
export function unwrapped(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unwrapped);
  if (typeof value !== "object" || value === null) return value;
  if (SIGNATURE in value && "value" in value) return unwrapped(value.value);
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, unwrapped(entry)]));
}

/** Stands in for what only the engine's providers could answer. */
function outputsOf({ type, name, inputs }: Registration): Record<string, unknown> {
  if (type === "random:index/randomPassword:RandomPassword") {
    return {
      ...inputs,
      result: randomBytes(64)
        .toString("base64")
        .replace(/[^A-Za-z0-9]/g, "")
        .slice(0, 40),
    };
  }
  return { ...inputs, metadata: { ...(inputs.metadata as object | undefined), uid: `uid-of-${name}` } };
}

/**
 * Evaluates index.ts.
 *
 * @param stack the stack's name
 * @param file its configuration
 * @returns every resource, in the order of registration, which is that of dependency
 */
export async function evaluate(stack: string, file: StackFile): Promise<Registration[]> {
  const registrations: Registration[] = [];
  await pulumi.runtime.setMocks(
    {
      call: ({ inputs }) => inputs as Record<string, unknown>,
      newResource: ({ type, name, inputs, custom }) => {
        const registration = { type, name, inputs: inputs as Record<string, unknown> };
        if (custom) registrations.push(registration);
        return { id: `${name}-id`, state: outputsOf(registration) };
      },
    },
    "transcript-pipeline",
    stack,
    true,
  );
  pulumi.runtime.setAllConfig(file.config);
  await pulumi.runtime.runInPulumiStack(() => import("../index.ts"));
  await pulumi.runtime.disconnect();
  return registrations;
}
