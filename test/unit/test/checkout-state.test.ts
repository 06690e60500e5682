import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { changesBetween, checkoutState, CheckoutWatch } from "../../checkout-state.ts";

describe("the suite", () => {
  it("finds everything that a test has left, changed or removed in the checkout", () => {
    const directory = mkdtempSync(join(tmpdir(), "checkout-"));
    try {
      for (const folder of ["node_modules", ".git", "docs"]) mkdirSync(join(directory, folder));
      for (const name of ["a", "b", "c", "docs/d"]) writeFileSync(join(directory, name), name);
      symlinkSync("a", join(directory, "link"));
      const before = checkoutState(directory);
      assert.deepEqual(changesBetween(before, checkoutState(directory)), []);
      writeFileSync(join(directory, "node_modules/x"), "");
      writeFileSync(join(directory, ".git/index"), "");
      writeFileSync(join(directory, "docs/new"), "");
      mkdirSync(join(directory, "rendered"));
      writeFileSync(join(directory, "a"), "other");
      chmodSync(join(directory, "b"), 0o600);
      rmSync(join(directory, "c"));
      rmSync(join(directory, "link"));
      symlinkSync("b", join(directory, "link"));
      assert.deepEqual(changesBetween(before, checkoutState(directory)), [
        "added docs/new",
        "added rendered/",
        "changed a",
        "changed b",
        "changed link",
        "removed c",
      ]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("finds what a test writes into the checkout for a while", async () => {
    const directory = mkdtempSync(join(tmpdir(), "checkout-"));
    try {
      for (const folder of ["node_modules", ".git", "sql", "sql/migrations"])
        mkdirSync(join(directory, folder));
      writeFileSync(join(directory, "read"), "");
      const watched = new CheckoutWatch(directory);
      readFileSync(join(directory, "read"));
      writeFileSync(join(directory, "node_modules/x"), "");
      writeFileSync(join(directory, ".git/index"), "");
      writeFileSync(join(directory, "sql/migrations/1_broken.sql"), "");
      rmSync(join(directory, "sql/migrations/1_broken.sql"));
      // The kernel hands the events on when this process waits for them.
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.deepEqual(watched.close(), ["sql/migrations/1_broken.sql"]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
