/** The section `monitoring`: what counts as wrong where only its users know. */
import { defaulted, integer } from "./fields.ts";
import type { Section, ValuesOf } from "./reader.ts";

export const monitoring = {
  queueAge: defaulted(
    60,
    integer(1, 43200, "minutes", {
      description:
        "How long a job may wait for a worker, its `run_at` being past, before the status and a message tell of it",
    }),
  ),
} as const satisfies Section;

/** What is written in the section. */
export type MonitoringValues = ValuesOf<typeof monitoring>;
