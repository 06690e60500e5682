import assert from "node:assert/strict";
import { ConfigurationError, readSettings } from "../../../config.ts";
import { identityOf } from "../../../components/kubernetes/names.ts";
import { directoriesOf } from "../../../directories.ts";
import { changed } from "../../settings.ts";

/** The configuration with these repositories; the data is in /mnt/raid/pgdata. */
const withRepositories = (repositories: Record<string, object>) =>
  changed("backup.repositories", repositories);
const directory = (path: string, more: object = {}) => ({ kind: "directory", path, ...more });

function problemsIn(repositories: Record<string, object>, stack = "prod"): string[] {
  try {
    readSettings(stack, withRepositories(repositories));
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.problems.map(({ key, message }) => `${key}: ${message}`);
  }
}

const SET = "Set it: pulumi config set --path backup\\.repositories\\.nas\\.path <value>";

describe("the directory of a repository", () => {
  const refused: [what: string, repositories: Record<string, object>, says: RegExp, stack?: string][] = [
    [
      "that is not named",
      { nas: { kind: "directory" } },
      /^backup\.repositories\.nas\.path: is missing: a repository of kind directory needs it\. Set it: pulumi config set --path backup\.repositories\.nas\.path/,
    ],
    [
      "that is the operating system's",
      { nas: directory("/var/lib") },
      new RegExp(
        `^backup\\.repositories\\.nas\\.path: is "/var/lib", a directory that belongs to the operating system\\. Allowed: .* /mnt/backup/postgres\\. ${SET}`,
      ),
    ],
    [
      "that a reboot empties, except in dev",
      { nas: directory("/tmp/backup") },
      /nas\.path: is "\/tmp\/backup", below a directory that the operating system empties\. Allowed/,
    ],
    [
      "that is the data's",
      { nas: directory("/mnt/raid/pgdata") },
      new RegExp(
        `nas\\.path: is "/mnt/raid/pgdata", the same directory as storage\\.path, "/mnt/raid/pgdata": what deletes or fills one .* ${SET}`,
      ),
    ],
    [
      "that is in the data's",
      { nas: directory("/mnt/raid/pgdata/backup") },
      /nas\.path: is "\/mnt\/raid\/pgdata\/backup", in storage\.path, "\/mnt\/raid\/pgdata"/,
    ],
    [
      "that has the data in it",
      { nas: directory("/mnt/raid") },
      /nas\.path: is "\/mnt\/raid", above storage\.path, "\/mnt\/raid\/pgdata"/,
    ],
    [
      "that is the data's, in dev too",
      { nas: directory("/mnt/raid/pgdata") },
      /the same directory as storage\.path/,
      "dev",
    ],
    [
      "that is another repository's",
      { disk: directory("/mnt/backup"), nas: directory("/mnt/backup") },
      /^backup\.repositories\.nas\.path: is "\/mnt\/backup", the same directory as backup\.repositories\.disk\.path, "\/mnt\/backup"/,
    ],
    [
      "that is in another repository's",
      { disk: directory("/mnt/backup"), nas: directory("/mnt/backup/nas") },
      /^backup\.repositories\.nas\.path: is "\/mnt\/backup\/nas", in backup\.repositories\.disk\.path/,
    ],
    [
      "that is not below its mount point",
      { nas: directory("/mnt/backups/postgres", { mount: "/mnt/backup" }) },
      /^backup\.repositories\.nas\.mount: is "\/mnt\/backup", which is not above path, "\/mnt\/backups\/postgres"\. Set it: pulumi config set --path backup\.repositories\.nas\.mount/,
    ],
    [
      "with a capacity without a unit",
      { nas: directory("/mnt/backup", { capacity: "100" }) },
      /^backup\.repositories\.nas\.capacity: is "100"\. Allowed: a size/,
    ],
    [
      "with a path that is not absolute",
      { nas: directory("mnt/backup") },
      /^backup\.repositories\.nas\.path: is "mnt\/backup"\. Allowed/,
    ],
  ];
  for (const [what, repositories, says, stack] of refused) {
    it(`is refused, as one ${what}`, () => {
      const [problem = "", ...more] = problemsIn(repositories, stack);
      assert.match(problem, says);
      assert.deepEqual(more, []);
    });
  }

  for (const field of ["path", "mount", "capacity"]) {
    it(`has no ${field} where the repository is next to the data`, () => {
      const value = field === "capacity" ? "10Gi" : "/mnt/backup";
      const [problem = "", ...more] = problemsIn({ near: { kind: "volume", [field]: value } });
      assert.match(
        problem,
        new RegExp(
          `^backup\\.repositories\\.near\\.${field}: is not a field of a repository of kind volume\\. To remove it: pulumi config rm --path backup\\.repositories\\.near\\.${field}`,
        ),
      );
      assert.deepEqual(more, []);
    });
  }

  it("is allowed on another disk, as a mount point itself, and next to a name that begins as the data's", () => {
    assert.deepEqual(problemsIn({ nas: directory("/mnt/backup", { mount: "/mnt/backup" }) }), []);
    assert.deepEqual(problemsIn({ nas: directory("/mnt/raid/pgdata-backup", { mount: "/mnt/raid" }) }), []);
    assert.deepEqual(problemsIn({ nas: directory("/tmp/backup") }, "dev"), []);
    const two = { disk: directory("/mnt/backup"), nas: directory("/mnt/backup-2") };
    assert.deepEqual(problemsIn(two), []);
  });

  it("is on the node: every preview warns, until there is a repository elsewhere", () => {
    const warningsOf = (repositories: Record<string, object>) =>
      readSettings("prod", withRepositories(repositories)).warnings.join("\n");
    assert.match(
      warningsOf({ nas: directory("/mnt/backup") }),
      /all backups are on this node, and lost with it/,
    );
    assert.match(warningsOf({ near: { kind: "volume" } }), /all backups are on the data's own disk/);
  });

  it("is one of the stack's directories, with the space that the data has if nothing else is said", () => {
    const { settings } = readSettings(
      "prod",
      withRepositories({
        disk: directory("/mnt/a", { mount: "/mnt/a", capacity: "2Ti" }),
        nas: directory("/mnt/b"),
      }),
    );
    const all = directoriesOf(settings, identityOf("transcript-pipeline", "prod"));
    assert.deepEqual(
      all.map(({ path, mount, capacity, use }) => [path, mount, capacity, use.section, use.file]),
      [
        ["/mnt/raid/pgdata", "/mnt/raid", "10Gi", "storage", "prepare-storage.sh"],
        ["/mnt/a", "/mnt/a", "2Ti", "backup.repositories.disk", "prepare-backup-disk.sh"],
        ["/mnt/b", undefined, "10Gi", "backup.repositories.nas", "prepare-backup-nas.sh"],
      ],
    );
  });
});

describe("the schedule of logical dumps", () => {
  const scheduled = (dumpSchedule: string) =>
    readSettings("prod", changed("backup.dumpSchedule", dumpSchedule));

  it("is cron's, or `never`", () => {
    for (const schedule of ["30 3 * * 6", "@weekly", "never"])
      assert.equal(scheduled(schedule).settings.backup.dumpSchedule, schedule);
  });

  it("is refused if it is neither, with what is allowed", () => {
    for (const schedule of ["Never", "never 1 * * *x y", "30 3 * *", ""])
      assert.throws(
        () => scheduled(schedule),
        ({ message }: Error) =>
          /backup\.dumpSchedule: .*a cron schedule, as in '0 2 \* \* 0', or 'never'/.test(message),
        schedule,
      );
  });
});
