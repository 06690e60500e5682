/**
 * Declarations: lines that each allow one thing. The pack has its own in `declarations.ts`; the configuration of a rule
 * adds to them. What no line names is refused, and the refusal prints the line.
 */
import type { ConfigSchema } from "./rule.ts";

/** Configuration of a rule that asks for declarations. */
export interface Declared {
  declared: string[];
}

/** Schema of {@link Declared}. */
export function declaredSchema(what: string): ConfigSchema {
  return {
    properties: {
      declared: {
        type: "array",
        items: { type: "string", minLength: 1 },
        default: [],
        description: `${what}, each as the violation prints it; no wildcards`,
      },
    },
  };
}

const compiled = new Map<string, RegExp>();

/** Whether a text fits a pattern of the pack: `*` matches anything without slash or space, `**` anything. */
export function fits(pattern: string, text: string): boolean {
  if (!pattern.includes("*")) return pattern === text;
  let expression = compiled.get(pattern);
  if (!expression) {
    const parts = pattern.split(/(\*\*|\*)/).map((part) => {
      if (part === "**") return "[^]*";
      return part === "*" ? "[^/\\s]*" : part.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
    });
    expression = new RegExp(`^${parts.join("")}$`);
    compiled.set(pattern, expression);
  }
  return expression.test(text);
}

/** Whether the pack or the configuration declares a line. The configuration's lines are literal. */
export function isDeclared(line: string, own: readonly string[], { declared }: Declared): boolean {
  return declared.includes(line) || own.some((pattern) => fits(pattern, line));
}

/**
 * The finding about a script that no line declares.
 *
 * @param line `<where> sha256:<hash>`, which would declare it
 * @param lines every line that declares scripts
 */
export function undeclaredScript(
  rule: string,
  line: string,
  lines: readonly string[],
): { why: string; remedy: string } {
  const where = line.replace(/sha256:\S*$/, "");
  const known = lines.some((other) => other.startsWith(where));
  return {
    why: known ? "other than the declared one" : "that is not declared",
    remedy: `${declarationOf(rule, line)}. If a script of this project changed: npm run policy -- --declare`,
  };
}

/** What to write when something is meant to be there. */
export function declarationOf(rule: string, line: string): string {
  return `remove it or, when it is meant, declare it in policy/config.<stack>.json: "${rule}": { "declared": [${JSON.stringify(line)}] }`;
}
