/** Preflight: whose volume is in the cluster, and where. */
import { ANNOTATIONS, VOLUME_NAME } from "../../components/kubernetes/names.ts";
import type { Check } from "../cluster-state.ts";
import { nodeOf, strangeness } from "../volume-binding.ts";

/** A volume that is there already must be this stack's, in its directory and on its node. */
export const checkVolume: Check = ({ volume }, expected) => {
  if (!volume) return {};
  const { identity, hostname, path } = expected;
  const found = volume.spec.hostPath?.path;
  const owner = volume.metadata.annotations?.[ANNOTATIONS.identity];
  const strange =
    strangeness(volume, expected) ??
    (owner === identity ? undefined : `it belongs to ${owner ?? "somebody else"}`);
  const at = nodeOf(volume);
  if (strange === undefined && at !== undefined && at !== hostname) {
    const message =
      `is "${hostname}", but the data is on node ${at}: PersistentVolume ${VOLUME_NAME} says so. To take ` +
      `it to another node: docs/moving.md. To leave it: pulumi config set --path node.hostname ${at}`;
    return { problems: [{ key: "node.hostname", message }] };
  }
  if (owner === identity && found !== undefined && found !== path) {
    const message =
      `is "${path}", but the data is in ${found}: PersistentVolume ${VOLUME_NAME} says so. To move it: ` +
      `docs/moving.md. To leave it: pulumi config set --path storage.path ${found}`;
    return { problems: [{ key: "storage.path", message }] };
  }
  if (strange === undefined) return {};
  const message =
    `is "${path}", but the cluster has a PersistentVolume ${VOLUME_NAME} that is not this stack's: ` +
    `${strange}. If it is not needed any more (its directory stays): kubectl delete pv ${VOLUME_NAME}`;
  return { problems: [{ key: "storage.path", message }] };
};
