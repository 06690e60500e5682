/** Preflight: the image that runs, and the one that is wanted. */
import { compareImages } from "../../postgres/image-version.ts";
import { runningImage } from "../cluster-state.ts";
import type { Check } from "../cluster-state.ts";

/** An image that brings another pgvector or distribution than the running one is deployed on purpose or not at all. */
export const checkImage: Check = (state, { image, upgradeTo }) => {
  const running = runningImage(state);
  if (running === undefined) return {};
  const { consequences, unclear } = compareImages(running, image);
  if (consequences.length > 0 && upgradeTo !== image) {
    const message =
      `is ${image}, and the server runs ${running}: ${consequences.join("; ")}. To do it on purpose, ` +
      "with a Job that brings the database along (docs/upgrades.md): pulumi config set --path " +
      `database.upgradeTo ${image}`;
    return { problems: [{ key: "database.image", message }] };
  }
  if (!unclear) return {};
  return {
    warnings: [
      `database.image changes from ${running} to ${image}, and a tag does not say which pgvector and which ` +
        "distribution it holds. When one of them changes, follow docs/upgrades.md",
    ],
  };
};
