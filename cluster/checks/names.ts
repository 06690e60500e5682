/** Preflight: the names of the database and its owner. */
import { ANNOTATIONS } from "../../components/kubernetes/names.ts";
import { type AnnotatedObject, deployedNames, objectionsToNames } from "../deployed-names.ts";
import type { Check } from "../cluster-state.ts";

/** Names that are not those in the cluster. Somebody else's objects say nothing about ours. */
export const checkNames: Check = ({ volume, statefulSet, initJob }, { identity, names }) => {
  const ours = <T extends AnnotatedObject>(object: T | undefined) =>
    object?.metadata.annotations?.[ANNOTATIONS.identity] === identity ? object : undefined;
  const [ourVolume, ourServer] = [ours(volume), ours(statefulSet)];
  // The Job does not say whose it is.
  const job = ourVolume || ourServer ? initJob : undefined;
  return { problems: objectionsToNames(deployedNames(ourVolume, ourServer, job), names) };
};
