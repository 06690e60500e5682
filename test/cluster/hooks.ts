/** Starts the local cluster before the first cluster test, and stops it after the last. */
import { clusterObstacle, setUp, tearDown, vacate } from "./support.ts";
import { skip } from "../skip.ts";

export const mochaHooks = {
  async beforeAll(this: Mocha.Context): Promise<void> {
    const obstacle = clusterObstacle();
    if (obstacle !== undefined) {
      skip(this, obstacle);
    }
    // The first time builds Kubernetes.
    this.timeout(45 * 60_000);
    await setUp();
  },
  async afterAll(this: Mocha.Context): Promise<void> {
    if (clusterObstacle() !== undefined) return;
    this.timeout(240_000);
    await vacate();
    await tearDown();
  },
};
