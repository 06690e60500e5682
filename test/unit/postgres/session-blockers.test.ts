import assert from "node:assert/strict";
import { type Circumstances, sessionBlockers } from "../../../postgres/session-blockers.ts";
import { readSettings } from "../../../config.ts";

function blockers(settings: Record<string, string>, others: Partial<Circumstances> = {}): string[] {
  return sessionBlockers({
    settings,
    configured: settings,
    ownerConnections: 75,
    capacity: 100 * 2 ** 30,
    ...others,
  });
}

describe("settings that keep sessions from working", () => {
  const warned: [Record<string, string>, RegExp][] = [
    [
      { synchronous_standby_names: "ANY 1 (a, b)" },
      /"ANY 1 \(a, b\)".*0 standbys.*config rm --path \S+synchronous_standby_names/,
    ],
    [{ synchronous_standby_names: "*", synchronous_commit: "remote_apply" }, /0 standbys/],
    [{ default_transaction_read_only: "on" }, /every INSERT.*fails/],
    [{ default_transaction_read_only: "TRUE" }, /every INSERT.*fails/],
    [{ session_replication_role: "replica" }, /triggers and foreign keys do not apply/],
    [
      { max_connections: "5" },
      /max_connections is 5, of which 3 are reserved: 2 are left.*max_connections 7 or more/,
    ],
    [{ max_connections: "20", reserved_connections: "15" }, /of which 18 are reserved: 2 are left/],
    [{ superuser_reserved_connections: "0" }, /superuser_reserved_connections is 0.*up to 3/],
    [{ post_auth_delay: "10s" }, /post_auth_delay is 10s/],
    [{ session_preload_libraries: "nope" }, /only this deployment's superuser can log in/],
    [{ local_preload_libraries: "nope" }, /only this deployment's superuser can log in/],
    [{ archive_mode: "on" }, /WAL is kept until the volume of 100 ?GiB is full/],
    [{ wal_keep_size: "80GB" }, /more than half of storage\.capacity/],
    [{ statement_timeout: "30s" }, /applies to none of the roles.*database\.sessions\.statementTimeout/],
    [{ lock_timeout: "1s" }, /database\.sessions\.lockTimeout/],
    [{ idle_in_transaction_session_timeout: "5min" }, /idleInTransactionTimeout/],
  ];
  for (const [settings, words] of warned) {
    it(`warns once, with the way out: ${JSON.stringify(settings)}`, () => {
      const found = blockers(settings);
      assert.equal(found.length, 1, found.join("\n"));
      assert.match(found[0] ?? "", words);
      assert.match(found[0] ?? "", /pulumi config (set|rm) --path database\./);
    });
  }

  it("warns about an owner with fewer connections than the migrations need", () => {
    const [found] = blockers({}, { ownerConnections: 2 });
    assert.match(found ?? "", /owner may have 2 connections.*need 3.*ownerSessions\.connections 3/);
  });

  it("says nothing about settings that block nobody", () => {
    for (const settings of [
      {},
      { synchronous_standby_names: "*", synchronous_commit: "local" },
      { synchronous_standby_names: " " },
      { default_transaction_read_only: "off" },
      { session_preload_libraries: "auto_explain" },
      { archive_mode: "on", archive_command: "bash push.sh %p" },
      { post_auth_delay: "0s" },
      { max_connections: "7" },
    ])
      assert.deepEqual(blockers(settings), [], JSON.stringify(settings));
  });

  it("is part of what a preview says", () => {
    const { warnings } = readSettings("dev", {
      node: { hostname: "gen8" },
      storage: { path: "/mnt/raid10/pgdata" },
      database: {
        requests: { memory: "1Gi", cpu: "1" },
        limits: { memory: "2Gi", cpu: "2" },
        settings: { synchronous_standby_names: "standby" },
      },
    });
    assert.ok(
      warnings.some((warning) => warning.startsWith("synchronous_standby_names")),
      warnings.join("\n"),
    );
  });
});
