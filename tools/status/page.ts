/** The status as a page that needs nothing else: for a browser, and for a phone. Pure. */
import { answers, headline } from "./words.ts";
import type { StatusReport } from "./findings.ts";

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text in HTML. */
export function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? "").replaceAll(/\p{Cc}/gu, " ");
}

const STYLE = `
:root { color-scheme: light dark; --text: #1c1d1f; --quiet: #5c6066; --paper: #fff; --line: #d9dce1;
  --ok: #1a7f37; --warning: #9a6700; --critical: #c21f30; --unknown: #5c6066; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e7e9; --quiet: #a0a5ad; --paper: #16181b; --line: #34383e;
  --ok: #4ac26b; --warning: #d4a72c; --critical: #ff7b72; --unknown: #a0a5ad; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 46rem; padding: 1rem; background: var(--paper); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; line-height: 1.25; margin: .5rem 0 0; padding-left: .75rem; border-left: .4rem solid var(--state); }
.at, .page { color: var(--quiet); font-size: .875rem; }
.at { margin: .25rem 0 1.25rem; padding-left: 1.15rem; }
ul, dl { margin: 0 0 1.5rem; padding: 0; list-style: none; }
li { border: 1px solid var(--line); border-left: .4rem solid var(--state); border-radius: .25rem; padding: .6rem .75rem; margin: 0 0 .6rem; }
li p { margin: 0; }
.mark { color: var(--state); font-weight: 600; }
code { display: block; margin: .4rem 0 .2rem; font: .875rem/1.4 ui-monospace, monospace; white-space: pre-wrap; }
dt { font-weight: 600; margin-top: .75rem; } dd { margin: 0; }
`;

/** The page. */
export function statusPage(status: StatusReport): string {
  const state = (name: string) => `style="--state: var(--${name})"`;
  const findings = status.findings.map(({ severity, words, remedy, page }) =>
    [
      `<li ${state(severity)}>`,
      `<p><span class="mark">${severity === "critical" ? "Wrong" : "Warning"}</span> ${escaped(words)}</p>`,
      `<code>${escaped(remedy)}</code><p class="page">${escaped(page)}</p>`,
      "</li>",
    ].join("\n"),
  );
  const facts = answers(status).map(
    ({ title, text }) => `<dt>${escaped(title)}</dt><dd>${escaped(text)}</dd>`,
  );
  const silent = status.unanswered.map(
    (reason) => `<li ${state("unknown")}><p><span class="mark">Not known</span> ${escaped(reason)}</p></li>`,
  );
  return [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escaped(headline(status))}</title>`,
    `<style>${STYLE}</style>`,
    "</head>",
    "<body>",
    `<h1 ${state(status.state)}>${escaped(headline(status))}</h1>`,
    `<p class="at">as of <time datetime="${escaped(status.at)}">${escaped(status.at.replace("T", " ").replace(/\.\d+Z$/, " UTC"))}</time></p>`,
    ...(findings.length + silent.length > 0 ? ["<ul>", ...findings, ...silent, "</ul>"] : []),
    `<dl>${facts.join("\n")}</dl>`,
    "</body>",
    "</html>",
    "",
  ].join("\n");
}
