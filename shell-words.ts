/** Words of commands that people copy. */

/** A word of a POSIX shell's command, in quotes. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A word of a POSIX shell's command, quoted where it has to be. */
export function shellWord(text: string): string {
  return /^[\w./@%+:=,-]+$/.test(text) ? text : shellQuoted(text);
}
