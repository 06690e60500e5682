import { PROGRAMS } from "../declarations.ts";
import { type Declared, declarationOf, declaredSchema, isDeclared } from "../declared.ts";
import { hashOf, IMAGES_OWN, programsOf } from "../programs.ts";
import type { Pod } from "../pods.ts";
import { type Finding, podRule } from "../rule.ts";
import { field, hasUnknown } from "../values.ts";

const NAME = "declared-programs";
const OWN = PROGRAMS.map(({ at, words }) => `${at} ${hashOf(words)}`);

/** What the words do in each place. */
const PLACES: Readonly<Record<string, string>> = {
  command: "it is what the container runs, and anyone who may look at pods reads its words",
  args: "anyone who may look at pods can read it, including a password",
  startupProbe: "it runs again and again next to the server",
  livenessProbe: "it decides when the container is killed",
  readinessProbe: "it decides when clients are sent to the container",
  postStart: "it runs next to the container's own program",
  preStop: "it runs before the container is told to stop",
};

/** Containers that a workload of the program lacks: nothing else does their work. */
function missingIn({ object: { subject, patch }, containers, spec }: Pod): Finding[] {
  if (patch || hasUnknown([field(spec, "containers"), field(spec, "initContainers")])) return [];
  const there = new Set(containers.map(({ name }) => name));
  const names = PROGRAMS.flatMap(({ at }) => {
    const [workload, container = "", where] = at.split(" ");
    return workload === subject && where === "command" ? [container] : [];
  });
  return names
    .filter((name) => !there.has(name))
    .map((name) => ({
      subject,
      why: `there is no container ${name}`,
      remedy: `the container ${name} as the program writes it`,
    }));
}

export const declaredPrograms = podRule<Declared>({
  name: NAME,
  asks: "commands, arguments, probes' commands and lifecycle hooks: only as declared",
  description: "Running another program than the declared one runs something unreviewed next to the data",
  level: "mandatory",
  schema: declaredSchema("Programs of pods, `<kind>/<name> <container> <where> sha256:<hash of its words>`"),
  check: (pod, config) => [
    ...missingIn(pod),
    ...programsOf(pod).flatMap(({ at, words }) => {
      const { subject } = pod.object;
      // Another workload may run its image's own program; next to the data every container is declared.
      if (words === IMAGES_OWN && !PROGRAMS.some((program) => program.at.startsWith(`${subject} `)))
        return [];
      const line = `${subject} ${at} ${hashOf(words)}`;
      if (isDeclared(line, OWN, config)) return [];
      const place = at.split(" ").at(-1) ?? "";
      return [
        {
          subject,
          // The words are not shown: they may contain a password.
          why:
            words === IMAGES_OWN
              ? `container ${at.replace(/ \S+$/, "")} runs its image's own program, which is not declared for ${subject}`
              : `container ${at.replace(/ (\S+)$/, ": $1")} is not declared; ${PLACES[place] ?? "it runs"}`,
          remedy: declarationOf(NAME, line),
        },
      ];
    }),
  ],
});
