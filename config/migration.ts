/** The section `migration`: the init Job. */
import { defaulted, image, integer } from "./fields.ts";
import type { Section } from "./reader.ts";

export const migration = {
  image: defaulted("ghcr.io/amacneil/dbmate:2.36.0", image({ description: "dbmate, with psql" })),
  timeout: defaulted(
    600,
    integer(30, 86400, "seconds", {
      description: "Time limit for the init Job, including its wait for the server",
    }),
  ),
} as const satisfies Section;
