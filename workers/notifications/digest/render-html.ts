/**
 * A digest as HTML. It sets neither a background nor the colour of its text, so that every client's own colours hold,
 * light or dark: nothing else does so in all of them, since some know no style sheet and some no `color-scheme`.
 */
import { escapeHtml, htmlText } from "./clean-text.ts";
import type { ActorView, DigestView, ItemView, Line } from "./view.ts";

// As far from white as from what clients have behind a dark mail: 4 : 1 on both.
const QUIET = "color:#7a7a7a";
const RULE = "border-top:1px solid rgba(128,128,128,.35)";
const FONT =
  "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:15px;line-height:1.5";
const LINK = "color:inherit;text-decoration:none";

/** @param shown items; of the others it says how many there are. */
export function renderHtml(view: DigestView, shown: number): string {
  const { locale, words, subject, headline, items } = view;
  const rest = items.length - shown;
  const rows = items.slice(0, shown).map(itemHtml);
  if (rest > 0)
    rows.push(row(`<p style="margin:0;${QUIET}">${htmlText(words.moreItems(rest))}</p>`));
  rows.push(row(footer(view)));
  return `<!doctype html>
<html lang="${locale}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escapeHtml(subject)}</title></head>
<table width="100%" cellpadding="0" cellspacing="0" border="0"><tr><td align="center" style="padding:20px 12px">
<table width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:600px;text-align:left;${FONT}">
<tr><td style="padding:0 0 16px"><p style="margin:0;font-size:19px;line-height:1.35">${htmlText(headline)}</p></td></tr>
${rows.join("\n")}
</table>
</td></tr></table>
</html>
`;
}

const row = (html: string) => `<tr><td style="padding:16px 0;${RULE}">${html}</td></tr>`;

function itemHtml({ key, name, url, why, due, actors }: ItemView): string {
  const label = key
    ? `<span style="${QUIET}${url ? ";text-decoration:underline" : ""}">${htmlText(key)}</span> `
    : "";
  const title = `${label}<b>${htmlText(name)}</b>`;
  const linked = url ? `<a href="${escapeHtml(url)}" style="${LINK}">${title}</a>` : title;
  const parts = [`<p style="margin:0">${linked}</p>`];
  if (why) parts.push(`<p style="margin:0;font-size:13px;${QUIET}">${htmlText(why)}</p>`);
  if (due) parts.push(`<p style="margin:8px 0 0"><b>${htmlText(due)}</b></p>`);
  return row(parts.concat(actors.map(actorHtml)).join(""));
}

function actorHtml({ name, time, lines }: ActorView): string {
  const said = lines.map(lineHtml).join("<br>");
  const quiet = `<span style="font-size:13px;${QUIET}">${htmlText(time)}</span>`;
  return `<p style="margin:10px 0 0">${htmlText(name)} ${quiet}<br>${said}</p>`;
}

function lineHtml({ label, from, to, added = [], removed = [], quote }: Line): string {
  const named = `<span style="${QUIET}">${htmlText(label)}</span>`;
  if (quote !== undefined) return `${named} «${htmlText(quote)}»`;
  const values = [
    ...added.map((value) => `+&nbsp;${htmlText(value)}`),
    ...removed.map((value) => `<s>${htmlText(value)}</s>`),
  ];
  if (values.length > 0) return `${named} ${values.join(", ")}`;
  if (from === undefined && to === undefined) return htmlText(label);
  return `${named} ${from === undefined ? "" : `${htmlText(from)} `}→ ${to === undefined ? "—" : htmlText(to)}`;
}

function footer({ words, settingsUrl, unsubscribeUrl }: DigestView): string {
  const link = (url: string | undefined, text: string) =>
    url && `<a href="${escapeHtml(url)}" style="color:inherit">${htmlText(text)}</a>`;
  const links = [link(settingsUrl, words.settings), link(unsubscribeUrl, words.unsubscribe)];
  const said = [htmlText(words.footer), ...links].filter((part) => part);
  return `<p style="margin:0;font-size:13px;${QUIET}">${said.join("<br>")}</p>`;
}
