/** Preflight: whose the volumes of the other directories are, and where. */
import { ANNOTATIONS } from "../../components/kubernetes/names.ts";
import type { Check } from "../cluster-state.ts";
import { nodeOf, strangeness } from "../volume-binding.ts";

/**
 * An existing volume must belong to this stack, in its directory and on its node. Its object cannot be changed to another
 * directory; deleting it deletes nothing in the directory.
 */
export const checkDirectories: Check = ({ others = {} }, { directories = [], ...expected }) => {
  const { identity, namespace, hostname } = expected;
  const problems = directories.flatMap(({ path, use }) => {
    const volume = others[use.volume];
    if (!volume) return [];
    const owner = volume.metadata.annotations?.[ANNOTATIONS.identity];
    const at = nodeOf(volume);
    const strange =
      (owner === identity ? undefined : `it belongs to ${owner ?? "somebody else"}`) ??
      strangeness(volume, { namespace, path, use }) ??
      (at === undefined || at === hostname ? undefined : `it is on node ${at}, not ${hostname}`);
    if (strange === undefined) return [];
    const remove =
      owner === identity
        ? `To use another directory: ${use.page}`
        : `If it is no longer needed (its directory stays): kubectl delete pv ${use.volume}`;
    const message = `is "${path}", but the cluster has a PersistentVolume ${use.volume} that does not fit: ${strange}. ${remove}`;
    return [{ key: `${use.section}.path`, message }];
  });
  return { problems };
};
