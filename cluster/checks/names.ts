/** Preflight: the names of the database and its owner. */
import { ANNOTATIONS } from "../../components/kubernetes/names.ts";
import { type AnnotatedObject, deployedNames, objectionsToNames } from "../deployed-names.ts";
import type { Check } from "../cluster-state.ts";

/** The names must be those in the cluster. Objects of other stacks do not count. */
export const checkNames: Check = ({ volume, statefulSet, initJob }, { identity, names }) => {
  const ours = <T extends AnnotatedObject>(object: T | undefined) =>
    object?.metadata.annotations?.[ANNOTATIONS.identity] === identity ? object : undefined;
  const [ourVolume, ourServer] = [ours(volume), ours(statefulSet)];
  // The Job does not name its stack.
  const job = ourVolume || ourServer ? initJob : undefined;
  return { problems: objectionsToNames(deployedNames(ourVolume, ourServer, job), names) };
};
