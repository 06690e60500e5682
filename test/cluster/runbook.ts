/**
 * The runbooks of docs/: pages whose commands are the ones that the tests run. A block is a runbook's when the words
 * after its fence say so, which no reader of the rendered page sees:
 *
 *     ```sh runbook=move-path
 *     kubectl scale statefulset postgres -n transcript-pipeline --replicas=0
 *     ```
 *
 * Blocks of the same name are one runbook, in the order of the page. What is the reader's own is a shell variable.
 */
import { readdirSync, readFileSync } from "node:fs";
import { projectFile } from "../../tools/cli.ts";

/** A runbook: its page, its name, and the commands of its blocks. */
export interface Runbook {
  page: string;
  name: string;
  blocks: string[];
}

/** A fenced block, indented or not; its info string; its text. */
const FENCED = /^( *)(`{3,})([^\n`]*)\n([^]*?)^\1\2 *$/gm;

/** The runbooks of one page's text, in its order. */
export function runbooksIn(page: string, text: string): Runbook[] {
  const runbooks = new Map<string, Runbook>();
  for (const [, indent = "", , info = "", body = ""] of text.matchAll(FENCED)) {
    const name = /(?:^|\s)runbook=(\S+)/.exec(info)?.[1];
    if (name === undefined) continue;
    const runbook = runbooks.get(name) ?? { page, name, blocks: [] };
    runbook.blocks.push(body.replaceAll(new RegExp(`^${indent}`, "gm"), ""));
    runbooks.set(name, runbook);
  }
  return [...runbooks.values()];
}

/** The runbooks of every page of docs/. */
export function allRunbooks(): Runbook[] {
  const folder = projectFile("docs");
  return readdirSync(folder)
    .filter((file) => file.endsWith(".md"))
    .sort()
    .flatMap((page) => runbooksIn(page, readFileSync(`${folder}/${page}`, "utf8")));
}
