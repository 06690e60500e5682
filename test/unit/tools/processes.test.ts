import assert from "node:assert/strict";
import { attempt } from "../../../tools/processes.ts";

describe("a program's output", () => {
  it("is read whole where it arrives in pieces that end within a character", async () => {
    const pieces = [...Buffer.from("é € 🐘")].map((byte) => `\\${byte.toString(8)}`);
    const script = pieces.map((piece) => `printf '${piece}'; sleep 0.02`).join("\n");
    const { output, errors } = await attempt("sh", ["-c", `${script}\n{ ${script}\n} >&2`]);
    assert.deepEqual({ output, errors }, { output: "é € 🐘", errors: "é € 🐘" });
  });
});
