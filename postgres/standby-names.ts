/** The grammar of synchronous_standby_names (syncrep_gram.y and syncrep_scanner.l). */

type Token = "NAME" | "NUM" | "ANY" | "FIRST" | "(" | ")" | "," | "*";

/** Undefined if the scanner finds something unknown. */
function tokensOf(text: string): Token[] | undefined {
  const tokens: Token[] = [];
  const token =
    /\s*(?:(any)\b(?![$\x80-\uffff])|(first)\b(?![$\x80-\uffff])|([A-Za-z_\x80-\uffff][\w$\x80-\uffff]*)|("(?:[^"]|"")*")|(\d+)|(\*)|([(),]))/iy;
  const end = /\s*$/y;
  let at = 0;
  for (;;) {
    end.lastIndex = at;
    if (end.test(text)) return tokens;
    token.lastIndex = at;
    const match = token.exec(text);
    if (!match) return undefined;
    at = token.lastIndex;
    const [, any, first, name, quoted, number, star, mark] = match;
    if (any !== undefined) tokens.push("ANY");
    else if (first !== undefined) tokens.push("FIRST");
    else if (name !== undefined || quoted !== undefined) tokens.push("NAME");
    else if (number !== undefined) tokens.push("NUM");
    else tokens.push((star ?? mark) as Token);
  }
}

/** Whether a value is empty, a list of names, or `[FIRST | ANY] number (list)`, with a number above zero. */
export function isStandbyNames(text: string): boolean {
  if (text === "") return true;
  const tokens = tokensOf(text);
  if (!tokens) return false;
  const isList = (list: readonly Token[]) =>
    list.length % 2 === 1 &&
    list.every((token, index) =>
      index % 2 === 1 ? token === "," : token === "NAME" || token === "NUM" || token === "*",
    );
  const prefix = tokens[0] === "ANY" || tokens[0] === "FIRST" ? 1 : 0;
  if (tokens[prefix] === "NUM" && tokens[prefix + 1] === "(" && tokens.at(-1) === ")") {
    const number = /\d+/.exec(text)?.[0] ?? "0";
    return Number(number) > 0 && isList(tokens.slice(prefix + 2, -1));
  }
  return isList(tokens);
}
