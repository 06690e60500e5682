/** Preflight: whose volume is in the cluster, and where. */
import { ANNOTATIONS, VOLUME_NAME } from "../../components/kubernetes/names.ts";
import type { Check } from "../cluster-state.ts";
import { nodeOf, strangeness } from "../volume-binding.ts";

/** An existing volume must belong to this stack, in its directory and on its node. */
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
      `is "${hostname}", but the data is on node ${at}, as PersistentVolume ${VOLUME_NAME} shows. To move ` +
      `it to another node: docs/moving.md. To keep it there: pulumi config set --path node.hostname ${at}`;
    return { problems: [{ key: "node.hostname", message }] };
  }
  if (owner === identity && found !== undefined && found !== path) {
    const message =
      `is "${path}", but the data is in ${found}, as PersistentVolume ${VOLUME_NAME} shows. To move it: ` +
      `docs/moving.md. To keep it there: pulumi config set --path storage.path ${found}`;
    return { problems: [{ key: "storage.path", message }] };
  }
  if (strange === undefined) return {};
  const message =
    `is "${path}", but the cluster has a PersistentVolume ${VOLUME_NAME} that is not this stack's: ` +
    `${strange}. If it is no longer needed (its directory stays): kubectl delete pv ${VOLUME_NAME}`;
  return { problems: [{ key: "storage.path", message }] };
};
