/** All faults, in the order in which they are done. */
import { setTimeout as pause } from "node:timers/promises";
import { deploymentFaults } from "./deployment-faults.ts";
import { initialisationFaults } from "./initialisation-faults.ts";
import { nodeFaults } from "./node-faults.ts";
import { rotationFaults } from "./rotation-faults.ts";
import type { Fault } from "./runner.ts";
import { serverFaults } from "./server-faults.ts";
import { storageFaults } from "./storage-faults.ts";

/** What the machine's own unsteadiness looks like in these figures. */
const nothing: Fault = {
  name: "nothing, for comparison",
  group: "none",
  strike: () => pause(2000).then(() => undefined),
};

/** The faults by what is struck, and how many of each `npm test` does: about a quarter, each kind among them. */
export const KINDS: readonly { name: string; faults: readonly Fault[]; usual: number }[] = [
  { name: "server", faults: serverFaults, usual: 4 },
  { name: "storage", faults: storageFaults, usual: 3 },
  { name: "node", faults: nodeFaults, usual: 2 },
  { name: "initialisation", faults: initialisationFaults, usual: 1 },
  { name: "deployment", faults: deploymentFaults, usual: 1 },
  { name: "rotation", faults: rotationFaults, usual: 1 },
];

export const faults: readonly Fault[] = [nothing, ...KINDS.flatMap(({ faults }) => faults)];
