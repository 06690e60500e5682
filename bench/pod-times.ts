/** What became of pods, and when: the cluster's own times, which are whole seconds. */

/** What is read of a pod. */
export interface TimedPod {
  metadata: { name: string; creationTimestamp: string };
  status: {
    conditions?: { type: string; status: string; lastTransitionTime: string }[];
    initContainerStatuses?: TimedContainer[];
    containerStatuses?: TimedContainer[];
  };
}

interface TimedContainer {
  name: string;
  state: { running?: { startedAt: string }; terminated?: { startedAt: string; finishedAt: string } };
}

/** A moment in the life of a pod, in seconds since another. */
export interface Moment {
  /** `created`, `settings started`, `settings finished`, `ready`. */
  what: string;
  at: number;
}

/**
 * The moments of a pod, in their order.
 *
 * @param since what the seconds are counted from, in milliseconds since 1970
 */
export function momentsOf({ metadata, status }: TimedPod, since: number): Moment[] {
  const at = (time: string) => (Date.parse(time) - since) / 1000;
  const ready = status.conditions?.find(
    (condition) => condition.type === "Ready" && condition.status === "True",
  );
  const containers = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  const moments = [
    { what: "created", at: at(metadata.creationTimestamp) },
    ...containers.flatMap(({ name, state: { running, terminated } }) => {
      const from = (running ?? terminated)?.startedAt;
      return [
        ...(from === undefined ? [] : [{ what: `${name} started`, at: at(from) }]),
        ...(terminated ? [{ what: `${name} finished`, at: at(terminated.finishedAt) }] : []),
      ];
    }),
    ...(ready ? [{ what: "ready", at: at(ready.lastTransitionTime) }] : []),
  ];
  return moments.sort((one, other) => one.at - other.at);
}
