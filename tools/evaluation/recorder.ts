/** Records in this process what a program asks the engine for. */
import { randomBytes } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";

/** A resource as the program registers it: the request that the engine would get. */
export interface Registration {
  urn: string;
  /** Type token, `kubernetes:core/v1:Secret`. */
  type: string;
  /** Logical name. */
  name: string;
  /** Whether a provider creates it. Components and the stack are not created. */
  custom: boolean;
  /** Secrets carry the engine's marks: see {@link unwrapped}. */
  inputs: Record<string, unknown>;
  /** URN of the parent. Empty for the stack. */
  parent: string;
  protect: boolean;
  deleteBeforeReplace: boolean;
  /** Top-level fields that the program wants encrypted in the state. */
  secretOutputs: string[];
  /** URNs of the resources in dependsOn and of those that the inputs are made from. */
  dependencies: string[];
}

/** The mark with which the SDK wraps a secret on its way to the engine. */
const SIGNATURE = "4dabf18193072939515e22adb298388d";

/** The value without the marks of secrets. */
export function unwrapped(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unwrapped);
  if (typeof value !== "object" || value === null) return value;
  if (SIGNATURE in value && "value" in value) return unwrapped(value.value);
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, unwrapped(entry)]));
}

/** 40 alphanumeric characters, as the program requests from the provider. */
export function generatedPassword(): string {
  return randomBytes(64)
    .toString("base64")
    .replace(/[^A-Za-z0-9]/g, "")
    .slice(0, 40);
}

/** Stands in for answers that only the engine's providers have. */
function outputsOf(type: string, name: string, inputs: Record<string, unknown>): Record<string, unknown> {
  if (type === "random:index/randomPassword:RandomPassword")
    return { ...inputs, result: generatedPassword() };
  return { ...inputs, metadata: { ...(inputs.metadata as object | undefined), uid: `uid-of-${name}` } };
}

/** Fields of the request with which the SDK registers a resource (pulumi/resource.proto, RegisterResourceRequest). */
interface RegisterRequest {
  getType(): string;
  getName(): string;
  getCustom(): boolean;
  getParent(): string;
  getProtect(): boolean;
  getDeletebeforereplace(): boolean;
  getObject(): { toJavaScript(): Record<string, unknown> } | undefined;
  getDependenciesList(): string[];
  getAdditionalsecretoutputsList(): string[];
}
type Callback = (error: unknown, response?: { getUrn(): string }) => void;
interface Monitor {
  registerResource(request: RegisterRequest, callback: Callback): Promise<void>;
}

/**
 * Runs a program as the SDK's mocks do, which receive the requests and pass on a part of them.
 *
 * @param run the program
 * @returns all registrations, in the order in which they were made, which is the order of dependency
 */
export async function recorded(project: string, stack: string, run: () => object): Promise<Registration[]> {
  const registrations: Registration[] = [];
  await pulumi.runtime.setMocks(
    {
      call: ({ inputs }) => inputs as Record<string, unknown>,
      newResource: ({ type, name, inputs }) => ({
        id: `${name}-id`,
        state: outputsOf(type, name, inputs as Record<string, unknown>),
      }),
    },
    project,
    stack,
    true,
  );
  const monitor = pulumi.runtime.getMonitor() as unknown as Monitor;
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = (request, callback) =>
    register(request, (error, response) => {
      if (response) {
        registrations.push({
          urn: response.getUrn(),
          type: request.getType(),
          name: request.getName(),
          custom: request.getCustom(),
          inputs: request.getObject()?.toJavaScript() ?? {},
          parent: request.getParent(),
          protect: request.getProtect(),
          deleteBeforeReplace: request.getDeletebeforereplace(),
          secretOutputs: request.getAdditionalsecretoutputsList(),
          dependencies: request.getDependenciesList(),
        });
      }
      callback(error, response);
    });
  await withoutEchoes(async () => {
    await pulumi.runtime.runInPulumiStack(() => Promise.resolve(run()));
    await pulumi.runtime.disconnect();
  });
  return registrations;
}

/**
 * Runs a program whose error the SDK delivers several times: to the caller, and as unhandled rejections, each of which
 * would end this process with a stack trace. The error is thrown once.
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
