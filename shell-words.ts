/** Quoting for commands that people copy. */

/** A word of a POSIX shell command, in quotes. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A word of a POSIX shell command, quoted if necessary. */
export function shellWord(text: string): string {
  return /^[\w./@%+:=,-]+$/.test(text) ? text : shellQuoted(text);
}
