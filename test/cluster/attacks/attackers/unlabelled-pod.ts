import {
  api,
  asks,
  apiOnNode,
  CLOSED,
  connects,
  database,
  databaseService,
  dns,
  inPodOf,
  kubelet,
} from "../acts.ts";
import type { Attacker } from "../attempt.ts";
import { metricsReading } from "./taken-over-monitoring.ts";
import { type Stage, VERIFIED } from "../stage.ts";

/** A pod of the database's namespace that nobody has given access. */
export const unlabelledPod: Attacker<Stage> = {
  who: "a pod of the namespace without the label of a client",
  attempts: [
    ...(
      [
        ["connects to the database by its pod's address", database],
        ["connects to the database by its Service's address", databaseService],
      ] as const
    ).map(([tries, place]) => ({
      tries,
      attack: connects("unlabelled", place),
      refused: CLOSED,
      control: connects("client", place),
    })),
    {
      tries: "logs in with the owner's password, which it has got hold of",
      attack: asks("select 1", {
        from: "unlabelled",
        way: ({ server }) => `${VERIFIED} hostaddr=${server}`,
      }),
      refused: /connection to server .* failed: (Connection refused|timeout expired)/,
      control: asks("select 1", { way: ({ server }) => `${VERIFIED} hostaddr=${server}` }),
    },
    {
      tries: "looks the database's name up",
      attack: inPodOf("unlabelled", "timeout 15 getent hosts postgres || { echo 'no answer'; false; }"),
      refused: /^no answer$/m,
      control: inPodOf("client", "timeout 15 getent hosts postgres"),
    },
    ...metricsReading("unlabelled"),
    ...(
      [
        ["connects to the API server", api],
        ["connects to the API server by the node's address", apiOnNode],
        ["connects to the DNS server", dns],
        ["connects to the kubelet", kubelet],
      ] as const
    ).map(([tries, place]) => ({
      tries,
      attack: connects("unlabelled", place),
      refused: CLOSED,
      control: connects("foreign", place),
    })),
  ],
};
