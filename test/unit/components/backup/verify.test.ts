import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { projectFile } from "../../../../tools/cli.ts";

const HASH = "-2044be1641de462eb8efef82aba306eae41a567e.zst";
const segment = (timeline: number, number: number) =>
  [timeline, Math.floor(number / 256), number % 256]
    .map((part) => part.toString(16).toUpperCase().padStart(8, "0"))
    .join("");
const segments = (timeline: number, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => segment(timeline, from + index));

/** A repository as `pgbackrest` shows it. */
interface Shown {
  /** What `verify` says after the time, and how it ends. */
  said?: string[];
  status?: number;
  segments: string[];
  /** First and last segment of each backup. */
  backups: [string, string][];
  /** Other objects, by path; those of backups are whole. */
  objects?: Record<string, string>;
}

const LABEL = "20261129-013000F";

/** What verify.sh finds in it. */
function findings({ said = [], status = 0, segments: wal, backups, objects = {} }: Shown): string[] {
  const folder = mkdtempSync(join(tmpdir(), "verify-"));
  try {
    const write = (name: string, text: string, mode = 0o644) => {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text, { mode });
    };
    const whole = ["archive/main/archive.info", "backup/main/backup.info"].flatMap((name) => [
      name,
      `${name}.copy`,
    ]);
    for (const name of [
      ...whole,
      ...["", ".copy"].map((end) => `backup/main/${LABEL}/backup.manifest${end}`),
    ])
      write(`objects/${name}`, "whole\n");
    const archived = wal.map((name) => `16-1/${name.slice(0, 16)}/${name}${HASH}`);
    for (const name of archived) write(`objects/archive/main/${name}`, "wal");
    for (const [name, text] of Object.entries(objects)) {
      if (text === "missing") rmSync(join(folder, "objects", name));
      else write(`objects/${name}`, text);
    }
    const texts = Object.keys(objects).filter((name) => /\.(history|backup)$/.test(name));
    write("listed", [...archived, ...texts.map((name) => name.replace("archive/main/", ""))].join("\n"));
    write(
      "info",
      backups
        .map(
          ([start, stop]) =>
            `        full backup: ${LABEL}\n            wal start/stop: ${start} / ${stop}\n`,
        )
        .join(""),
    );
    write("said", said.map((line) => `2026-11-29 17:41:26.719 ${line}\n`).join(""));
    write(
      "bin/pgbackrest",
      `#!/bin/bash
      while [[ $1 == -* ]]; do shift; done
      case $1 in
        verify) cat ${folder}/said; exit ${status} ;;
        info) cat ${folder}/info ;;
        repo-ls) cat ${folder}/listed ;;
        repo-get) cat "${folder}/objects/$2" ;;
      esac`,
      0o755,
    );
    const script = readFileSync(projectFile("components/backup/scripts/verify.sh"), "utf8");
    write("verify.sh", script.replaceAll("/tmp/", `${folder}/`));
    const command = `. ${folder}/verify.sh; number=1 STANZA=main; findings`;
    const ran = spawnSync("bash", ["--norc", "-uo", "pipefail", "-c", command], {
      encoding: "utf8",
      env: { PATH: `${folder}/bin:/usr/bin:/bin` },
      stdio: ["ignore", "pipe", "pipe"],
    });
    assert.equal(ran.stderr, "");
    return ran.stdout.split("\n").filter((line) => line !== "");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const whole: Shown = {
  said: [
    "P00   INFO: verify command begin 2.55.1: --config=/etc/pgbackrest/pgbackrest.conf",
    "P00 DETAIL: archiveId: 16-1, wal start: 000000010000000000000001, wal stop: 000000010000000000000009",
    "P00   INFO: duplicate WAL '000000010000000000000003' for '16-1' exists, skipping",
    "P00   INFO: backup '20261129-013000F_20261130-013000I' appears to be in progress, skipping",
    "P00 DETAIL: known hosts match found for 'box.example'",
    "P00 DETAIL: libssh2 read '/etc/pgbackrest/box.known-hosts' succeeded",
    "P00   INFO: verify command end: completed successfully (210ms)",
  ],
  segments: segments(1, 1, 9),
  backups: [[segment(1, 2), segment(1, 3)]],
};

describe("what is wrong with a repository", () => {
  it("is nothing, if pgBackRest says no more than it always says and the WAL is unbroken", () => {
    assert.deepEqual(findings(whole), []);
  });

  it("is whatever else pgBackRest says, without its words about how it works", () => {
    assert.deepEqual(
      findings({
        ...whole,
        said: [
          "P01   INFO: invalid checksum '20261129-013000F/bundle/1'",
          "P01   INFO: invalid checksum '20261129-013000F/bundle/1'",
          "P01   INFO: invalid result 16-1/00/x.zst: [95] raised from local-1 protocol: unable to flush",
          "P00   WARN: backup '20261128-013000F' found in backup.info but not in the repository",
          "P00   INFO: stanza: main\n                   status: error",
        ],
      }),
      [
        "backup '20261128-013000F' found in backup.info but not in the repository",
        "invalid checksum '20261129-013000F/bundle/1'",
        "invalid result 16-1/00/x.zst: unable to flush",
      ],
    );
  });

  it("has a name even if pgBackRest gives none: one of two copies, and where it stopped", () => {
    const said = ["P00 DETAIL: unable to flush"];
    assert.deepEqual(findings({ ...whole, said, objects: { "backup/main/backup.info.copy": "missing" } }), [
      "unable to flush",
      "backup/main/backup.info.copy is missing, or cannot be read",
    ]);
    assert.deepEqual(findings({ ...whole, said, objects: { "archive/main/archive.info": "another" } }), [
      "unable to flush",
      "archive/main/archive.info or archive/main/archive.info.copy is damaged: they differ",
    ]);
    const oldest = `archive/main/16-1/0000000100000000/${segment(1, 1)}${HASH}`;
    assert.deepEqual(
      findings({
        ...whole,
        said: ["P00  ERROR: [095]: unable to flush"],
        status: 95,
        objects: { [oldest]: "missing" },
      }),
      ["[095]: unable to flush", "pgbackrest verify ended with 95", `${oldest} cannot be read`],
    );
  });

  it("is WAL that is missing after the oldest backup's first segment, but not before it", () => {
    assert.deepEqual(findings({ ...whole, segments: segments(1, 2, 9) }), []);
    assert.deepEqual(findings({ ...whole, segments: [...segments(1, 2, 4), ...segments(1, 7, 9)] }), [
      `WAL ${segment(1, 5)} to ${segment(1, 6)} is missing`,
    ]);
    // In the backup itself it is said as well, once.
    assert.deepEqual(
      [...new Set(findings({ ...whole, segments: [segment(1, 2), ...segments(1, 4, 9)] }))],
      [`WAL ${segment(1, 3)} to ${segment(1, 3)} is missing`],
    );
  });

  it("counts past the 256 segments of one part of the numbers", () => {
    const around = { ...whole, backups: [[segment(1, 250), segment(1, 250)]] as [string, string][] };
    assert.deepEqual(findings({ ...around, segments: segments(1, 250, 520) }), []);
    assert.deepEqual(
      findings({ ...around, segments: segments(1, 250, 520).filter((name) => name !== segment(1, 256)) }),
      [`WAL ${segment(1, 256)} to ${segment(1, 256)} is missing`],
    );
  });

  describe("after a restore, along its history", () => {
    const history = "archive/main/16-1/00000003.history";
    const restored: Shown = {
      segments: [...segments(1, 1, 12), ...segments(2, 10, 20), ...segments(3, 15, 30)],
      backups: [
        [segment(1, 2), segment(1, 3)],
        // On a timeline that was left before it ended.
        [segment(2, 17), segment(2, 18)],
      ],
      objects: { [history]: "1\t0/A000028\tno recovery target specified\n2\t0/F000000\tbefore a mistake\n" },
    };

    it("is nothing, if each part is on the timeline that it was written on", () => {
      assert.deepEqual(findings(restored), []);
    });

    it("is what is missing on any of them, and in a backup that is on none of them any more", () => {
      const without = (...names: string[]) =>
        findings({ ...restored, segments: restored.segments.filter((name) => !names.includes(name)) });
      assert.deepEqual(without(segment(1, 11), segment(2, 20)), [], "nothing needs these");
      for (const needed of [segment(1, 9), segment(2, 10), segment(2, 14), segment(3, 15), segment(2, 17)])
        assert.deepEqual(without(needed), [`WAL ${needed} to ${needed} is missing`]);
    });

    it("is the history itself, if it is missing or damaged", () => {
      assert.match(findings({ ...restored, objects: {} }).join("\n"), /^00000003\.history, .*is missing$/m);
      assert.match(
        findings({ ...restored, objects: { [history]: "1\t0/A00\u0000\u0001" } }).join("\n"),
        /^archive\/main\/16-1\/00000003\.history is damaged$/m,
      );
    });
  });
});
