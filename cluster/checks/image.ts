/** Preflight: the running image and the wanted one. */
import { compareImages } from "../../postgres/image-version.ts";
import { runningImage } from "../cluster-state.ts";
import type { Check } from "../cluster-state.ts";

/** An image with another pgvector or distribution than the running one must be confirmed. */
export const checkImage: Check = (state, { image, upgradeTo }) => {
  const running = runningImage(state);
  if (running === undefined) return {};
  const { consequences, unclear } = compareImages(running, image);
  if (consequences.length > 0 && upgradeTo !== image) {
    const message =
      `is ${image}, and the server runs ${running}: ${consequences.join("; ")}. To confirm it, ` +
      "with a Job that upgrades the database (docs/upgrades.md): pulumi config set --path " +
      `database.upgradeTo ${image}`;
    return { problems: [{ key: "database.image", message }] };
  }
  if (!unclear) return {};
  return {
    warnings: [
      `database.image changes from ${running} to ${image}, and a tag does not say which pgvector and which ` +
        "distribution it contains. If one of them changes, follow docs/upgrades.md",
    ],
  };
};
