/** Which edits of HTML are none. */
import { performance } from "node:perf_hooks";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { comparing, isSameHtml } from "./html-equality.ts";

test.each([
  ["white space between blocks", "<p>a</p><p>b</p>", "<p>a</p>\n\n<p>b</p>\n"],
  ["white space in a line", "<p>a b</p>", "<p>\n  a \t b </p>"],
  ["white space in a list", "<ul><li>a</li></ul>", "<ul>\r\n<li>a</li>\r\n</ul>"],
  ["white space beside elements", "a <b>b</b> c", "a  <b>b</b>\nc"],
  ["white space around a comment", "<p>a b</p>", "<p>a <!-- --> b</p>"],
  ["white space as an entity", "<p>a b</p>", "<p>a&#32;&#x20; b&#10;</p>"],
  [
    "order and quotes of attributes",
    '<a href="x" class="y">c</a>',
    "<a class='y'   href = x >c</a >",
  ],
  ["an attribute given twice", '<a x="1">a</a>', '<a x="1" x="2">a</a>'],
  ["an empty attribute", '<input checked="">', "<input checked>"],
  ["an attribute's entities", '<a href="?a=1&amp;b=2">a</a>', '<a href="?a=1&b=2">a</a>'],
  ["an attribute's quotes", `<a title="&quot;">a</a>`, `<a title='"'>a</a>`],
  ["void tags", "a<br>b<img>", "a<br />b<img/>"],
  ["a void tag that is closed", "a<br>b", "a</br>b"],
  ["case of names", '<P CLASS="a">b</P>', '<p class="a">b</p>'],
  ["comments", "<p>a</p>", "<!-- b --><p>a<!----></p><!-- <p>c</p> -->"],
  ["tags in comments", "<p>a <!-- <b>b</b> --></p>", "<p>a <!-- <i>c --></p>"],
  ["a comment that does not end", "<p>a</p>", "<p>a</p><!-- <p>b</p>"],
  ["CDATA, which is a comment in HTML", "<p>a</p>", "<p>a<![CDATA[<b>b</b>]]></p>"],
  ["declarations", "<p>a</p>", '<!DOCTYPE html><?xml version="1.0"?><p>a</p>'],
  ["a named entity", "<p>a\u00a0b</p>", "<p>a&nbsp;b</p>"],
  ["a decimal one", "<p>a\u00a0b\u{1f600}</p>", "<p>a&#160;b&#128512;</p>"],
  ["a hexadecimal one", "<p>a\u00a0b\u{1f600}</p>", "<p>a&#xA0;b&#x1f600;</p>"],
  ["one of two characters", "<p>\u2267\u0338</p>", "<p>&ngE;</p>"],
  ["an entity without its semicolon", "<p>a&amp;b &copy;</p>", "<p>a&ampb &copy</p>"],
  ["an ampersand alone", "<p>a & b</p>", "<p>a &amp; b</p>"],
  ["a bracket alone", "1 < 2", "1  &lt;  2"],
  ["tags that may stay open", "<ul><li>a</li><li>b</li></ul>", "<ul><li>a<li>b</ul>"],
  ["tags that are not closed", "<p>a <b>c</b></p>", "<p>a <b>c"],
  ["a closing tag of none", "<p>a</p>", "<p>a</b></p>"],
  ["a script's entities are its text", "<script>a&lt;b</script>", "<script >a&lt;b</script>"],
])("no difference: %s", (_, one, other) => {
  expect(isSameHtml(one, other)).toBe(true);
  expect(isSameHtml(other, one)).toBe(true);
});

test.each([
  ["text", "<p>a</p>", "<p>b</p>"],
  ["a name", "<p>a</p>", "<div>a</div>"],
  ["a word's end", "a b", "ab"],
  ["a word's end between elements", "<b>a</b> <i>b</i>", "<b>a</b><i>b</i>"],
  ["a space that does not break", "<p>a&nbsp;b</p>", "<p>a b</p>"],
  ["a space that does not break, alone", "<p>&nbsp;</p>", "<p></p>"],
  ["an empty paragraph", "<p>a</p>", "<p>a</p><p></p>"],
  ["white space that counts", "<pre>a\n  b</pre>", "<pre>a b</pre>"],
  ["white space that counts, first", "<pre> a</pre>", "<pre>a</pre>"],
  ["a value", '<a href="x">a</a>', '<a href="y">a</a>'],
  ["white space in a value", '<a href="x">a</a>', '<a href="x ">a</a>'],
  ["where a value ends", `<a b="c' d='e">`, `<a b='c' d="e">`],
  ["one attribute more", '<a x="1">', "<a x=1 y>"],
  ["an attribute of JavaScript's", '<a __proto__="x">a</a>', "<a>a</a>"],
  ["case of a value", '<p class="a">', '<p class="A">'],
  ["text that looks like a tag", "<p>&lt;b&gt;</p>", "<p><b></p>"],
  ["text that looks like an entity", "<p>&amp;lt;</p>", "<p>&lt;</p>"],
  ["text that looks like a token", "text", "<text>"],
  ["text of a comment outside of it", "<p>a</p>", "<p>a b --></p>"],
  ["a script", "<script>a<b></script>", "<script>a<c></script>"],
  ["a script's entity", "<script>a&lt;b</script>", "<script>a<b</script>"],
  ["a style", "<style>a{}</style>", "<style>b{}</style>"],
  ["a style's white space", "<style>a {}</style>", "<style>a  {}</style>"],
  ["which element holds it", "<b>a<i>b</i></b>", "<b>a</b><i>b</i>"],
  ["a tag that does not end", "<p", "<p>"],
  ["inside of a tag that does not end", '<a b="', '<a b="c'],
  ["inside of another", "a <b", "a <c"],
])("a difference: %s", (_, one, other) => {
  expect(isSameHtml(one, other)).toBe(false);
  expect(isSameHtml(other, one)).toBe(false);
});

/** A page, as it would be drawn. */
type Node = { text: string } | { name: string; attributes: [string, string][]; inside: Node[] };

const text = fc.string({ unit: fc.constantFrom(..."ab<>&\"' \u00a0é\u{1f600};"), minLength: 1 });
const { page } = fc.letrec<{ page: Node[]; node: Node }>((tie) => ({
  page: fc.array(tie("node"), { maxLength: 4 }),
  node: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    text.map((shown) => ({ text: shown })),
    fc.record({
      name: fc.constantFrom("p", "b", "a", "ul", "li", "table", "td", "pre", "h1", "span"),
      attributes: fc.uniqueArray(fc.tuple(fc.constantFrom("class", "id", "href", "data-x"), text), {
        selector: ([name]) => name,
      }),
      inside: tie("page"),
    }),
  ),
}));

const NAMED = new Map(
  [..."<>&\"'\u00a0é"].map((shown, index) => [
    shown,
    ["&lt;", "&gt;", "&amp;", "&quot;", "&apos;", "&nbsp;", "&eacute;"][index] ?? "",
  ]),
);

/** Writes it in one of the many ways: `choose` gives a number below its argument. */
function written(nodes: Node[], choose: (below: number) => number): string {
  const character = (shown: string) => {
    const code = shown.codePointAt(0) ?? 0;
    const ways = [`&#${code};`, `&#x${code.toString(16)};`, NAMED.get(shown) ?? shown];
    return /[<>&"']/.test(shown) || choose(3) === 0 ? (ways[choose(3)] ?? "") : shown;
  };
  const spelled = (shown: string) => [...shown].map(character).join("");
  const cased = (name: string) => (choose(2) === 0 ? name : name.toUpperCase());
  return nodes
    .map((node) => {
      const comment = choose(5) === 0 ? "<!-- <b>a -->" : "";
      if ("text" in node) return comment + spelled(node.text);
      const attributes = [...node.attributes]
        .sort(() => choose(2) - 0.5)
        .map(([name, value]) => {
          const quote = `"'`[choose(2)] ?? "";
          return `${[" ", "\n\t"][choose(2)]}${cased(name)}=${quote}${spelled(value)}${quote}`;
        });
      const inside = written(node.inside, choose);
      return `${comment}<${cased(node.name)}${attributes.join("")}>${inside}</${cased(node.name)}>`;
    })
    .join("");
}

const choices = fc.infiniteStream(fc.nat()).map((stream) => (below: number) => {
  const { value } = stream.next();
  return value === undefined ? 0 : value % below;
});

test("one page, written in two ways, is the same", () => {
  fc.assert(
    fc.property(page, choices, choices, (nodes, one, other) => {
      expect(isSameHtml(written(nodes, one), written(nodes, other))).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});

test("a letter more makes another page, wherever it stands and however the page is written", () => {
  const places = (nodes: Node[]): { text: string }[] =>
    nodes.flatMap((node) => ("text" in node ? [node] : places(node.inside)));
  fc.assert(
    fc.property(page, choices, choices, fc.nat(), (nodes, one, other, which) => {
      const before = written(nodes, one);
      const texts = places(nodes);
      const place = texts[which % Math.max(1, texts.length)];
      if (place === undefined) nodes.push({ text: "z" });
      else place.text += "z";
      expect(isSameHtml(before, written(nodes, other))).toBe(false);
    }),
    { numRuns: 1_000 },
  );
});

test("where a piece ends makes no difference", () => {
  const pieces = '<p class="a&nbsp;b">a &amp;  b<!-- c --><br/></p><script>d</script>&#x1f600;\n';
  const long = pieces.repeat(250);
  for (let before = 0; before < pieces.length; before += 1) {
    const shift = "x".repeat(before);
    expect(isSameHtml(`${shift}${long}`, `${shift}<!-- -->${long}<!-- -->`)).toBe(true);
    expect(isSameHtml(`${shift}${long}`, `${shift}<!-- -->${long}x`)).toBe(false);
  }
});

test("no text makes it throw, and every one is the same as itself", () => {
  const markup = fc.string({ unit: fc.constantFrom(...`<>/!-="'& ap;[]?#x`), maxLength: 40 });
  fc.assert(
    fc.property(markup, (html) => {
      expect(isSameHtml(html, `${html}${" "}`.slice(0, -1))).toBe(true);
      expect(isSameHtml(`${html}`, ` ${html}`)).toBeTypeOf("boolean");
    }),
    { numRuns: 5_000 },
  );
});

describe("no input is slow", () => {
  const size = 1_000_000;
  // Quadratic time would take minutes at this size; the limits leave room for a busy machine.
  test.each([
    ["open tags", "<a "],
    ["open quotes", "<a b='"],
    ["brackets", "<"],
    ["spaces", " "],
    ["slashes", "<a/"],
    ["equals", "<a ="],
    ["paragraphs", "<p> "],
    ["nested tags", "<b>"],
    ["closing tags of none", "</c>", "<b>".repeat(99)],
    ["closing tags that open", "</p>"],
    ["table cells", "<tr><td>"],
    ["entities", "&amp;"],
    ["entities that end in none", "&CounterClockwiseContourIntegra"],
    ["comments", "<!-- -->"],
    ["comments that do not end", "<!--"],
    ["CDATA that does not end", "<![CDATA["],
    ["scripts that do not end", "</scrip", "<script>"],
    ["attributes", " b", "<a"],
    ["a long name", "b", "<"],
  ])(
    "%s",
    (_, piece, before = "") => {
      const html = before + piece.repeat(Math.ceil(size / piece.length));
      const steps = comparing(html, `${html}x`);
      const start = performance.now();
      let longestMs = 0;
      let steppedAt = start;
      while (!steps.next().done) {
        const now = performance.now();
        longestMs = Math.max(longestMs, now - steppedAt);
        steppedAt = now;
      }
      expect(performance.now() - start).toBeLessThan(10_000);
      expect(longestMs).toBeLessThan(1_000);
    },
    60_000,
  );

  test("what nests deeper than anybody writes is the same only to the letter", () => {
    const deep = (tags: number) => `${"<div>".repeat(tags)}a${"</div>".repeat(tags)}`;
    expect(isSameHtml(deep(50), `${deep(50)} `)).toBe(true);
    expect(isSameHtml(deep(100_000), deep(100_000))).toBe(true);
    expect(isSameHtml(deep(100_000), `${deep(100_000)} `)).toBe(false);
  });
});
