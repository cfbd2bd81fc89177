/** Reads HTML as what is seen of it: tags and texts without comments, needless white space and choice of spelling. */
import { Parser } from "htmlparser2";

/** Elements that break lines: white space next to them is not seen. */
const BLOCKS = new Set(
  (
    "address article aside blockquote br dd details div dl dt fieldset figcaption figure footer form " +
    "h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section summary table tbody td tfoot th thead tr ul"
  ).split(" "),
);
/** Elements whose text counts as it stands. */
const VERBATIM = new Set(["pre", "textarea", "script", "style"]);
/** White space that is not one blank already, without nested repetitions, so that no input is slow. */
const LOOSE = / [ \t\n\f\r]+|[\t\n\f\r][ \t\n\f\r]*/g;

/**
 * Elements within each other, a fifth of what browsers take. The parser goes through all open elements for each tag
 * that closes none of them, so that many would make it slow.
 */
const MAX_DEPTH = 100;

/**
 * A comment, and so nothing; but a tag that does not end ends here. It would not be shown, still who changed it changed
 * something.
 */
const END = `<!--"'>-->`;

// No name of an attribute holds a ">", so that a list of tokens reads in one way only.
const TEXT = "text";
const OPEN = "<";
const ATTRIBUTES_END = ">";
const CLOSE = "/";

/** HTML that comes in pieces, of any length, and what is seen of it so far. */
export class HtmlTokens {
  /** Whoever has read them takes them out. */
  readonly tokens: string[] = [];
  #depth = 0;
  #isTooDeep = false;
  #verbatimDepth = 0;
  /** A text that may still go on. */
  #text = "";
  // White space is held back until it is known whether something visible follows in the same line.
  #isLineStart = true;
  #isSpacePending = false;
  readonly #attributes: [name: string, value: string][] = [];
  readonly #parser: Parser;

  constructor() {
    this.#parser = new Parser({
      onopentagname: () => {
        this.#attributes.length = 0;
      },
      onattribute: (name, value) => {
        this.#attributes.push([name, value]);
      },
      onopentag: (name) => this.#open(name),
      onclosetag: (name) => this.#close(name),
      ontext: (text) => this.#addText(text),
    });
  }

  /** More than {@link MAX_DEPTH}: nothing more is read. */
  get isTooDeep(): boolean {
    return this.#isTooDeep;
  }

  add(html: string): void {
    this.#parser.write(html);
  }

  end(): void {
    this.#parser.end(END);
    this.#endText();
  }

  #open(name: string): void {
    this.#beginTag(name);
    this.tokens.push(OPEN, name);
    const attributes = this.#attributes;
    if (attributes.length > 1) attributes.sort(([one], [other]) => (one < other ? -1 : 1));
    let last: string | undefined;
    for (const [key, value] of attributes) {
      // Sorting is stable, and as in a browser the first of two attributes of one name counts.
      if (key !== last) this.tokens.push(key, value);
      last = key;
    }
    this.tokens.push(ATTRIBUTES_END);
    if (VERBATIM.has(name)) this.#verbatimDepth++;
    if (++this.#depth <= MAX_DEPTH) return;
    this.#isTooDeep = true;
    this.#parser.pause();
  }

  #close(name: string): void {
    this.#beginTag(name);
    this.tokens.push(CLOSE, name);
    if (VERBATIM.has(name)) this.#verbatimDepth--;
    this.#depth--;
  }

  #beginTag(name: string): void {
    const isBlock = BLOCKS.has(name);
    if (this.#isSpacePending && !isBlock) this.#text += " ";
    this.#isSpacePending = false;
    this.#endText();
    if (isBlock) this.#isLineStart = true;
  }

  #endText(): void {
    if (this.#text === "") return;
    this.tokens.push(TEXT, this.#text);
    this.#text = "";
  }

  #addText(text: string): void {
    if (this.#verbatimDepth > 0) {
      this.#text += text;
      this.#isLineStart = false;
      return;
    }
    const collapsed = text.replace(LOOSE, " ");
    // Not trim(), which takes visible spaces such as NBSP too.
    const startsWithSpace = collapsed.startsWith(" ");
    const endsWithSpace = collapsed.endsWith(" ");
    if (startsWithSpace && !this.#isLineStart) this.#isSpacePending = true;
    if (startsWithSpace && collapsed.length === 1) return;
    const words =
      startsWithSpace || endsWithSpace
        ? collapsed.slice(startsWithSpace ? 1 : 0, endsWithSpace ? -1 : undefined)
        : collapsed;
    if (this.#isSpacePending) this.#text += " ";
    this.#text += words;
    this.#isSpacePending = endsWithSpace;
    this.#isLineStart = false;
  }
}
