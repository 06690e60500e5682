/** The program, evaluated in this process: no CLI, no cluster, and the same objects that the engine would register. */
import { randomBytes } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";

/** A resource as the program registers it. */
export interface Registration {
  /** Type token, `kubernetes:core/v1:Secret`. */
  type: string;
  /** Logical name. */
  name: string;
  inputs: Record<string, unknown>;
  /** The options that a policy or a reader asks about. */
  options: {
    protect: boolean;
    deleteBeforeReplace: boolean;
    /** Logical names of what was named in dependsOn. */
    dependsOn: string[];
    /** Logical names of the parents, nearest first, without the stack. */
    parents: string[];
  };
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

/** 40 alphanumeric characters, as the program asks the provider for. */
export function generatedPassword(): string {
  return randomBytes(64)
    .toString("base64")
    .replace(/[^A-Za-z0-9]/g, "")
    .slice(0, 40);
}

/** Stands in for what only the engine's providers could answer. */
function outputsOf({
  type,
  name,
  inputs,
}: Pick<Registration, "type" | "name" | "inputs">): Record<string, unknown> {
  if (type === "random:index/randomPassword:RandomPassword") {
    return {
      ...inputs,
      result: generatedPassword(),
    };
  }
  return { ...inputs, metadata: { ...(inputs.metadata as object | undefined), uid: `uid-of-${name}` } };
}

type Options = Registration["options"];

/** What the SDK keeps of a resource and does not show. */
type Inside = pulumi.Resource & { __name?: string; __protect?: boolean; __parentResource?: Inside };

/** Logical name of a resource. */
const nameOf = (resource: pulumi.Resource): string => (resource as Inside).__name ?? "";

function optionsOf(opts: pulumi.CustomResourceOptions): Options {
  const parents: string[] = [];
  let protect = opts.protect;
  for (let parent = opts.parent as Inside | undefined; parent; parent = parent.__parentResource) {
    // The stack itself is everybody's parent, and has none.
    if (!parent.__parentResource) break;
    parents.push(nameOf(parent));
    protect ??= parent.__protect;
  }
  const dependsOn = [opts.dependsOn ?? []].flat().filter((entry) => pulumi.Resource.isInstance(entry));
  return {
    protect: protect === true,
    deleteBeforeReplace: opts.deleteBeforeReplace === true,
    dependsOn: dependsOn.map(nameOf),
    parents,
  };
}

/**
 * Runs a program whose error the SDK hands out several times: to who waits for it, and as rejections that nobody waits
 * for, each of which would end this process with a trace of the stack. What was thrown is thrown once.
 */
async function withoutEchoes(run: () => Promise<void>): Promise<void> {
  const others = process.rawListeners("unhandledRejection");
  let unheard: unknown;
  const listener = (reason: unknown) => {
    unheard ??= reason;
  };
  process.removeAllListeners("unhandledRejection").on("unhandledRejection", listener);
  try {
    await run();
    // Rejections are reported when the promises' queue is empty.
    await new Promise((resolve) => setImmediate(resolve));
    if (unheard !== undefined) throw unheard instanceof Error ? unheard : new Error(JSON.stringify(unheard));
  } finally {
    await new Promise((resolve) => setImmediate(resolve));
    process.removeListener("unhandledRejection", listener);
    for (const other of others) process.on("unhandledRejection", other as NodeJS.UnhandledRejectionListener);
  }
}

let evaluations = 0;

/**
 * Evaluates index.ts.
 *
 * @param stack the stack's name
 * @param config its configuration, by full key
 * @param secretKeys those of its keys that hold secrets
 * @returns every custom resource, in the order of registration, which is that of dependency
 */
export async function evaluate(
  stack: string,
  config: Record<string, string>,
  secretKeys: readonly string[] = [],
): Promise<Registration[]> {
  const registrations: Registration[] = [];
  const options = new Map<string, Options>();
  await pulumi.runtime.setMocks(
    {
      call: ({ inputs }) => inputs as Record<string, unknown>,
      newResource: ({ type, name, inputs, custom }) => {
        const registration = { type, name, inputs: inputs as Record<string, unknown> };
        const known = options.get(`${type} ${name}`);
        if (custom && known) registrations.push({ ...registration, options: known });
        return { id: `${name}-id`, state: outputsOf(registration) };
      },
    },
    "transcript-pipeline",
    stack,
    true,
  );
  pulumi.runtime.setAllConfig(config, [...secretKeys]);
  // A module is evaluated once; the query makes it another one each time.
  const program = new URL(`../../index.ts?evaluation=${++evaluations}`, import.meta.url).href;
  await withoutEchoes(async () => {
    await pulumi.runtime.runInPulumiStack(() => {
      // Mocks are not told of resource options; a transformation is.
      pulumi.runtime.registerStackTransformation(({ type, name, opts }) => {
        options.set(`${type} ${name}`, optionsOf(opts));
        return undefined;
      });
      return import(program);
    });
    await pulumi.runtime.disconnect();
  });
  return registrations;
}
