/** An example in JSON, Python and TypeScript, with its marks coloured. */
import { type Html, html } from "./html.ts";

const LINE = 88;
const INDENT = "    ";

interface Language {
  indent: string;
  word: (value: null | boolean) => string;
  key: (name: string) => string;
}

const PYTHON: Language = {
  indent: INDENT,
  word: (value) => ({ null: "None", true: "True", false: "False" })[`${value}`] as string,
  key: (name) => JSON.stringify(name),
};
const TYPESCRIPT: Language = {
  indent: "  ",
  word: String,
  key: (name) => (/^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name)),
};

/** A JSON value as a literal of a language. JSON's strings are strings in each of them. */
function literal(value: unknown, language: Language, at = ""): string {
  if (value === null || typeof value === "boolean") return language.word(value);
  if (typeof value !== "object") return JSON.stringify(value);
  const inner = at + language.indent;
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  const parts = Array.isArray(value)
    ? value.map((part) => literal(part, language, inner))
    : Object.entries(value).map(
        ([name, part]) => `${language.key(name)}: ${literal(part, language, inner)}`,
      );
  const pad = language === TYPESCRIPT && open === "{" && parts.length > 0 ? " " : "";
  const line = `${open}${pad}${parts.join(", ")}${pad}${close}`;
  if (!line.includes("\n") && at.length + line.length <= LINE) return line;
  return `${open}\n${parts.map((part) => `${inner}${part},\n`).join("")}${at}${close}`;
}

/** As one would write it by hand: what fits stands on one line. */
export const asJson = (value: unknown) => json(value, "");

function onOneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(onOneLine).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const parts = Object.entries(value).map(
    ([name, part]) => `${JSON.stringify(name)}: ${onOneLine(part)}`,
  );
  return parts.length > 0 ? `{ ${parts.join(", ")} }` : "{}";
}

function json(value: unknown, at: string): string {
  const line = onOneLine(value);
  const isFlat = typeof value !== "object" || value === null || at.length + line.length <= LINE;
  if (isFlat && at !== "") return line;
  if (typeof value !== "object" || value === null) return line;
  const inner = `${at}  `;
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  const parts = Array.isArray(value)
    ? value.map((part) => json(part, inner))
    : Object.entries(value).map(([name, part]) => `${JSON.stringify(name)}: ${json(part, inner)}`);
  if (parts.length === 0) return line;
  return `${open}\n${parts.map((part) => inner + part).join(",\n")}\n${at}${close}`;
}

export const asPython = (engine: string, type: string, input: unknown) =>
  `reply = call(${JSON.stringify(engine)}, ${JSON.stringify(type)}, ${literal(input, PYTHON)})\nprint(reply)`;

export const asTypeScript = (engine: string, action: string, input: unknown) =>
  `const output = await engine.call(${JSON.stringify(engine)}, ${JSON.stringify(action)}, ${literal(input, TYPESCRIPT)});`;

const TOKENS =
  /(?<comment>(?:#|\/\/) .*)|(?<string>"(?:[^"\\\n]|\\.)*")(?<colon>\s*:)?|\b(?<word>None|True|False|null|true|false|const|await|import|from|def|return|for|in|if|is|not|raise|with|as|using)\b|(?<![\w.])(?<number>-?\d[\d_]*(?:\.\d+)?)\b/g;

/** Code with its marks in elements; the text is the same. */
export function coloured(code: string): Html {
  const parts: Html[] = [];
  let last = 0;
  for (const match of code.matchAll(TOKENS)) {
    const { comment, string, colon, word, number } = match.groups ?? {};
    parts.push(html`${code.slice(last, match.index)}`);
    last = match.index + match[0].length;
    if (comment) parts.push(html`<i class="c">${comment}</i>`);
    if (string) parts.push(html`<i class="${colon ? "k" : "s"}">${string}</i>${colon}`);
    if (word) parts.push(html`<i class="w">${word}</i>`);
    if (number) parts.push(html`<i class="n">${number}</i>`);
  }
  return html`${parts}${code.slice(last)}`;
}

/** A block that scrolls by itself; a keyboard reaches it. */
export const block = (code: string, label: string): Html =>
  html`<pre tabindex="0" role="region" aria-label="${label}"><code>${coloured(code)}</code></pre>`;

export interface Tab {
  name: string;
  content: Html;
}

/** One of several at a time, without a script: radio buttons, which arrow keys move between. */
export const tabs = (id: string, legend: string, all: Tab[]): Html => html`<fieldset class="tabs">
<legend>${legend}</legend>
${all.map(
  ({ name }, index) =>
    html`<input type="radio" name="${id}" id="${id}-${index}"${index === 0 && html` checked`}><label for="${id}-${index}">${name}</label>\n`,
)}${all.map(({ name, content }) => html`<div class="tab" data-name="${name}">${content}</div>\n`)}</fieldset>`;
