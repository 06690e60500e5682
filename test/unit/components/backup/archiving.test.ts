import assert from "node:assert/strict";
import { archiving, archivingPatience } from "../../../../components/backup/archiving.ts";
import { WATCHED } from "../../../../policy/settings.ts";

describe("archiving", () => {
  it("tries for as long as three attempts take half of the time to shut down at most, within 5 to 50 s", () => {
    for (const seconds of [30, 60, 120, 300])
      assert.ok(archivingPatience(seconds) * 3 <= seconds / 2, String(seconds));
    assert.equal(archivingPatience(1), 5);
    assert.equal(archivingPatience(86400), 50);
    assert.equal(Number.isInteger(archivingPatience(100)), true);
  });

  it("sets a command that the policy knows, whatever the time to shut down", () => {
    const allowed = WATCHED.get("archive_command")?.safe;
    for (const terminationGracePeriod of [1, 30, 61, 120, 3600]) {
      const { settings = {} } = archiving({ archiveTimeout: 30, terminationGracePeriod });
      assert.ok(
        allowed instanceof RegExp && allowed.test(settings.archive_command ?? ""),
        settings.archive_command,
      );
      assert.equal(settings.archive_mode, "on");
      assert.equal(settings.archive_timeout, "30s");
    }
  });

  it("brings the scripts in a volume that may be missing: a server starts without them", () => {
    const {
      volumes = [],
      sidecars,
      initContainers,
    } = archiving({ archiveTimeout: 30, terminationGracePeriod: 60 });
    assert.deepEqual([sidecars, initContainers], [undefined, undefined]);
    for (const { source } of volumes)
      assert.equal((source.configMap as { optional?: boolean }).optional, true);
    assert.equal(volumes.length, 1);
  });

  it("restores in place of initdb only when it is told to, to a moment as one argument", () => {
    const args = { archiveTimeout: 30, terminationGracePeriod: 60 };
    assert.equal("initialization" in archiving(args), false);
    const { initialization = [] } = archiving({ ...args, restore: { repository: 2 } });
    assert.deepEqual(initialization.slice(-1), ["2"]);
    const time = "2026-11-28 14:30:00+01";
    assert.deepEqual(archiving({ ...args, restore: { repository: 2, time } }).initialization?.slice(-2), [
      "2",
      time,
    ]);
  });

  it("changes nothing of the server but its initialization when a restore is asked for", () => {
    const args = { archiveTimeout: 30, terminationGracePeriod: 60 };
    const { initialization = [], ...rest } = archiving({ ...args, restore: { repository: 1 } });
    assert.ok(initialization.length > 0);
    assert.deepEqual(rest, archiving(args));
  });
});
