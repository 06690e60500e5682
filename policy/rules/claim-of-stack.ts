import { podsIn, volumesOf } from "../pods.ts";
import { dataDirectory, mountOver, serversOf } from "../postgres.ts";
import { mayShareNamespace, objectsIn } from "../resources.ts";
import { type Finding, stackRule } from "../rule.ts";
import { field, hasUnknown, shown, UNKNOWN } from "../values.ts";

export const claimOfStack = stackRule({
  name: "claim-of-stack",
  asks: "the server's claim and the volume behind it belong to the stack and to each other",
  description: "Mounting a claim that is not in the stack writes the rows where nothing protects them",
  level: "mandatory",
  check: (stack) => {
    const objects = objectsIn(stack).filter(({ patch }) => !patch);
    const claims = objects.filter(({ kind }) => kind === "PersistentVolumeClaim");
    const volumes = objects.filter(({ kind }) => kind === "PersistentVolume");
    const names = [...claims, ...volumes].map(({ body }) => field(body, "metadata", "name"));
    // A name that is not known yet may be the one.
    if (hasUnknown([names, [...claims, ...volumes].map(({ body }) => body.metadata)])) return [];
    return podsIn(stack)
      .filter(({ object }) => !object.patch)
      .flatMap((pod) =>
        serversOf(pod).flatMap((server): Finding[] => {
          const mount = field(mountOver(server, dataDirectory(server)), "name");
          const volume = volumesOf(pod).find(({ name }) => name === mount);
          const claimName = field(volume, "persistentVolumeClaim", "claimName");
          if (claimName === undefined || claimName === UNKNOWN || mount === UNKNOWN) return [];
          const claim = claims.find(
            (candidate) => candidate.name === claimName && mayShareNamespace(candidate, pod.object),
          );
          const bound = field(claim?.body, "spec", "volumeName");
          const found = { subject: pod.object.subject, urn: pod.object.resource.urn };
          if (!claim) {
            return [
              {
                ...found,
                why: `its data is on the claim ${shown(claimName)}, which is not one of the stack's in its namespace: ${claims.map(({ name }) => name).join(", ")}`,
                remedy: "the stack's own claim, whose volume is retained and protected",
              },
            ];
          }
          if (typeof bound !== "string" || bound === "") return [];
          const backing = volumes.find(({ name }) => name === bound);
          if (backing) {
            const keptFor = ["namespace", "name"].map((part) =>
              field(backing.body, "spec", "claimRef", part),
            );
            const own = ["namespace", "name"].map((part) => field(claim.body, "metadata", part));
            // volume-reserved reports missing parts.
            const isOwn = keptFor.every((part, index) => part === undefined || part === own[index]);
            if (isOwn || hasUnknown([keptFor, own])) return [];
            return [
              {
                ...found,
                why: `${backing.subject} is reserved for the claim ${keptFor.map(String).join("/")}, but the server mounts ${own.map(String).join("/")}`,
                remedy: "spec.claimRef: the claim that the server mounts",
              },
            ];
          }
          return [
            {
              ...found,
              why: `its claim ${claim.subject} is for the volume ${shown(bound)}, which is not in the stack`,
              remedy: "volumeName: the stack's own PersistentVolume",
            },
          ];
        }),
      );
  },
});
