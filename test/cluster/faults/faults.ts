/** All faults, in the order in which they are done. */
import { setTimeout as pause } from "node:timers/promises";
import { deploymentFaults } from "./deployment-faults.ts";
import { initialisationFaults } from "./initialisation-faults.ts";
import { nodeFaults } from "./node-faults.ts";
import { rotationFaults } from "./rotation-faults.ts";
import type { Fault } from "./runner.ts";
import { serverFaults } from "./server-faults.ts";
import { storageFaults } from "./storage-faults.ts";

export const faults: readonly Fault[] = [
  // What the machine's own unsteadiness looks like in these figures.
  { name: "nothing, for comparison", group: "none", strike: () => pause(2000).then(() => undefined) },
  ...serverFaults,
  ...storageFaults,
  ...nodeFaults,
  ...initialisationFaults,
  ...deploymentFaults,
  ...rotationFaults,
];
