/** Lines of postgresql.conf, following guc-file.l. */

/** A value in single quotes. Quotes and backslashes are doubled. */
export function quotedValue(value: string): string {
  return `'${value.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

const ESCAPES: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** The text of a quoted value (DeescapeQuotedString). */
function unquoted(text: string): string {
  return text.replace(/''|\\([0-7]{1,3}|[^])/g, (_, escaped: string | undefined) => {
    if (escaped === undefined) return "'";
    if (/^[0-7]/.test(escaped)) return String.fromCharCode(parseInt(escaped, 8) & 0xff);
    return ESCAPES[escaped] ?? escaped;
  });
}

const LINE =
  /^[ \t\r]*([A-Za-z_\x80-\uffff][\w$.\x80-\uffff]*)[ \t\r]*(?:=[ \t\r]*|[ \t\r])(?:'((?:[^'\\\n]|\\.|'')*)'|([^\s#'=]\S*))[ \t\r]*(?:#.*)?$/;

/** The settings in a text, names as written. If a name occurs twice, the last one counts. */
export function settingsIn(text: string): Map<string, string> {
  return new Map(
    text.split("\n").flatMap((line) => {
      const match = LINE.exec(line);
      if (!match) return [];
      const [, name = "", quoted, plain = ""] = match;
      return [[name, quoted === undefined ? plain : unquoted(quoted)] as const];
    }),
  );
}
