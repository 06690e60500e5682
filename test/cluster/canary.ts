/** Known secrets, looked for wherever they must not be, in every form in which something may have written them. */
import { randomBytes } from "node:crypto";

/** A value that occurs nowhere else, and that every encoding changes. */
export function canary(): string {
  const random = randomBytes(24)
    .toString("base64")
    .replaceAll(/[^A-Za-z0-9]/g, "x");
  return `canary+${random}/end`;
}

/** A form in which a value is written. */
export interface Form {
  name: string;
  bytes: Buffer;
}

/** The digits of base64 that stand for a value and for nothing next to it, at each of its offsets in a longer text. */
function inBase64(value: Buffer): string[] {
  return [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), value])
      .toString("base64")
      .replaceAll("=", "");
    // The first and the last characters also hold bits of their neighbours.
    return encoded.slice(offset === 0 ? 0 : 4, -4);
  });
}

/** The forms of a value: as it is, in base64 at each offset and once more, URL-encoded, in JSON, and as hex digits. */
export function formsOf(value: string | Buffer): Form[] {
  const bytes = Buffer.from(value as string);
  const base64 = inBase64(bytes);
  const written: [string, string | Buffer][] = [
    ["raw", bytes],
    ["hex", bytes.toString("hex")],
    ["upper-case hex", bytes.toString("hex").toUpperCase()],
    ...base64.map((text): [string, string] => ["base64", text]),
    ...base64.map((text): [string, string] => [
      "URL-safe base64",
      text.replaceAll("+", "-").replaceAll("/", "_"),
    ]),
    ...base64
      .flatMap((text) => inBase64(Buffer.from(text)))
      .map((text): [string, string] => ["base64 twice", text]),
  ];
  if (typeof value === "string")
    written.push(
      ["URL-encoded", encodeURIComponent(value)],
      ["URL-encoded base64", encodeURIComponent(bytes.toString("base64").replaceAll("=", ""))],
      ["JSON", JSON.stringify(value).slice(1, -1)],
    );
  const seen = new Set<string>();
  return written.flatMap(([name, text]) => {
    const form = { name, bytes: Buffer.from(text as string) };
    const key = form.bytes.toString("latin1");
    if (seen.has(key)) return [];
    seen.add(key);
    return [form];
  });
}

/** The names of the forms in which a value is found. */
export function formsIn(text: Buffer, value: string | Buffer): string[] {
  return formsOf(value).flatMap(({ name, bytes }) => (text.includes(bytes) ? [name] : []));
}
