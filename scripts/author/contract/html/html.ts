/** HTML in which nothing stands unescaped but what a template of this file made. */

class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type { Html };

type Part = Html | string | number | false | undefined | Part[];

const ENTITIES: Record<string, string> = {
  ...{ "&": "&amp;", "<": "&lt;", ">": "&gt;" },
  ...{ '"': "&quot;", "'": "&#39;" },
};

const escaped = (text: string) => text.replace(/[&<>"']/g, (mark) => ENTITIES[mark] ?? "");

function textOf(part: Part): string {
  if (part instanceof Html) return part.text;
  if (Array.isArray(part)) return part.map(textOf).join("");
  return part === false || part === undefined ? "" : escaped(String(part));
}

/** Whatever is put in is escaped, unless it came from here. */
export const html = (strings: TemplateStringsArray, ...parts: Part[]): Html =>
  new Html(String.raw({ raw: strings }, ...parts.map(textOf)));

/** Our own style sheet, which is no text. @throws where it would end its element. */
export function styleSheet(css: string): Html {
  if (css.includes("</")) throw new Error("a style sheet can't hold </");
  return new Html(`<style>\n${css}</style>`);
}

/** The Markdown that the contract's words use: `code`, **bold**, *emphasis* and [links](#here). */
export function words(markdown: string): Html {
  const parts = markdown.split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^\s*][^*]*\*|\[[^\]]+\]\(#[\w-]+\))/);
  return html`${parts.map((part): Html => {
    const [, to] = /\]\(#([\w-]+)\)$/.exec(part) ?? [];
    if (to !== undefined) return html`<a href="#${to}">${part.slice(1, part.indexOf("]"))}</a>`;
    if (/^`.+`$/s.test(part)) return html`<code>${part.slice(1, -1)}</code>`;
    if (/^\*\*.+\*\*$/s.test(part)) return html`<strong>${part.slice(2, -2)}</strong>`;
    if (/^\*.+\*$/s.test(part)) return html`<em>${part.slice(1, -1)}</em>`;
    return html`${part}`;
  })}`;
}

/** Only what an address can hold. */
export const idOf = (...names: string[]) =>
  names.map((name) => name.replace(/[^A-Za-z0-9_-]+/g, "-")).join("-");

/** A heading that can be linked to. */
export const heading = (level: 2 | 3 | 4, id: string, title: Part): Html => {
  const open = html`<a class="anchor" href="#${id}" aria-label="Link to this section">#</a>`;
  const inside = html`${title} ${open}`;
  if (level === 2) return html`<h2 id="${id}">${inside}</h2>`;
  return level === 3 ? html`<h3 id="${id}">${inside}</h3>` : html`<h4 id="${id}">${inside}</h4>`;
};
