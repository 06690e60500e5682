import { accessLines, isPattern, takesFromFile, type AccessLine } from "../access-files.ts";
import { type Declared, declarationOf, declaredSchema } from "../declared.ts";
import { configurationFiles } from "../postgres.ts";
import { objectRule } from "../rule.ts";

const NAME = "identity-map";

/** The user that the containers of the server run as. */
const SYSTEM_USER = "postgres";

function objectionTo(entry: AccessLine): string | undefined {
  if (takesFromFile(entry)) return "which takes names from a file that no rule sees";
  const [map, system, role, ...more] = entry.fields;
  if (!map || !system || !role || more.length > 0) return "which cannot be read";
  const words = [...system, ...role];
  if (words.some(isPattern) || role.some(({ text }) => text.includes("\\") || text === "all"))
    return "which lets one user connect under any number of names";
  if (map[0]?.text !== "server_pod" || system[0]?.text !== SYSTEM_USER || words.length !== 2)
    return "whose map or system user is not declared";
  return undefined;
}

export const identityMap = objectRule<Declared>({
  name: NAME,
  asks: "pg_ident.conf maps the server's own user to single names",
  description: "Mapping a system user to any name in the database lets it in as everybody",
  level: "mandatory",
  schema: declaredSchema("Lines of pg_ident.conf, with single spaces"),
  check: ({ kind, body, subject }, { declared }) => {
    if (kind !== "ConfigMap") return [];
    return Object.entries(configurationFiles(body))
      .filter(([file]) => file.includes("ident"))
      .flatMap(([file, text]) =>
        accessLines(text).flatMap((entry) => {
          const why = objectionTo(entry);
          if (why === undefined || declared.includes(entry.line)) return [];
          return [
            {
              subject,
              why: `data["${file}"] has the line "${entry.line}", ${why}`,
              remedy: declarationOf(NAME, entry.line),
            },
          ];
        }),
      );
  },
});
