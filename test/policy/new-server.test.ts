import assert from "node:assert/strict";
import { judgeWhole, messageOf } from "../../policy/judgement.ts";
import type { Resource } from "../../policy/resources.ts";
import { rules } from "../../policy/rules/index.ts";
import { created } from "./breaks/break.ts";
import { DAY, edit, stackOf } from "./stacks.ts";

const SERVER = ["ConfigMap/postgres-config", "StatefulSet/postgres"];

describe("a deployment that has been made", () => {
  // What a stack is judged by afterwards is what the cluster says, times of creation included; no program can write them.
  for (const [what, time, refused] of [
    ["allows a first deployment's server to start next to its trial", "2026-12-01T10:00:01Z", false],
    ["refuses the same of a server that was there before", "2026-12-01T09:00:00Z", true],
  ] as const) {
    it(what, async () => {
      const { resources, config } = await stackOf("prod");
      const deployed = structuredClone(resources) as Resource[];
      created("Job/postgres-settings", "2026-12-01T10:00:02Z")(deployed);
      for (const subject of SERVER) {
        created(subject, time)(deployed);
        edit(subject, (resource) => void (resource.dependencies = []))(deployed);
      }
      const mandatory = rules.filter(({ level }) => level === "mandatory");
      const messages = judgeWhole(mandatory, deployed, config, DAY).map(messageOf);
      assert.equal(messages.length > 0, refused, messages.join("\n"));
    });
  }
});
