import { podsOf } from "../pods.ts";
import { configurationFiles, parseSettings, settingsOnCommandLine } from "../postgres.ts";
import { objectRule } from "../rule.ts";

/** Settings by which PostgreSQL keeps committed rows, and the values that break that promise. */
const PROMISES: Readonly<Record<string, { broken: RegExp; keep: string }>> = {
  fsync: { broken: /^(off|false|no|0|of|f|n|fa.*)$/i, keep: "on" },
  full_page_writes: { broken: /^(off|false|no|0|of|f|n|fa.*)$/i, keep: "on" },
  synchronous_commit: { broken: /^(off|false|no|0)$/i, keep: "on" },
  zero_damaged_pages: { broken: /^(on|true|yes|1)$/i, keep: "off" },
  ignore_checksum_failure: { broken: /^(on|true|yes|1)$/i, keep: "off" },
};

export const durableSettings = objectRule({
  name: "durable-settings",
  asks: "fsync, full_page_writes and synchronous_commit on",
  description: "Turning durability off loses committed rows, or the whole database, in a power cut",
  level: "mandatory",
  check: (object) => {
    const sources = [
      ...(object.kind === "ConfigMap"
        ? Object.entries(configurationFiles(object.body)).map(([file, text]) => ({
            where: `data["${file}"]`,
            settings: parseSettings(text),
          }))
        : []),
      ...podsOf(object).flatMap((pod) =>
        pod.containers.map((container) => ({
          where: `the command line of container ${container.name}`,
          settings: settingsOnCommandLine(container),
        })),
      ),
    ];
    return sources.flatMap(({ where, settings }) =>
      Object.entries(PROMISES).flatMap(([name, { broken, keep }]) =>
        broken.test(settings[name] ?? "")
          ? [
              {
                subject: object.subject,
                why: `${where} sets ${name} to ${settings[name]}`,
                remedy: `${name} = ${keep}, or leave it out`,
              },
            ]
          : [],
      ),
    );
  },
});
