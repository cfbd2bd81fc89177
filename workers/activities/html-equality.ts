/** Tells whether two pieces of HTML differ in more than white space and the order of attributes. */

/** Elements that break lines: white space next to them is not seen. */
const BLOCKS = new Set(
  (
    "address article aside blockquote br dd details div dl dt fieldset figcaption figure footer form " +
    "h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section summary table tbody td tfoot th thead tr ul"
  ).split(" "),
);
/** Elements whose text counts as it stands. */
const VERBATIM = new Set(["pre", "textarea", "script", "style"]);

const WHITE_SPACE = /[ \t\n\f\r]+/g;
// Sticky, and without nested repetitions, so that no input is slow.
const TAG_START = /<(\/?)([A-Za-z][^ \t\n\f\r/>]*)/y;
const ATTRIBUTE_NAME = /[ \t\n\f\r/]*([^ \t\n\f\r/>][^ \t\n\f\r/>=]*)/y;
const EQUALS = /[ \t\n\f\r]*=[ \t\n\f\r]*/y;
const UNQUOTED_VALUE = /[^ \t\n\f\r>]*/y;
const TAG_END = /[ \t\n\f\r/]*>/y;

export const isSameHtml = (one: string, other: string): boolean =>
  one === other || canonicalHtml(one) === canonicalHtml(other);

interface Tag {
  name: string;
  isClosing: boolean;
  /** In canonical form. */
  text: string;
  end: number;
}

/** A form that is equal for HTML that differs in white space and attribute order only. Linear in time. */
export function canonicalHtml(html: string): string {
  let out = "";
  let position = 0;
  let verbatimDepth = 0;
  // White space is held back until it is known whether something visible follows in the same line.
  let isLineStart = true;
  let isSpacePending = false;

  const addText = (text: string) => {
    if (verbatimDepth > 0) {
      out += text;
      isLineStart = false;
      return;
    }
    const collapsed = text.replace(WHITE_SPACE, " ");
    // Not trim(), which takes visible spaces such as NBSP too.
    const startsWithSpace = collapsed.startsWith(" ");
    const words = collapsed.slice(
      startsWithSpace ? 1 : 0,
      collapsed.endsWith(" ") ? -1 : undefined,
    );
    if (startsWithSpace) isSpacePending = !isLineStart;
    if (words === "") return;
    out += isSpacePending ? ` ${words}` : words;
    isSpacePending = collapsed.endsWith(" ");
    isLineStart = false;
  };

  while (position < html.length) {
    const open = html.indexOf("<", position);
    if (open < 0) break;
    const tag = readTag(html, open);
    if (tag === "unterminated") break;
    if (tag === "text") {
      addText(html.slice(position, open + 1));
      position = open + 1;
      continue;
    }
    addText(html.slice(position, open));
    if (BLOCKS.has(tag.name)) isLineStart = true;
    else if (isSpacePending) out += " ";
    isSpacePending = false;
    if (VERBATIM.has(tag.name))
      verbatimDepth = Math.max(0, verbatimDepth + (tag.isClosing ? -1 : 1));
    out += tag.text;
    position = tag.end;
  }
  addText(html.slice(position));
  return out;
}

/**
 * The tag at `open`: "text" when the "<" opens none, and "unterminated" when the end of the input
 * comes first, after which no later "<" need be tried.
 */
function readTag(html: string, open: number): Tag | "text" | "unterminated" {
  const start = matchAt(TAG_START, html, open);
  if (!start) return "text";
  const name = (start[2] ?? "").toLowerCase();
  const isClosing = start[1] === "/";
  const attributes = new Map<string, string>();
  let position = open + start[0].length;
  for (;;) {
    const end = matchAt(TAG_END, html, position);
    if (end) {
      position += end[0].length;
      break;
    }
    const attribute = matchAt(ATTRIBUTE_NAME, html, position);
    if (!attribute) return "unterminated";
    position += attribute[0].length;
    const value = readAttributeValue(html, position);
    if (!value) return "unterminated";
    position = value.end;
    const key = (attribute[1] ?? "").toLowerCase();
    // As in a browser, the first of two attributes of one name counts.
    if (!attributes.has(key)) attributes.set(key, value.text);
  }
  const sorted = [...attributes].sort(([one], [other]) => (one < other ? -1 : 1));
  // JSON quotes a value so that none can look like another attribute.
  const shown = isClosing
    ? ""
    : sorted.map(([key, text]) => ` ${key}=${JSON.stringify(text)}`).join("");
  return { name, isClosing, text: `<${isClosing ? "/" : ""}${name}${shown}>`, end: position };
}

/** The value after an attribute's name, "" without one; undefined when its quote is never closed. */
function readAttributeValue(html: string, at: number): { text: string; end: number } | undefined {
  const equals = matchAt(EQUALS, html, at);
  if (!equals) return { text: "", end: at };
  const start = at + equals[0].length;
  const quote = html[start];
  if (quote === '"' || quote === "'") {
    const close = html.indexOf(quote, start + 1);
    return close < 0 ? undefined : { text: html.slice(start + 1, close), end: close + 1 };
  }
  const text = matchAt(UNQUOTED_VALUE, html, start)?.[0] ?? "";
  return { text, end: start + text.length };
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
