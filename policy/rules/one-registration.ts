import { objectsIn, tokenOf } from "../resources.ts";
import { stackRule } from "../rule.ts";
import { field, textAt, UNKNOWN } from "../values.ts";

export const oneRegistration = stackRule({
  name: "one-registration",
  asks: "no object registered twice",
  description:
    "Registering an object twice lets the second replace the first, and deletes it when one of them goes",
  level: "mandatory",
  check: (stack) => {
    const first = new Map<string, string>();
    return objectsIn(stack).flatMap((object) => {
      const { patch, body, subject, resource } = object;
      const [namespace, name] = ["namespace", "name"].map((part) => textAt(body, "metadata", part));
      // A Patch, or named by the provider, or not known yet.
      if (patch || name === undefined || field(body, "metadata", "namespace") === UNKNOWN) return [];
      const key = `${tokenOf(object)} ${namespace}/${name}`;
      const other = first.get(key);
      first.set(key, other ?? resource.name);
      if (other === undefined) return [];
      return [
        {
          subject,
          urn: resource.urn,
          why: `${subject} is registered twice, as ${other} and as ${resource.name}`,
          remedy: "one resource in the program for each object in the cluster",
        },
      ];
    });
  },
});
