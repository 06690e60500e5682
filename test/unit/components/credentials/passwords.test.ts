import assert from "node:assert/strict";
import { passwordFrom } from "../../../../components/credentials/passwords.ts";

const secret = "a".repeat(40);

describe("a generated password", () => {
  it("is 40 letters and digits, the same every time", () => {
    assert.match(passwordFrom(secret, "owner", ""), /^[A-Za-z0-9]{40}$/);
    assert.equal(passwordFrom(secret, "owner", ""), passwordFrom(secret, "owner", ""));
  });

  it("differs for another login, revision or secret, and is never the secret itself", () => {
    const all = [
      secret,
      passwordFrom(secret, "owner", ""),
      passwordFrom(secret, "owner", "2"),
      passwordFrom(secret, "superuser", ""),
      passwordFrom(secret, "superuser", "2"),
      passwordFrom("b".repeat(40), "owner", ""),
    ];
    assert.equal(new Set(all).size, all.length);
  });
});
