/** The program's resources as the policy pack sees them, from an evaluation in this process. */
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks.js";
import type { Resource } from "../../policy/resources.ts";
import { isMap } from "../../policy/values.ts";
import { evaluate, unwrapped } from "./evaluate.ts";

/** What is read of the request by which the SDK registers a resource: the one that the engine would get. */
interface RegisterRequest {
  getType(): string;
  getName(): string;
  getParent(): string;
  getProtect(): boolean;
  getObject(): { toJavaScript(): Record<string, unknown> } | undefined;
  getDependenciesList(): string[];
  getAdditionalsecretoutputsList(): string[];
}
interface RegisterResponse {
  getUrn(): string;
}
type Callback = (error: unknown, response?: RegisterResponse) => void;
interface Monitor {
  registerResource(request: RegisterRequest, callback: Callback): Promise<void>;
}

function resourceOf(request: RegisterRequest, urn: string): Resource {
  const inputs = unwrapped(request.getObject()?.toJavaScript() ?? {});
  return {
    urn,
    type: request.getType(),
    name: request.getName(),
    inputs: isMap(inputs) ? inputs : {},
    protect: request.getProtect(),
    secretOutputs: request.getAdditionalsecretoutputsList(),
    dependencies: request.getDependenciesList(),
  };
}

/**
 * Evaluates the program for a stack.
 *
 * @param config the stack's configuration, by full key
 * @param secretKeys those of its keys that hold secrets
 */
export async function resourcesOf(
  stack: string,
  config: Record<string, string>,
  secretKeys: readonly string[] = [],
): Promise<Resource[]> {
  const resources: Resource[] = [];
  const monitor = MockMonitor.prototype as unknown as Monitor;
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its `this` below, and put back
  const register = monitor.registerResource;
  monitor.registerResource = function (this: Monitor, request, callback) {
    return register.call(this, request, (error, response) => {
      if (response) resources.push(resourceOf(request, response.getUrn()));
      callback(error, response);
    });
  };
  try {
    await evaluate(stack, config, secretKeys);
  } finally {
    monitor.registerResource = register;
  }
  return resources;
}
