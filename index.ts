/** The entry: settings in, the cluster looked at, the program run, connection details out. */
import * as pulumi from "@pulumi/pulumi";
import { lookLive } from "./cluster/live.ts";
import { readStackSettings } from "./config.ts";
import { identityOf, program } from "./program.ts";

const { settings, warnings } = readStackSettings();
for (const warning of warnings) void pulumi.log.warn(warning);

const live = await lookLive(settings, identityOf(pulumi.getProject(), settings.stack));

export const { host, port, databaseName, user, password, url, psql, portForward } = program(settings, live);
