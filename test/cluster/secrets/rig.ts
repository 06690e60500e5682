/** The controller and both stores, for the suites of secret stores. */
import { buildExternalSecrets } from "../../../tools/local-cluster/external-secrets.ts";
import { buildSecretStoresImage } from "../../../tools/local-cluster/images.ts";
import { skip } from "../../skip.ts";
import { Controller } from "./controller.ts";
import { OpenBao } from "./open-bao.ts";
import { SecretsManager, SECRETS_MANAGER } from "./secrets-manager.ts";

export interface Rig {
  readonly controller: Controller;
  readonly bao: OpenBao;
  readonly aws: SecretsManager;
}

/**
 * Starts everything before the suite and removes it afterwards. A machine on which a piece cannot be built skips the suite.
 *
 * @returns the rig, once the suite runs
 */
export function rig(): () => Rig {
  let started: Rig | undefined;
  before(async function () {
    this.timeout(30 * 60_000);
    for (const [what, build] of Object.entries({
      "the controller of External Secrets": buildExternalSecrets,
      "the image with OpenBao and moto": buildSecretStoresImage,
    }))
      await build(console.log).catch((error: unknown) =>
        skip(this, `${what} cannot be built: ${String(error).split("\n", 3).join(" ")}`),
      );
    // Assigned before they start: what starts half is removed.
    started = { controller: new Controller(), bao: new OpenBao(), aws: new SecretsManager() };
    await started.controller.start(SECRETS_MANAGER);
    await started.bao.start();
    await started.aws.start();
  });
  after(async function () {
    this.timeout(300_000);
    if (started === undefined) return;
    const { controller, bao, aws } = started;
    await aws.remove();
    await bao.remove();
    await controller.remove();
  });
  return () => {
    if (started === undefined) throw new Error("the rig has not been started");
    return started;
  };
}
