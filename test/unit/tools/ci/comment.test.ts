import assert from "node:assert/strict";
import { codeBlock, codeSpan, sentence } from "../../../../tools/plan/markdown-text.ts";
import type { EngineEvent, EventStep } from "../../../../tools/engine/events.ts";
import { summarize } from "../../../../tools/plan/summary.ts";
import { plansMarkdown, type StackPlan } from "../../../../tools/plan/markdown.ts";
import { commentText } from "../../../../tools/ci/comment.ts";
import { driftText } from "../../../../tools/ci/drift-issue.ts";
import { Random } from "../../../random.ts";

/** What a pull request may write into a message, a name or a value to have the bot say it. */
const ATTACKS = [
  "![x](https://evil.example/x.png)",
  "[approved](https://evil.example)",
  "<img src=https://evil.example/x.png>",
  "<https://evil.example>",
  "https://evil.example/log-in",
  "www.evil.example",
  "anna@evil.example",
  "@anna please approve",
  "#12 fixes GH-1 and owner/name#2 at 0123456789abcdef0123456789abcdef01234567",
  "</details></summary><h1>approved</h1>",
  "<!-- transcript-pipeline: preview -->",
  "```\n# approved\n```",
  "~~~\n# approved",
  "`` ` ```",
  "` ![x](https://evil.example/x.png)",
  "a ` b ![x](https://evil.example/x.png) ` c",
  "\\` ![x](https://evil.example/x.png)",
  "x\r![x](https://evil.example/x.png)",
  "x\u2028# approved",
  "\u202egnp.x/elpmaxe.live//:sptth\u202c",
  "\n\n# approved\n\n| a | b |\n|---|---|\n",
  "[x]: https://evil.example\n\n[x]",
  "**approved**",
  "$$\\href{https://evil.example}{approved}$$",
  "1. approved",
  "&#33;&#91;x&#93;(https://evil.example)",
];

/** The text without its code, read as CommonMark reads it: fences by their lines, then spans by their backticks. */
function outsideCode(markdown: string): string {
  const outside: string[] = [];
  let fence: string | undefined;
  for (const line of markdown.split(/\r\n|\n|\r/)) {
    const [, ticks] = /^ {0,3}(`{3,}|~{3,})/.exec(line) ?? [];
    if (fence === undefined && ticks !== undefined) fence = ticks;
    else if (fence !== undefined) {
      if (
        ticks !== undefined &&
        ticks[0] === fence[0] &&
        ticks.length >= fence.length &&
        line.trim() === ticks
      )
        fence = undefined;
    } else outside.push(line);
  }
  assert.equal(fence, undefined, "a block does not end");
  // A span does not extend past the end of its list item.
  return outside.map((line) => line.replace(/(?<!`)(`+)(?!`)(?:.*?[^`])?\1(?!`)/g, "")).join("\n");
}

/** The part of a comment that is not the bot's own. */
function foreign(markdown: string): string[] {
  const rest = outsideCode(markdown)
    .replaceAll(/<\/?(?:details|summary|sub)>/g, "")
    .replace("Commit 0123456789ab.", "")
    .replace(/^<!-- transcript-pipeline: (?:preview|drift) -->$/m, "")
    .replace(/\[This run\]\(https:\/\/github\.com\/owner\/name\/actions\/runs\/7\)/, "");
  const signs =
    /[<>@#[\]!\\`~|$&]|:\/\/|www\.|[0-9a-f]{7,}|approved|evil|anna|[\u200b-\u200f\u202a-\u202e\u2066-\u2069]/;
  return rest.split("\n").filter((line) => signs.test(line.replace(/^#{2,3} (?=What|[❌🔴🟠🟢⚪])/u, "")));
}

/** Every place in which an event carries untrusted text. */
function eventsWith(text: string): EngineEvent[] {
  const urn = `urn:pulumi:prod::p::kubernetes:core/v1:Service::${text}`;
  const step = (type: string, op: EventStep["op"]): { metadata: EventStep } => ({
    metadata: {
      op,
      type,
      urn,
      old: { protect: true, inputs: { spec: { [text]: text, hostPath: { path: text } } } },
      new: { inputs: { spec: { [text]: `${text}!`, hostPath: { path: `${text}!` } } } },
      detailedDiff: {
        [`spec["${text}"]`]: { diffKind: "update" },
        "spec.hostPath.path": { diffKind: "update" },
      },
    },
  });
  return [
    { resourcePreEvent: step("kubernetes:core/v1:PersistentVolume", "update") },
    { resourcePreEvent: step(`evil:index:${text}`, "create") },
    { resourcePreEvent: step("kubernetes:core/v1:Service", "replace") },
    { resOutputsEvent: step("kubernetes:core/v1:Service", "refresh") },
    { diagnosticEvent: { severity: "error", message: text } },
    { diagnosticEvent: { severity: "warning", message: text } },
    { policyEvent: { policyName: text, message: text, enforcementLevel: "mandatory" } },
    { policyEvent: { policyName: text, message: text, enforcementLevel: "advisory" } },
  ];
}

const planOf = (stack: string, events: EngineEvent[], diff = "", commit = "0123456789abcdef"): StackPlan => ({
  stack,
  commit,
  summary: summarize(events),
  diff,
});

describe("the comment of a pull request", () => {
  const environment = { ...process.env };
  before(() => Object.assign(process.env, { GITHUB_RUN_ID: "7", GITHUB_REPOSITORY: "owner/name" }));
  after(() => {
    for (const name of ["GITHUB_RUN_ID", "GITHUB_REPOSITORY"]) {
      if (environment[name] === undefined) delete process.env[name];
      else process.env[name] = environment[name];
    }
  });

  for (const attack of ATTACKS) {
    it(`shows ${JSON.stringify(attack)} as text, wherever it is`, () => {
      const plan = planOf("prod", eventsWith(attack), attack, attack);
      for (const text of [commentText([plan], ["prod"]), driftText([plan], ["prod"]) ?? ""]) {
        assert.deepEqual(foreign(text), []);
        // It is there, in code.
        assert.match(text, /The preview failed\*\*\n- `/);
      }
    });
  }

  it("shows any mixture of them as text", () => {
    const seed = Date.now() % 100_000;
    const random = new Random("comment", seed);
    const parts: [string, ...string[]] = ["`", "``", "```", "\n", "\\", " ", "- ", "\r", "\t", "```diff\n"];
    parts.push(...ATTACKS);
    for (let round = 0; round < 300; round++) {
      const attack = Array.from({ length: random.between(1, 6) }, () => random.pick(parts)).join("");
      const text = commentText([planOf("prod", eventsWith(attack), attack)], ["prod"]);
      assert.deepEqual(foreign(text), [], `seed ${seed}: ${JSON.stringify(attack)}\n${text}`);
    }
  });

  it("keeps its own sentences as sentences", () => {
    for (const own of [
      "Touches data: the data directory `/mnt/a` → `/mnt/b`",
      "Changes who may connect, and how they authenticate (`pg_hba.conf`)",
      "Nothing changes.",
      "Service `postgres-headless` is gone",
    ])
      assert.equal(sentence(own), own);
    assert.equal(sentence("Creates ![x](y) `a`"), "`` Creates ![x](y) `a` ``");
  });

  it("ends a span and a block of code where they end, with any number of backticks in them", () => {
    assert.equal(codeSpan("a ``` b"), "```` a ``` b ````");
    assert.equal(codeSpan("`"), "`` ` ``");
    assert.equal(codeSpan(" \n "), "` `");
    assert.match(codeBlock("`".repeat(60_000), "diff"), /^`{9}diff\n`{8}…\n`{9}$/);
  });

  it("writes out invisible characters", () => {
    assert.equal(codeSpan("a\u202eb\u200bc\u0000"), "`a\\u{202e}b\\u{200b}c\\u{0}`");
  });

  describe("fits into what GitHub accepts, and says where the rest is", () => {
    const GITHUB = 65_536;
    const long = (count: number, length: number) =>
      Array.from({ length: count }, (_, n): EngineEvent => ({
        diagnosticEvent: { severity: "error", message: `error ${n} ${"x".repeat(length)}` },
      }));

    it("with 200 long errors", () => {
      const text = commentText([planOf("prod", long(200, 2000), "~ diff")], ["prod"]);
      assert.ok(text.length < GITHUB, String(text.length));
      assert.match(text, /error 0 x/);
      assert.match(text, /- … and \d+ more, in artifact `plan-prod` of this run/);
      assert.deepEqual(foreign(text), []);
    });

    it("with long errors in every one of many environments", () => {
      const stacks = Array.from({ length: 40 }, (_, n) => `stack-${n}`);
      const plans = stacks.map((stack) => planOf(stack, long(200, 2000), "~ diff\n".repeat(20_000)));
      const text = commentText(plans, stacks);
      assert.ok(text.length < GITHUB, String(text.length));
      for (const stack of stacks) assert.ok(text.includes(`### ❌ ${stack}\n`), stack);
      assert.deepEqual(foreign(text), []);
    });

    it("with more environments than have room", () => {
      const stacks = Array.from({ length: 3000 }, (_, n) => `stack-${n}`);
      for (const plans of [[], stacks.map((stack) => planOf(stack, long(2, 100)))]) {
        const text = commentText(plans, stacks);
        assert.ok(text.length < GITHUB, String(text.length));
        assert.match(text, /… and \d+ more environments, in the artifacts of this run/);
      }
      const drift =
        driftText(
          stacks.slice(1).map((stack) => planOf(stack, [])),
          stacks,
        ) ?? "";
      assert.ok(drift.length < GITHUB && drift.includes("As deployed: stack-1, "), String(drift.length));
    });

    it("with a diff that is cut, between characters, and with one that grows when it is shown", () => {
      for (const piece of ["😀", "\u202e", "`", "x\n"]) {
        const text = commentText([planOf("prod", [], piece.repeat(200_000))], ["prod"]);
        assert.ok(text.length < GITHUB && text.isWellFormed(), piece);
        assert.match(text, /all of it is in artifact `plan-prod` of this run/);
        assert.deepEqual(foreign(text), []);
      }
    });

    it("and cuts nothing if there is room", () => {
      const text = plansMarkdown([planOf("prod", long(20, 100), "~ diff")], ["prod"]);
      assert.match(text, /error 19 x/);
      assert.doesNotMatch(text, /more, in|cut here/);
    });
  });
});
