/** Which edits of HTML are none. */
import { performance } from "node:perf_hooks";
import { describe, expect, test } from "vitest";
import { canonicalHtml, isSameHtml } from "./html-equality.ts";

test.each([
  ["<p>a</p><p>b</p>", "<p>a</p>\n\n<p>b</p>\n"],
  ["<p>a b</p>", "<p>\n  a \t b </p>"],
  ['<a href="x" class="y">c</a>', "<a class='y'   href = x >c</a >"],
  ["<br>", "<br />"],
  ['<input checked="">', "<input checked>"],
  ["<ul><li>a</li></ul>", "<ul>\r\n<li>a</li>\r\n</ul>"],
  ["<P>a</P>", "<p>a</p>"],
  ["a <b>b</b> c", "a  <b>b</b>\nc"],
  ["1 < 2", "1  <  2"],
])("%j is %j", (one, other) => {
  expect(isSameHtml(one, other)).toBe(true);
});

test.each([
  ["<p>a</p>", "<p>b</p>"],
  ["<b>a</b> <i>b</i>", "<b>a</b><i>b</i>"],
  ["a b", "ab"],
  ["<p>a\u00a0b</p>", "<p>a b</p>"],
  ["<p>\u00a0</p>", "<p></p>"],
  ["<pre>a\n  b</pre>", "<pre>a b</pre>"],
  ["<pre> a</pre>", "<pre>a</pre>"],
  ['<a href="x">a</a>', '<a href="y">a</a>'],
  [`<a b="c' d='e">`, `<a b='c' d="e">`],
  ['<a x="1">', "<a x=1 y>"],
  ["<p>a</p>", "<div>a</div>"],
  ["<p", "<p>"],
  ['<a b="', '<a b="c'],
])("%j is not %j", (one, other) => {
  expect(isSameHtml(one, other)).toBe(false);
});

test("the first of two attributes of one name counts", () => {
  expect(canonicalHtml('<a x="1" x="2">')).toBe('<a x="1">');
});

describe("no input is slow", () => {
  const size = 300_000;
  // Quadratic time would take minutes at this size; the limit leaves room for a busy machine.
  test.each([
    ["open tags", "<a "],
    ["open quotes", "<a b='"],
    ["brackets", "<"],
    ["spaces", " "],
    ["slashes", "<a/"],
    ["equals", "<a ="],
    ["tags", "<p> "],
  ])(
    "%s",
    (_, piece) => {
      const html = piece.repeat(Math.ceil(size / piece.length));
      const start = performance.now();
      isSameHtml(html, `${html}x`);
      expect(performance.now() - start).toBeLessThan(5_000);
    },
    60_000,
  );
});
