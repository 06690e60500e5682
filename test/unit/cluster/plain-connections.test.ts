import assert from "node:assert/strict";
import { acceptsPlain, sayPlain } from "../../../cluster/plain-connections.ts";
import { pgHba } from "../../../components/server/client-authentication.ts";

describe("the look at plain connections", () => {
  it("reads what the program writes, and what people may have written", () => {
    assert.ok(acceptsPlain(pgHba()));
    assert.ok(!acceptsPlain(pgHba([], true)));
    assert.ok(acceptsPlain(`${pgHba([], true)}hostnossl all app 10.0.0.0/8 scram-sha-256\n`));
    assert.ok(
      !acceptsPlain("# host all all all trust\nhost all all 127.0.0.1/32 trust\nhostssl all all all cert\n"),
    );
  });

  it("says who would be cut off, and what to do", () => {
    assert.match(
      sayPlain(["app from 10.42.0.7 (worker)"]),
      /Now: app from 10\.42\.0\.7 \(worker\)\..*plainConnections refused$/,
    );
    assert.match(sayPlain([]), /Nobody does so now/);
    assert.match(sayPlain(undefined), /could not be checked/);
  });
});
