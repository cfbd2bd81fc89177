/** Text that others wrote, as it may reach a terminal: what would move its cursor, name its window or turn its line around is spelt out. */

/**
 * Controls and what they begin (ESC, and CSI and OSC as single characters), everything invisible that changes how
 * a line reads (bidi, zero width, tags), separators that break lines, and halves of characters.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** The same, of a text with lines of its own. */
const UNPRINTABLE_IN_LINES = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const NAMES: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function spelt(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return NAMES[character] ?? (code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`);
}

/** One line of it, for whatever comes out of a message, a row, a broker or a server. */
export const printable = (text: string) => text.replaceAll(UNPRINTABLE, spelt);

/** Keeps line breaks and tabs: for the output of another program, or an error that has several lines. */
export const printableLines = (text: string) => text.replaceAll(UNPRINTABLE_IN_LINES, spelt);

/** One line, as much of it as `width` columns show. */
export function clip(text: string, width: number): string {
  const line = printable(text);
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`;
}
