/** Images whose clock a test sets: Debian's libfaketime in every process of a container. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { alteredImage } from "./altered-image.ts";
import { inPod, state, succeed, theCluster } from "./support.ts";

/** Where it is in the images. */
const LIBRARY = "usr/lib/libfaketime.so.1";
/** The file with the seconds that a clock is off: of server and reconciler, and of what mounts the volume. */
const SERVER_CLOCK = "/var/run/postgresql/clock";
const VOLUME_CLOCK = "/var/lib/postgresql/data/clock";

async function library(): Promise<Buffer> {
  const work = mkdtempSync(join(tmpdir(), "faketime-"));
  try {
    mkdirSync(join(work, "root"));
    await succeed("sh", ["-c", `cd ${work} && apt-get -qq download libfaketime && dpkg-deb -x *.deb root`]);
    const found = await succeed("find", [join(work, "root"), "-name", "libfaketime.so.1"]);
    return readFileSync(found.stdout.trim());
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** The images of the server and of the backup agent whose clock can be set. Their monotonic clock stays the machine's. */
export async function clockImages(): Promise<{ server: string; agent: string }> {
  const files = { [LIBRARY]: await library() };
  const environment = (clock: string) => [
    `LD_PRELOAD=/${LIBRARY}`,
    `FAKETIME_TIMESTAMP_FILE=${clock}`,
    "FAKETIME_CACHE_DURATION=1",
    "FAKETIME_DONT_FAKE_MONOTONIC=1",
    "NO_FAKE_STAT=1",
  ];
  const tag = "0.8.5-pg16-bookworm";
  return {
    server: await alteredImage(tag, "clock", { files, environment: environment(SERVER_CLOCK) }),
    agent: await alteredImage("2.55", "clock", {
      files,
      environment: environment(VOLUME_CLOCK),
      of: theCluster().pgbackrestImage,
    }),
  };
}

/** Sets the clocks of server, reconciler and backup agent, by the seconds from the machine's. */
export async function setClocks(seconds: number): Promise<void> {
  const off = `${seconds < 0 ? "" : "+"}${seconds}`;
  writeFileSync(join(state().dataDirectory, "clock"), `${off}\n`);
  const ran = await inPod(["bash", "-c", `echo "${off}" >${SERVER_CLOCK}`]);
  if (ran.status !== 0) throw new Error(ran.output);
  // What the processes have read of it counts for a second.
  await new Promise((resolve) => setTimeout(resolve, 1500));
}
