import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { isWrong, readable, type Rule, RULES, sentence } from "../../../../components/monitoring/rules.ts";
import { projectFile } from "../../../../tools/cli.ts";

/** The anchors of a page's headings, as GitHub makes them. */
const anchorsOf = (text: string) =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} -]/gu, "")
      .replaceAll(" ", "-"),
  );

describe("the rules of what is wrong", () => {
  it("have names of their own, one limit each, and all that a person needs", () => {
    assert.ok(RULES.length >= 20);
    assert.equal(new Set(RULES.map(({ name }) => name)).size, RULES.length);
    for (const rule of RULES) {
      assert.match(rule.name, /^[a-z]+(-[a-z]+)*$/);
      assert.equal([rule.above, rule.below].filter((limit) => limit !== undefined).length, 1, rule.name);
      for (const text of [rule.words, rule.remedy, rule.why]) assert.ok(text.length > 10, rule.name);
      assert.ok(!/[.]$/.test(rule.words + rule.remedy + rule.why), rule.name);
      assert.ok(rule.lasts >= 0);
    }
  });

  it("link to a part of a page that there is", () => {
    for (const { name, page } of RULES) {
      const [file = "", anchor] = page.split("#");
      assert.ok(existsSync(projectFile(`docs/${file}`)), `${name}: docs/${file}`);
      const anchors = anchorsOf(readFileSync(projectFile(`docs/${file}`), "utf8"));
      assert.ok(anchor === undefined || anchors.includes(anchor), `${name}: ${page}: ${anchors.join()}`);
    }
  });

  it("come the graver first where two are about one figure, and the graver one is wrong whenever both are", () => {
    for (const [index, rule] of RULES.entries())
      for (const later of RULES.slice(index + 1).filter(({ figure }) => figure === rule.figure)) {
        assert.ok(!(rule.severity === "warning" && later.severity === "critical"), later.name);
        if (rule.above !== undefined) assert.ok((later.above ?? Infinity) < rule.above, later.name);
        if (rule.below !== undefined) assert.ok((later.below ?? -Infinity) > rule.below, later.name);
      }
  });

  it("do not tell of what stands exactly at its limit", () => {
    const rule = { figure: "x_seconds", above: 60 } as Rule;
    const at = (value: number) => isWrong(rule, { name: "x_seconds", label: "", value });
    assert.deepEqual([59, 60, 60.1].map(at), [false, false, true]);
    assert.equal(isWrong(rule, { name: "y_seconds", label: "", value: 1000 }), false);
    const below = (value: number) =>
      isWrong({ figure: "x", below: 0.05 } as Rule, { name: "x", label: "", value });
    assert.deepEqual([0.049, 0.05].map(below), [true, false]);
  });

  it("have each value in the unit that its name ends with", () => {
    const say = (name: string, value: number) => readable({ name, value });
    assert.equal(say("archive_behind_seconds", 90), "90 s");
    assert.equal(say("disk_free_ratio", 0.0412), "4.1 %");
    assert.equal(say("disk_free_ratio", 0.12345), "12.3 %");
    assert.equal(say("slot_wal_bytes", 9 * 2 ** 30), "9 GiB");
    assert.equal(say("jobs_dead", 3), "3");
    const words = { words: "RAID {label} lacks {value}, {label}" };
    assert.equal(
      sentence(words, { name: "raid_missing_devices", label: "md0", value: 1 }),
      "RAID md0 lacks 1, md0",
    );
  });
});
