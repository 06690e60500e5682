import assert from "node:assert/strict";
import { rules } from "../../policy/rules/index.ts";
import { messageOf } from "../../policy/judgement.ts";
import type { Resource } from "../../policy/resources.ts";
import { projectFile } from "../../tools/cli.ts";
import { evaluate } from "../../tools/evaluation/evaluate.ts";
import { sampled, shareOf } from "../sample.ts";
import { resourcesOf } from "../../tools/evaluation/policy-stack.ts";
import { readStackFile } from "../../tools/stack-file/stack-file.ts";
import { breaks, brokenBy } from "./breaks.ts";
import {
  add,
  allViolationsOf,
  type Change,
  changed,
  decentContainer,
  decentPod,
  edit,
  type Judged,
  labels,
  metadata,
  type Name,
  stackOf,
  violationsOf,
} from "./stacks.ts";
import { ed25519HostKey, userKey } from "../ssh-keys.ts";

describe("the rules", function () {
  this.timeout(60_000);
  const stacks: Partial<Record<Name, Judged>> = {};
  before(async () => {
    stacks.dev = await stackOf("dev");
    stacks.prod = await stackOf("prod");
  });
  const stack = (name: Name) => stacks[name] as Judged;

  for (const name of ["dev", "prod"] as const) {
    it(`let ${name} pass as it is committed`, () => {
      assert.deepEqual(violationsOf(stack(name)).map(messageOf), []);
    });
  }

  it("have a name of their own, and say what they ask and what breaking them leads to", () => {
    assert.equal(new Set(rules.map(({ name }) => name)).size, rules.length);
    for (const { name, asks, description } of rules) {
      assert.match(name, /^[a-z]+(-[a-z]+)*$/);
      assert.match(asks, /^[^|]{10,}[^|.\s]$/, name);
      assert.match(description, /^(?!Who)[A-Z].{30,}[^.]$/, name);
    }
  });

  it("each have at least one way to break them here, unless they only advise", () => {
    const mandatory = rules.filter(({ level }) => level === "mandatory").map(({ name }) => name);
    assert.deepEqual(Object.keys(breaks).sort(), mandatory.sort());
  });

  for (const [rule, ways] of Object.entries(breaks)) {
    describe(rule, () => {
      for (const way of ways) {
        const { by, message } = way;
        it(`is broken by ${by}`, () => {
          const violations = violationsOf(brokenBy(way, stack(way.stack ?? "prod"))).filter(
            (violation) => violation.rule.name === rule,
          );
          assert.notDeepEqual(violations, [], "no violation");
          const texts = violations.map(messageOf);
          assert.ok(
            texts.some((text) => message.test(text)),
            `${String(message)} is not in: ${texts.join(" | ")}`,
          );
          for (const text of texts) assert.match(text, /\nInstead: .{4,}\.$/s);
        });
      }
    });
  }
});

describe("a declaration", function () {
  this.timeout(180_000);
  /** The configuration that a remedy prints, and the line in it. */
  const PRINTED = /"([a-z-]+)": (\{ "declared": \["(?:[^"\\]|\\.)*"\] \})/;

  it("is printed by the violation, and puts an end to it", async () => {
    let count = 0;
    const every = Object.entries(breaks).flatMap(([rule, ways]) => ways.map((way) => ({ rule, way })));
    const taken = sampled("breaks that a declaration ends", every, 150);
    for (const { rule, way } of taken) {
      const broken = brokenBy(way, await stackOf(way.stack ?? "prod"));
      for (const violation of violationsOf(broken)) {
        const printed = violation.rule.name === rule ? PRINTED.exec(violation.remedy) : null;
        if (!printed) continue;
        count++;
        assert.equal(printed[1], rule);
        const { declared } = JSON.parse(printed[2] ?? "") as { declared: string[] };
        const before = (broken.config[rule]?.declared ?? []) as string[];
        const config = { ...broken.config, [rule]: { declared: [...before, ...declared] } };
        const left = violationsOf({ ...broken, config }).map(messageOf);
        assert.ok(!left.includes(messageOf(violation)), `${rule}: ${declared.join()} changes nothing`);
      }
    }
    console.log(
      `      ${count} violations ended by the line that they print; breaks: ${shareOf(taken, every)}`,
    );
    assert.ok(count >= taken.length / 8, `${count} lines`);
  });

  it("is literal: a star in the configuration matches nothing else", async () => {
    const way = breaks["declared-settings"]?.find(({ by }) => by === "log_statement = all");
    assert.ok(way);
    const said = (line: string) =>
      violationsOf(brokenBy({ ...way, config: { "declared-settings": { declared: [line] } } }, stack)).filter(
        ({ rule }) => rule.name === "declared-settings",
      ).length;
    const stack = await stackOf("prod");
    assert.equal(said("log_statement = all"), 0);
    for (const line of ["log_statement = *", "*", "log_statement", "log_statement = ddl"])
      assert.equal(said(line), 1, line);
  });
});

const CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

describe("the shapes that the program can have", function () {
  this.timeout(60_000);
  const shapes: Readonly<Record<string, Record<string, object>>> = {
    "a node that is reached from here": { node: { connection: "local" } },
    "a node that is reached over SSH": {
      node: { connection: "ssh", sshHost: "gen8", sshHostKey: ed25519HostKey() },
    },
    "a tainted node": { node: { tolerations: [{ key: "gpu", operator: "Exists", effect: "NoSchedule" }] } },
    "an upgrade and a login": {
      database: { upgradeTo: "pgvector/pgvector:0.8.6-pg16-bookworm", logins: { anna: "readonly" } },
    },
    "a kubeconfig's path": { cluster: { kubeconfig: "/home/me/.kube/clusters/gen8" } },
    "another database and owner": { database: { name: "db2", owner: "owner_2" } },
    "backups on another disk, prepared from here": {
      node: { connection: "local" },
      backup: {
        image: `woblerr/pgbackrest:2.59.2@sha256:${"0123456789abcdef".repeat(4)}`,
        repositories: {
          disk: { kind: "directory", path: "/mnt/backup/postgres", mount: "/mnt/backup" },
          near: { kind: "volume" },
        },
      },
    },
    "dumps on request only, on another machine": {
      backup: {
        dumpSchedule: "never",
        repositories: {
          box: {
            kind: "sftp",
            endpoint: "box.example",
            user: "backups",
            path: "/srv/backups/prod",
            hostKeys: ed25519HostKey(),
          },
        },
      },
      secrets: { repositories: { box: { privateKey: userKey() } } },
    },
    "settings that fit": { database: { tuning: "auto" } },
    "metrics for a Prometheus of its own": {
      monitoring: { prometheus: "bundled", alertmanager: "alertmanager.monitoring.svc" },
    },
    "metrics for the operator's Prometheus, and Grafana": {
      monitoring: { prometheus: "operator" },
      network: {
        scrapers: { prometheus: { namespace: "monitoring" }, grafana: { ranges: ["10.1.0.0/16"] } },
      },
    },
    "metrics for a Prometheus that looks for annotations": {
      monitoring: { prometheus: "annotations" },
      network: { scrapers: { prometheus: { namespace: "monitoring", podLabels: { app: "prometheus" } } } },
    },
    "messages of every kind, to the outside, into the cluster and to one address": {
      notify: {
        sinks: {
          post: {
            kind: "mail",
            host: "10.1.2.3",
            user: "me",
            from: "db@example.com",
            to: ["me@example.com"],
          },
          phone: { kind: "ntfy", bearer: true, least: "critical" },
          team: { kind: "slack" },
          chat: { kind: "telegram", chat: "-100123" },
          own: { kind: "webhook", ca: CERTIFICATE },
          watch: { kind: "heartbeat" },
        },
      },
      network: { sinks: { own: { namespace: "tools", podLabels: { app: "hook" }, ports: [8443] } } },
      secrets: {
        sinks: {
          post: { password: "of-the-mail" },
          phone: { url: "https://ntfy.example.com/topic", token: "tk_of-ntfy" },
          team: { url: "https://hooks.slack.com/services/T/B/x" },
          chat: { token: "123:of-the-bot" },
          own: { url: "https://hook.tools.svc:8443/in" },
          watch: { url: "https://hc-ping.com/uuid" },
        },
      },
    },
  };
  for (const [what, sections] of Object.entries(shapes)) {
    it(`pass: ${what}`, async () => {
      const { config } = await stackOf("prod");
      const written = readStackFile(projectFile("Pulumi.prod.yaml")).config;
      for (const [section, fields] of Object.entries(sections)) {
        const key = `transcript-pipeline:${section}`;
        written[key] = JSON.stringify({ ...(JSON.parse(written[key] ?? "{}") as object), ...fields });
      }
      const secret = "secrets" in sections ? ["transcript-pipeline:secrets"] : [];
      const resources = resourcesOf(await evaluate("prod", written, secret));
      assert.deepEqual(violationsOf({ resources, config }).map(messageOf), []);
      // The control: a shape is one only if it changes something.
      // Passwords are new each time.
      const facts = (all: readonly Resource[]) =>
        all
          .filter(({ type }) => !type.endsWith(":Secret"))
          .map(({ type, name, inputs }) => [type, name, inputs]);
      assert.notDeepEqual(facts(resources), facts((await stackOf("prod")).resources));
    });
  }
});

describe("restored-copy", function () {
  this.timeout(60_000);
  /** A Job of the database's image with a claim, and with pgBackRest that restores into it. */
  const copyJob = (claim: string, mount: Record<string, unknown>, path = "/copy/pgdata") =>
    add("kubernetes:batch/v1:Job", {
      metadata: metadata("added"),
      spec: {
        activeDeadlineSeconds: 60,
        template: {
          metadata: { labels },
          spec: {
            ...decentPod(),
            initContainers: [
              {
                ...decentContainer(),
                name: "restore",
                env: [{ name: "PGBACKREST_PG1_PATH", value: path }],
                volumeMounts: [{ name: "copy", ...mount }],
              },
            ],
            volumes: [{ name: "copy", persistentVolumeClaim: { claimName: claim } }],
          },
        },
      },
    });
  const said = async (change: Change) =>
    violationsOf(changed(await stackOf("dev"), change))
      .filter(({ rule }) => rule.name === "restored-copy")
      .map(messageOf);

  it("lets a copy into a claim of its own, or into a part of the volume that is not the data", async () => {
    assert.deepEqual(await said(copyJob("another", { mountPath: "/copy" })), []);
    assert.deepEqual(await said(copyJob("postgres-pvc", { mountPath: "/copy", subPath: "copies" })), []);
    // A name that only begins like the data directory's.
    assert.deepEqual(
      await said(copyJob("postgres-pvc", { mountPath: "/copy", subPath: "pgdata.before" })),
      [],
    );
    // The control.
    assert.equal((await said(copyJob("postgres-pvc", { mountPath: "/copy" }))).length, 1);
    assert.equal(
      (await said(copyJob("postgres-pvc", { mountPath: "/copy", subPath: "pgdata" }, "/copy/x"))).length,
      1,
    );
  });

  it("asks nothing of a client that only reads the volume, as for the server's socket", async () => {
    const client = (readOnly: boolean) =>
      edit("Job/postgres-init", ({ inputs }) => {
        const { containers, initContainers = [] } = (
          inputs.spec as {
            template: { spec: Record<string, { volumeMounts?: Record<string, unknown>[] }[]> };
          }
        ).template.spec;
        const mounts = [...(containers ?? []), ...initContainers].flatMap(
          ({ volumeMounts = [] }) => volumeMounts,
        );
        const data = mounts.filter(({ mountPath }) => mountPath === "/var/lib/postgresql/data");
        assert.notEqual(data.length, 0);
        for (const mount of data) Object.assign(mount, { readOnly, mountPath: "/volume" });
      });
    assert.deepEqual(await said(client(true)), []);
    assert.match((await said(client(false))).join(), /its writable mount \/volume is in the server's data/);
  });
});

describe("postgres-doubtful", function () {
  this.timeout(60_000);
  it("reports the numbers, and stops nothing", async () => {
    const said = allViolationsOf(await stackOf("prod"));
    assert.deepEqual([...new Set(said.map(({ rule }) => rule.name))], ["postgres-doubtful"]);
    assert.match(
      said.map(messageOf).join("\n"),
      /it can ask for 90\.5 GiB[^]*it requests 20 GiB of memory, below shared_buffers, 32 GiB/,
    );
    assert.ok(said.every(({ rule }) => rule.level === "advisory"));
  });
});
