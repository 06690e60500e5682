import assert from "node:assert/strict";

import { NAMESPACE, findEveryRow, follow, onProd, prod } from "./prod.ts";

describe("docs/interrupted.md", function () {
  this.timeout(300_000);
  onProd();

  it("a `pulumi up` that was killed is recovered without a prompt", async () => {
    await prod().checkout.run(
      `kubectl delete namespace ${NAMESPACE}
       setsid pulumi up --stack "$STACK" --skip-preview >/dev/null 2>&1 & sleep 6; kill -9 "-$!"; wait || true`,
    );
    const locked = await prod().checkout.run('pulumi up --stack "$STACK" --skip-preview');
    assert.match(locked.output, /the stack is currently locked by/);
    const output = await follow("take-up");
    assert.match(output, /stack prod is deployed/);
    assert.match(output, /job\.batch\/postgres-init +Complete/);
    await findEveryRow();
  });
});
