/**
 * The forms in which tools write a text. A secret is looked for in each: as it is, as JSON, Go, YAML, HTML, a URL or a
 * shell escape it, in base64 and in hexadecimal digits, on one line or on several.
 */

/** A text without its escapes, quotes and spaces, and the position of each of its characters in the original. */
export interface Plain {
  text: string;
  starts: number[];
  ends: number[];
}

const NAMED: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " };

/** One escape, however often it was escaped again; or one character. */
const TOKEN = new RegExp(
  [
    // \u003c, \u{3c}, \U0000003c, \x3c, \074; JSON in JSON doubles the backslashes.
    String.raw`\\+(?:u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))`,
    String.raw`((?:\\+x[0-9A-Fa-f]{2})+|(?:\\+[0-3][0-7]{2})+|(?:%(?:25)*[0-9A-Fa-f]{2})+)`,
    // \n and its like are space; so is a line that goes on after a backslash.
    String.raw`(\\+[abefnrtv0NLP_](?![0-7]{2}))`,
    String.raw`&(?:amp;)*(?:(lt|gt|quot|apos|nbsp)|#0*([0-9]{1,7})|#[xX]0*([0-9A-Fa-f]{1,6}));`,
    String.raw`&(?:amp;)*`,
    String.raw`[\s\S]`,
  ].join("|"),
  "g",
);

/** What quoting and folding add and remove. `+` is a space in a form, and one of base64's digits. */
const DROPPED = /[\\'"`\s+\u0000-\u001f\u007f]/;

function bytesIn(run: string): number[] {
  if (run.startsWith("%"))
    return [...run.matchAll(/%(?:25)*([0-9A-Fa-f]{2})/g)].map(([, hex = ""]) => parseInt(hex, 16));
  return [...run.matchAll(/\\+(?:x([0-9A-Fa-f]{2})|([0-3][0-7]{2}))/g)].map(([, hex, octal = ""]) =>
    hex === undefined ? parseInt(octal, 8) : parseInt(hex, 16),
  );
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The characters of a run of bytes: UTF-8, else each a character, as YAML means \xe9. */
function charactersOf(bytes: readonly number[]): string {
  try {
    return utf8.decode(Uint8Array.from(bytes));
  } catch {
    return String.fromCharCode(...bytes);
  }
}

/** Removes the escapes from a text. */
export function plainOf(text: string): Plain {
  const plain: Plain = { text: "", starts: [], ends: [] };
  const parts: string[] = [];
  const add = (characters: string, start: number, end: number) => {
    for (let index = 0; index < characters.length; index++) {
      const character = characters.charAt(index);
      if (DROPPED.test(character)) continue;
      parts.push(character);
      plain.starts.push(start);
      plain.ends.push(end);
    }
  };
  for (const match of text.matchAll(TOKEN)) {
    const [token, braced, unit, long, bytes, space, name, decimal, hexadecimal] = match;
    const [start, end] = [match.index, match.index + token.length];
    const number = braced ?? unit ?? long ?? hexadecimal;
    const code =
      number === undefined ? (decimal === undefined ? undefined : Number(decimal)) : parseInt(number, 16);
    if (space !== undefined) continue;
    if (unit !== undefined) add(String.fromCharCode(parseInt(unit, 16)), start, end);
    else if (code !== undefined) add(code <= 0x10ffff ? String.fromCodePoint(code) : "", start, end);
    else if (bytes !== undefined) {
      const values = bytesIn(bytes);
      const characters = charactersOf(values);
      if (characters.length === values.length) {
        // One by one, each with its position, so that only the secret is removed.
        const single = [...bytes.matchAll(/%(?:25)*[0-9A-Fa-f]{2}|\\+(?:x[0-9A-Fa-f]{2}|[0-3][0-7]{2})/g)];
        single.forEach(({ 0: one, index }, position) =>
          add(characters.charAt(position), start + index, start + index + one.length),
        );
      } else add(characters, start, end);
    } else if (name !== undefined) add(NAMED[name] ?? "", start, end);
    else add(token.startsWith("&") ? "&" : token, start, end);
  }
  plain.text = parts.join("");
  return plain;
}

/** The characters of a text that quoting and folding leave alone, with nothing in it taken for an escape. */
function withoutDropped(text: string): string {
  return [...text].filter((character) => !DROPPED.test(character)).join("");
}

const goEscaped = (json: string) =>
  json.replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

const literal = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
const digits = (number: number, least: number) =>
  [...number.toString(16).padStart(least, "0")].map((digit) => `[${digit}${digit.toUpperCase()}]`).join("");

/** Bounded: a long run of them would otherwise be searched again from each of its positions. */
const ESCAPED = String.raw`\\{0,64}`;
const ENTITY = "&(?:amp;)*";
const ENTITIES: Readonly<Record<string, string>> = {
  "<": "lt;",
  ">": "gt;",
  '"': "quot;",
  "'": "apos;",
  "\u00a0": "nbsp;",
};
/** YAML's and C's letters behind a backslash. */
const LETTERS: Readonly<Record<string, string>> = {
  "\u0000": "0",
  "\u0007": "a",
  "\b": "b",
  "\u000b": "v",
  "\f": "f",
  "\u001b": "e",
  "\u0085": "N",
  "\u00a0": "_",
  "\u2028": "L",
  "\u2029": "P",
};

/** A character by its number, behind backslashes, percent signs or as an entity. */
function numbered(character: string): string[] {
  const code = character.codePointAt(0) ?? 0;
  const bytes = [...Buffer.from(character)];
  const inUnits = Array.from(
    { length: character.length },
    (_, index) => `\\\\+u${digits(character.charCodeAt(index), 4)}`,
  );
  return [
    inUnits.join(""),
    String.raw`\\+(?:U${digits(code, 8)}|u\{0{0,5}${digits(code, 1)}\})`,
    ...(code <= 0xff ? [String.raw`\\+x${digits(code, 2)}`, `%(?:25)*${digits(code, 2)}`] : []),
    bytes.map((byte) => String.raw`\\+x${digits(byte, 2)}`).join(""),
    bytes.map((byte) => String.raw`\\+${byte.toString(8).padStart(3, "0")}`).join(""),
    bytes.map((byte) => `%(?:25)*${digits(byte, 2)}`).join(""),
    `${ENTITY}#(?:0{0,5}${code}|[xX]0{0,5}${digits(code, 1)});`,
  ];
}

const numberedUnits = (character: string) =>
  Array.from({ length: character.length }, (_, index) => `\\u${character.charCodeAt(index).toString(16)}`);

/** One character in every form. */
function formsOf(character: string): string {
  // No tool escapes these.
  if (/[A-Za-z0-9]/.test(character)) return character;
  const forms = [`${ESCAPED}${literal(character)}`, ...numbered(character)];
  const entity = ENTITIES[character];
  const letter = LETTERS[character];
  if (entity !== undefined) forms.unshift(ENTITY + entity);
  if (letter !== undefined) forms.unshift(String.raw`\\+${letter}`);
  // Folding cuts a character of two units in half.
  if (character.length === 2) forms.push(numberedUnits(character).join(FOLD));
  if (character === "&") forms.unshift(ENTITY);
  if (character === "%") forms.unshift("%(?:25)+");
  if (character === "'") forms.unshift(String.raw`'(?:\\+'|"'")'`, "''");
  if (character === '"') forms.unshift('""');
  return `(?:${forms.join("|")})`;
}

const SPACES = String.raw`(?:[ \t\r\n+]|\\(?:[nrt]|u00(?:20|09|0[aAdD])|x(?:20|09|0[aAdD])|0(?:40|11|12|15))?|%(?:25)*(?:20|09|0[aAdD])|&(?:amp;)*#(?:32|9|10|13|[xX](?:20|0?[9aAdD]));)`;
const BACKSLASHES = String.raw`(?:\\(?:u005[cC]|x5[cC]|134)?|%(?:25)*5[cC]|&(?:amp;)*#(?:92|[xX]5[cC]);){1,200}`;
/** Where a long line is folded: YAML puts a backslash before the break. */
const FOLD = String.raw`(?:\\{0,8}\r?\n[ \t]*)?`;
const FOLD_AFTER_BACKSLASH = String.raw`(?:\r?\n[ \t]*)?`;

/**
 * An expression for a text in every form in which escaping, quoting and folding write it, mixed as they may be: one
 * tool's JSON in another's URL.
 */
function expressionFor(text: string): string {
  let expression = "";
  let before: "start" | "spaces" | "backslashes" | "character" = "start";
  for (const { 0: part, 1: spaces, 2: backslashes, index } of text.matchAll(/([ \t\r\n]+)|(\\+)|[^]/gu)) {
    if (spaces !== undefined) {
      // Inside, folding and indentation add more of them; at the ends they would include those next to the secret.
      const isEdge = index === 0 || index + spaces.length === text.length;
      expression += `${SPACES}{1,${isEdge ? spaces.length : 200}}`;
      before = "spaces";
      continue;
    }
    if (before === "character") expression += FOLD;
    else if (before === "backslashes") expression += FOLD_AFTER_BACKSLASH;
    expression += backslashes === undefined ? formsOf(part) : BACKSLASHES;
    before = backslashes === undefined ? "character" : "backslashes";
  }
  return expression;
}

/** Long secrets are also found in pieces: a tool may cut them, or put its own marks between lines. */
const PIECE = 48;

function pieces(text: string): string[] {
  const characters = [...text];
  if (characters.length < 2 * PIECE) return [];
  const count = Math.floor(characters.length / PIECE);
  return Array.from({ length: count }, (_, index) =>
    characters.slice(index * PIECE, index === count - 1 ? undefined : (index + 1) * PIECE).join(""),
  );
}

/** What finds a text, or a long one's pieces, wherever it is escaped, quoted or folded. */
export function escapedForms(text: string): RegExp[] {
  const parts = pieces(text);
  return (parts.length > 0 ? parts : [text]).map((part) => new RegExp(expressionFor(part), "gu"));
}

/** The digits of base64 that stand for a text and for nothing next to it, wherever in its container it begins. */
function base64Cores(bytes: Buffer): string[] {
  return [0, 1, 2].map((offset) => {
    const found = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    const whole = Math.floor(((offset + bytes.length) * 8) / 6);
    return found.slice(Math.ceil((offset * 8) / 6), whole);
  });
}

/** What is looked for in a {@link Plain} text: base64 and hexadecimal digits, which a tool may put on several lines. */
export function encodedForms(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const texts = [
    secret,
    json,
    goEscaped(json),
    ...(secret.isWellFormed() ? [encodeURIComponent(secret)] : []),
  ];
  const base64 = [...new Set(texts)]
    .flatMap((text) => base64Cores(Buffer.from(text)))
    .flatMap((found) => [found, found.replaceAll("+", "-").replaceAll("/", "_")])
    .map(withoutDropped)
    .filter((found) => found.length >= 5);
  const hexadecimal = Buffer.from(secret).toString("hex");
  const all = [...base64, hexadecimal, hexadecimal.toUpperCase()];
  return [...new Set([...all, ...all.flatMap(pieces)])];
}
