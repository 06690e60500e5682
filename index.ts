/** The entry point: reads the settings, looks at the cluster, runs the program, exports the connection details. */
import * as pulumi from "@pulumi/pulumi";
import { lookLive } from "./cluster/live.ts";
import { identityOf } from "./components/kubernetes/names.ts";
import { readStackSettings } from "./config.ts";

// The SDK captures the stack of every promise, and source-map-support maps each frame in JavaScript: most of what a
// resource costs. Node strips the types in place, so there is nothing to map.
Reflect.deleteProperty(Error, "prepareStackTrace");

const { settings, warnings } = readStackSettings();
for (const warning of warnings) void pulumi.log.warn(warning);

const looking = lookLive(settings, identityOf(pulumi.getProject(), settings.stack));
// A rejection is thrown below; until then it must not count as unhandled.
looking.catch(() => undefined);
// Loading the components takes as long as kubectl's look at the cluster, so both run at once.
const { program } = await import("./program.ts");

// As one value: an output that a stack does not have must not be exported as undefined, of which the SDK warns.
export default program(settings, await looking);
