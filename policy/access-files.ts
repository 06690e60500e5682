/** Lines of pg_hba.conf and pg_ident.conf, read as PostgreSQL's hba.c reads them. */
import { isIP } from "node:net";

/** A word of a line. `all`, `@file` and `+role` mean something only without quotes. */
export interface Word {
  text: string;
  quoted: boolean;
}

/** A line that is not empty, with its fields: each a list of words, which commas separate. */
export interface AccessLine {
  /** With single spaces. */
  line: string;
  fields: Word[][];
}

const isBlank = (character: string | undefined) =>
  character === " " || character === "\t" || character === "\r";

/** Fields of one line. A comma joins a word to the next only when it directly follows the first. */
function fieldsOf(line: string): Word[][] {
  const fields: Word[][] = [];
  let at = 0;
  let continues = false;
  for (;;) {
    while (isBlank(line[at]) || line[at] === ",") at++;
    if (at >= line.length || line[at] === "#") return fields;
    const quoted = line[at] === '"';
    let text = "";
    let inQuotes = false;
    let afterQuote = false;
    let comma = false;
    for (; at < line.length; at++) {
      const character = line[at] ?? "";
      if (!inQuotes && (isBlank(character) || character === "#")) break;
      if (!inQuotes && character === ",") {
        comma = true;
        at++;
        break;
      }
      if (character !== '"') text += character;
      // Two quotes inside quotes are one.
      else if (afterQuote) text += character;
      if (character === '"') {
        afterQuote = inQuotes && !afterQuote;
        inQuotes = !inQuotes;
      } else afterQuote = false;
    }
    if (continues) fields.at(-1)?.push({ text, quoted });
    else fields.push([{ text, quoted }]);
    continues = comma;
  }
}

/** Reads a file's lines. A backslash at the end joins a line to the next. */
export function accessLines(text: string): AccessLine[] {
  return text
    .replace(/\\\r?\n/g, "")
    .split(/\r?\n/)
    .flatMap((raw): AccessLine[] => {
      const fields = fieldsOf(raw);
      if (fields.length === 0) return [];
      const line = raw.replace(/\s*#.*$/, "").trim();
      return [{ line: line.replace(/\s+/g, " "), fields }];
    });
}

/** Whether a line takes its words from another file. */
export function takesFromFile({ fields }: AccessLine): boolean {
  return (
    /^include(_if_exists|_dir)?$/.test(fields[0]?.[0]?.text ?? "") ||
    fields.flat().some(({ text, quoted }) => !quoted && text.startsWith("@"))
  );
}

/** Whether a word stands for more than one name. */
export function isPattern({ text, quoted }: Word): boolean {
  return text.startsWith("/") || (!quoted && text.startsWith("+"));
}

/** What a line of pg_hba.conf says about connections. */
export interface AccessRule {
  type: string;
  databases: Word[];
  users: Word[];
  /** Only of the network. */
  address?: Word | undefined;
  mask?: string | undefined;
  method: string;
  options: string[];
}

/** Reads a line of pg_hba.conf, undefined when PostgreSQL has no such type. */
export function accessRuleOf({ fields }: AccessLine): AccessRule | undefined {
  const [type = "", ...rest] = fields.map((field) => field.map(({ text }) => text).join(","));
  if (!/^(local|host|hostssl|hostnossl|hostgssenc|hostnogssenc)$/.test(type)) return undefined;
  const [, databases = [], users = [], address] = fields;
  // type database user [address [mask]] method [options]
  const behind = rest.slice(type === "local" ? 2 : 3);
  const masked = type !== "local" && isIP(behind[0] ?? "") !== 0;
  const [method = "", ...options] = masked ? behind.slice(1) : behind;
  return {
    type,
    databases,
    users,
    method,
    options,
    address: type === "local" ? undefined : address?.[0],
    mask: masked ? behind[0] : undefined,
  };
}
