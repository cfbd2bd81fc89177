/** Makes what people typed fit to be shown on one line of a mail: nothing that steers a terminal, a header or the reading direction. */

// Controls, line and paragraph separators, and marks that turn the reading direction of what follows.
const UNSEEN = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/gu;
const SPACES = /\s+/gu;
/** A longer text is cut before anything looks at it. */
const MAX_READ = 20_000;

/**
 * One line of at most `max` characters, the last an ellipsis where something was cut off; lone surrogates become
 * U+FFFD.
 */
export function cleanText(text: string, max: number): string {
  const line = text
    .slice(0, MAX_READ)
    .toWellFormed()
    .replace(UNSEEN, " ")
    .replace(SPACES, " ")
    .trim();
  if (line.length <= max) return line;
  const characters = Array.from(line);
  return characters.length <= max
    ? line
    : `${characters
        .slice(0, max - 1)
        .join("")
        .trimEnd()}…`;
}

// Each part begins where the last one ended, so that a text of only "<" takes linear time.
const TAG = /<[^<>]*>?/g;
const ENTITIES: Record<string, string> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
};

/** What HTML says, without its tags: an excerpt for reading, not for a browser. */
export function textOfHtml(html: string, max: number): string {
  const text = html
    .slice(0, MAX_READ)
    .replace(TAG, " ")
    .replace(/&(#x?[0-9a-f]{1,6}|[a-z]{2,4});/gi, (entity, name: string) => {
      if (!name.startsWith("#")) return ENTITIES[name.toLowerCase()] ?? entity;
      const isHex = name[1] === "x" || name[1] === "X";
      const code = Number.parseInt(name.slice(isHex ? 2 : 1), isHex ? 16 : 10);
      return code <= 0x10ffff ? String.fromCodePoint(code) : entity;
    });
  return cleanText(text, max);
}

const ESCAPES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
export const escapeHtml = (text: string) =>
  text.replace(/[&<>"']/g, (sign) => ESCAPES[sign] ?? sign);

// No mail client breaks a long word by itself that all of them would.
const LONG_WORD = /[^\s\u200b]{25,}/gu;
const PART = /.{8}/gu;
/** Text for HTML: escaped, and long words with places at which they may break. */
export const htmlText = (text: string) =>
  escapeHtml(text.replace(LONG_WORD, (word) => word.replace(PART, "$&\u200b")));
