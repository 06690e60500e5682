/** Lists in settings, split as in varlena.c. */

const isSpace = (character: string | undefined) => character !== undefined && /[ \t\n\r\f\v]/.test(character);

/**
 * Splits comma-separated names; unquoted ones are lower-cased (SplitIdentifierString).
 *
 * @returns undefined if PostgreSQL reports invalid list syntax
 */
export function splitIdentifiers(text: string): string[] | undefined {
  const names: string[] = [];
  let at = 0;
  const skip = () => {
    while (isSpace(text[at])) at++;
  };
  skip();
  if (at >= text.length) return names;
  for (;;) {
    if (text[at] === '"') {
      let name = "";
      for (;;) {
        const end = text.indexOf('"', at + 1);
        if (end < 0) return undefined;
        name += text.slice(at + 1, end);
        at = end + 1;
        if (text[at] !== '"') break;
        name += '"';
      }
      names.push(name);
    } else {
      const start = at;
      while (at < text.length && text[at] !== "," && !isSpace(text[at])) at++;
      if (at === start) return undefined;
      names.push(text.slice(start, at).toLowerCase());
    }
    skip();
    if (at >= text.length) return names;
    if (text[at] !== ",") return undefined;
    at++;
    skip();
  }
}

/**
 * Splits comma-separated paths, which may contain spaces (SplitDirectoriesString).
 *
 * @returns undefined if PostgreSQL reports invalid list syntax
 */
export function splitPaths(text: string): string[] | undefined {
  if (/^\s*$/.test(text)) return [];
  const paths: string[] = [];
  const part = /\s*(?:"((?:[^"]|"")*)"|([^",][^,]*))\s*(,|$)/y;
  for (;;) {
    const match = part.exec(text);
    if (!match) return undefined;
    paths.push(match[1] === undefined ? (match[2] ?? "").trimEnd() : match[1].replaceAll('""', '"'));
    if (match[3] === "") return paths;
  }
}
