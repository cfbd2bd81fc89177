/** A digest as plain text. */
import type { DigestView, ItemView, Line } from "./view.ts";

/** @param shown items; of the others it says how many there are. */
export function renderText(view: DigestView, shown: number): string {
  const { words, headline, items, settingsUrl, unsubscribeUrl } = view;
  const rest = items.length - shown;
  const blocks = [headline, ...items.slice(0, shown).map(itemText)];
  if (rest > 0) blocks.push(words.moreItems(rest));
  const links = [
    settingsUrl && `${words.settings}: ${settingsUrl}`,
    unsubscribeUrl && `${words.unsubscribe}: ${unsubscribeUrl}`,
  ];
  // The mark behind which mail clients expect what is no message.
  blocks.push(["-- ", words.footer, ...links.filter((line) => line)].join("\n"));
  return `${blocks.join("\n\n")}\n`;
}

function itemText({ key, name, url, why, due, actors }: ItemView): string {
  const lines = [[key, name].filter(Boolean).join(" ") + (why ? ` (${why})` : "")];
  if (url) lines.push(url);
  if (due) lines.push(`  ${due}`);
  for (const actor of actors) {
    lines.push(`  ${actor.name} · ${actor.time}`);
    for (const line of actor.lines) lines.push(`  - ${lineText(line)}`);
  }
  return lines.join("\n");
}

function lineText({ label, from, to, added = [], removed = [], quote }: Line): string {
  if (quote !== undefined) return `${label}: «${quote}»`;
  const values = [...added.map((value) => `+${value}`), ...removed.map((value) => `−${value}`)];
  if (values.length > 0) return `${label}: ${values.join(", ")}`;
  if (from === undefined && to === undefined) return label;
  return `${label}: ${from ?? "—"} → ${to ?? "—"}`;
}
