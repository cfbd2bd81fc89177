/** The page that shows the pictures: one file without outside resources. */

export interface PageChart {
  title: string;
  /** One sentence on how to read it. */
  caption: string;
  svg: string;
  /** File name beside the page. */
  file: string;
}

export interface PageSection {
  title: string;
  charts: PageChart[];
}

export interface Page {
  title: string;
  subtitle: string;
  /** Figures in big letters. */
  figures: { label: string; value: string }[];
  /** Whether the independent check found nothing wrong, and what it says. */
  verdict: { good: boolean; text: string };
  sections: PageSection[];
  /** A digest as it was mailed, whole HTML; undefined where none came. */
  digest?: { html: string; caption: string; file: string } | undefined;
  table: { head: string[]; rows: string[][] };
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1f2933; --soft: #616e7c; --line: #e4e7eb; --ground: #f7f8fa; --paper: #fff; --good: #1a7f4e; --bad: #b42318 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --soft: #9aa5b1; --line: #323f4b; --ground: #14181d; --paper: #1d232a; --good: #57c78f; --bad: #f0857d }
  /* The pictures are drawn on white; turned over, their colours keep their hues. */
  figure svg { filter: invert(0.885) hue-rotate(180deg) }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
main { max-width: 1280px; margin: 0 auto; padding: 40px 24px 64px }
h1 { font-size: 30px; line-height: 1.2; margin: 0 }
h2 { font-size: 20px; margin: 40px 0 12px }
.subtitle { color: var(--soft); margin: 6px 0 24px }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 12px }
.figure, figure, .table { background: var(--paper); border: 1px solid var(--line); border-radius: 10px }
.figure { padding: 14px 16px }
.figure b { display: block; font-size: 24px; line-height: 1.2; font-variant-numeric: tabular-nums }
.figure span { color: var(--soft); font-size: 13px }
.verdict { margin: 16px 0 0; padding: 12px 16px; border-radius: 10px; border: 1px solid; background: var(--paper); font-weight: 600 }
.verdict.good { color: var(--good) } .verdict.bad { color: var(--bad) }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 560px), 1fr)); gap: 16px }
.charts figure:first-child { grid-column: 1 / -1 }
figure { margin: 0; padding: 16px; min-width: 0 }
figure svg { display: block; width: 100%; height: auto }
.drawing { overflow-x: auto }
@media (max-width: 700px) {
  main { padding: 24px 14px 40px } h1 { font-size: 24px }
  figure { padding: 10px }
  /* Narrower, their letters could not be read: they are pushed sideways instead. */
  figure svg { width: 660px }
}
figcaption { color: var(--soft); font-size: 13px; margin-top: 10px }
figcaption a { color: inherit; white-space: nowrap }
.mail { max-width: 680px }
.mail iframe { display: block; width: 100%; height: 720px; border: 0; background: #fff }
.table { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums }
th, td { padding: 8px 14px; text-align: right; white-space: nowrap; border-top: 1px solid var(--line) }
th { color: var(--soft); font-weight: 600; border-top: 0 }
th:first-child, td:first-child { text-align: left }
`;

export function renderPage(page: Page): string {
  const { verdict } = page;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(page.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(page.title)}</h1>
<p class="subtitle">${escapeHtml(page.subtitle)}</p>
<div class="figures">
${page.figures.map(renderFigure).join("\n")}
</div>
<p class="verdict ${verdict.good ? "good" : "bad"}">${verdict.good ? "✓" : "✗"} ${escapeHtml(verdict.text)}</p>
${page.sections.map(renderSection).join("\n")}
${renderDigest(page.digest)}
<h2>By project</h2>
${renderRows(page.table)}
</main>
</body>
</html>
`;
}

const renderFigure = ({ label, value }: Page["figures"][number]) =>
  `<div class="figure"><b>${escapeHtml(value)}</b><span>${escapeHtml(label)}</span></div>`;

function renderSection({ title: name, charts }: PageSection): string {
  const figures = charts.map(
    ({ title, svg, caption, file }) =>
      `<figure><div class="drawing" tabindex="0" role="group" aria-label="${escapeHtml(title)}">${asElement(svg)}</div><figcaption>${escapeHtml(caption)} <a href="${escapeHtml(file)}">${escapeHtml(file)}</a></figcaption></figure>`,
  );
  return `<section><h2>${escapeHtml(name)}</h2><div class="charts">\n${figures.join("\n")}\n</div></section>`;
}

/** In a frame without scripts and of its own style, as a mail program shows it. */
function renderDigest(digest: Page["digest"]): string {
  if (digest === undefined) return "";
  const { html, caption, file } = digest;
  return `<section><h2>A digest</h2><figure class="mail"><iframe sandbox title="A digest" srcdoc="${escapeHtml(html)}"></iframe><figcaption>${escapeHtml(caption)} <a href="${escapeHtml(file)}">${escapeHtml(file)}</a></figcaption></figure></section>`;
}

function renderRows({ head, rows }: Page["table"]): string {
  const tr = (tag: string, cells: string[]) =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join("")}</tr>`;
  return `<div class="table"><table><thead>${tr("th", head)}</thead><tbody>${rows
    .map((row) => tr("td", row))
    .join("")}</tbody></table></div>`;
}

/** Without what only a file of its own may begin with. */
const asElement = (svg: string) => svg.replace(/^\s*(<\?xml[^>]*\?>|<!DOCTYPE[^>]*>|\s)+/i, "");

export const escapeHtml = (text: string) =>
  text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
