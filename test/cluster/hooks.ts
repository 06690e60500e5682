/** Starts the local cluster before the first cluster test, and stops it after the last. */
import { clusterObstacle, setUp, tearDown } from "./support.ts";

export const mochaHooks = {
  async beforeAll(this: Mocha.Context): Promise<void> {
    const obstacle = clusterObstacle();
    if (obstacle !== undefined) {
      (this.test?.parent as { skipReason?: string }).skipReason = obstacle;
      this.skip();
    }
    // The first time builds Kubernetes.
    this.timeout(45 * 60_000);
    await setUp();
  },
  async afterAll(this: Mocha.Context): Promise<void> {
    if (clusterObstacle() !== undefined) return;
    this.timeout(120_000);
    await tearDown();
  },
};
