/** Lines of pg_hba.conf and pg_ident.conf, read as PostgreSQL's hba.c reads them. */

/** A word of a line. `@file`, `+role` and `/expression` mean something only without quotes. */
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

/** Reads a file's lines. A backslash at the end joins a line to the next. */
export function accessLines(text: string): AccessLine[] {
  return text
    .replace(/\\\r?\n/g, "")
    .split(/\r?\n/)
    .flatMap((raw): AccessLine[] => {
      const fields: Word[][] = [];
      let continues = false;
      for (const [token, quoted] of raw.matchAll(/#.*|,|"((?:[^"]|"")*)"|(?:[^\s,"#]|"[^"]*")+/g)) {
        if (token.startsWith("#")) break;
        if (token === ",") {
          continues = true;
          continue;
        }
        const word = { text: quoted ?? token.replaceAll('"', ""), quoted: quoted !== undefined };
        if (continues) fields.at(-1)?.push(word);
        else fields.push([word]);
        continues = false;
      }
      return fields.length === 0
        ? []
        : [
            {
              line: raw
                .replace(/\s*#.*$/, "")
                .trim()
                .replace(/\s+/g, " "),
              fields,
            },
          ];
    });
}

/** Whether a line takes its words from another file. */
export function takesFromFile({ fields }: AccessLine): boolean {
  return (
    /^include(_if_exists|_dir)?$/.test(fields[0]?.[0]?.text ?? "") ||
    fields.flat().some(({ text, quoted }) => !quoted && text.startsWith("@"))
  );
}

/** Whether a word stands for more than the one name it is. */
export function isPattern({ text, quoted }: Word): boolean {
  return text.startsWith("/") || (!quoted && text.startsWith("+"));
}
