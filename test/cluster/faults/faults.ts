/** All faults, in order. */
import { setTimeout as pause } from "node:timers/promises";
import { deploymentFaults } from "./deployment-faults.ts";
import { initialisationFaults } from "./initialisation-faults.ts";
import { nodeFaults } from "./node-faults.ts";
import { rotationFaults } from "./rotation-faults.ts";
import type { Fault } from "./runner.ts";
import { serverFaults } from "./server-faults.ts";
import { storageFaults } from "./storage-faults.ts";

/** How the machine's own unsteadiness looks in these figures. */
const nothing: Fault = {
  name: "nothing, for comparison",
  group: "none",
  strike: () => pause(2000).then(() => undefined),
};

/** The faults by what they strike, and how many of each `npm test` runs: about a quarter, with some of each kind. */
export const KINDS: readonly { name: string; faults: readonly Fault[]; usual: number }[] = [
  { name: "server", faults: serverFaults, usual: 3 },
  { name: "storage", faults: storageFaults, usual: 2 },
  { name: "node", faults: nodeFaults, usual: 1 },
  { name: "initialisation", faults: initialisationFaults, usual: 1 },
  { name: "deployment", faults: deploymentFaults, usual: 1 },
  { name: "rotation", faults: rotationFaults, usual: 1 },
];

export const faults: readonly Fault[] = [nothing, ...KINDS.flatMap(({ faults }) => faults)];
