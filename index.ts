/** The entry: settings in, the cluster looked at, the program run, connection details out. */
import * as pulumi from "@pulumi/pulumi";
import { lookLive } from "./cluster/live.ts";
import { identityOf } from "./components/kubernetes/names.ts";
import { readStackSettings } from "./config.ts";

// The SDK takes the stack of every promise it makes, and installs source-map-support, which maps each frame in
// JavaScript: most of what a resource costs. Node strips the types in place, so there is nothing to map.
Reflect.deleteProperty(Error, "prepareStackTrace");

const { settings, warnings } = readStackSettings();
for (const warning of warnings) void pulumi.log.warn(warning);

const looking = lookLive(settings, identityOf(pulumi.getProject(), settings.stack));
// What it throws is thrown below, and is not unheard until then.
looking.catch(() => undefined);
// kubectl looks at the cluster while Node loads the components, which takes as long.
const { program } = await import("./program.ts");

export const { host, port, databaseName, user, password, url, psql, portForward } = program(
  settings,
  await looking,
);
