/** Everybody who attacks. */
import type { Attacker } from "../attempt.ts";
import type { Stage } from "../stage.ts";
import { backupDisk } from "./backup-disk.ts";
import { deployIdentity, previewIdentity } from "./ci.ts";
import { client } from "./client.ts";
import { foreignPod } from "./foreign-pod.ts";
import { imposter } from "./imposter.ts";
import { monitoring } from "./monitoring.ts";
import { nodeUser } from "./node-user.ts";
import { owner } from "./owner.ts";
import { patientReader, reader } from "./reader.ts";
import { readonly } from "./readonly.ts";
import { readwrite } from "./readwrite.ts";
import { takenOverMonitoring } from "./taken-over-monitoring.ts";
import { takenOverServer } from "./taken-over-server.ts";
import { unlabelledPod } from "./unlabelled-pod.ts";

/** Those of attacks.test.ts. */
export const ATTACKERS: readonly Attacker<Stage>[] = [
  ...[foreignPod, unlabelledPod, client, imposter, takenOverServer, takenOverMonitoring],
  ...[readwrite, readonly, monitoring, owner],
  ...[previewIdentity, deployIdentity, nodeUser, reader],
];

/** Those of attacks.long.ts: on an API server that encrypts Secrets, and on backups. */
export const SLOW_ATTACKERS: readonly Attacker<Stage>[] = [backupDisk, patientReader];
