/** `npm run docs`: writes the table of every configuration field into README.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { table } from "../config.ts";
import { isField, type Section } from "../config/reader.ts";
import { answersHelp, projectFile } from "./cli.ts";

const BEGIN = "<!-- configuration: written by `npm run docs`, checked by the tests -->";
const END = "<!-- end of configuration -->";

function rows(path: string, section: Section): string[] {
  return Object.entries(section).flatMap(([name, entry]) => {
    const key = `${path}.${name}`;
    if (!isField(entry)) return rows(key, entry);
    const standIn =
      entry.presence === "required"
        ? "**required**"
        : entry.presence === "optional"
          ? ""
          : `\`${typeof entry.default === "string" ? entry.default : JSON.stringify(entry.default)}\``;
    const cells = [`\`${key}\``, entry.type, standIn, entry.description].map((cell) =>
      cell.replaceAll("|", "\\|"),
    );
    return [`| ${cells.join(" | ")} |`];
  });
}

/** README.md with the table as the configuration has it now. */
export function readmeWithTable(readme: string): string {
  const lines = Object.entries(table).flatMap(([name, section]) => rows(name, section));
  const text = ["| field | type, unit | default | what it is |", "| --- | --- | --- | --- |", ...lines].join(
    "\n",
  );
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`README.md has no place for the table: ${BEGIN} … ${END}`);
  return `${readme.slice(0, begin + BEGIN.length)}\n\n${text}\n\n${readme.slice(end)}`;
}

if (import.meta.main && !answersHelp("usage: npm run docs")) {
  const readme = projectFile("README.md");
  writeFileSync(readme, readmeWithTable(readFileSync(readme, "utf8")));
}
