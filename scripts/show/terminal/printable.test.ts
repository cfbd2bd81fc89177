/** What others wrote can do nothing to a terminal. */
import { expect, test } from "vitest";
import { clip, printable, printableLines } from "./printable.ts";

test.each([
  ["a window's title", "\u001b]0;x\u0007", "\\u001b]0;x\\u0007"],
  ["colours and cursor", "\u001b[2J\u001b[1;31m", "\\u001b[2J\\u001b[1;31m"],
  ["C1: one character is CSI", "\u009b2J\u009d0;x\u009c", "\\u009b2J\\u009d0;x\\u009c"],
  ["line breaks of any kind", "a\nb\r\u0085\u2028\u2029c", "a\\nb\\r\\u0085\\u2028\\u2029c"],
  ["text that runs backwards", "a\u202eb\u2066c\u200f", "a\\u202eb\\u2066c\\u200f"],
  ["what is not seen", "a\u200bb\ufeff\u{e0041}", "a\\u200bb\\ufeff\\u{e0041}"],
  ["half a character", "a\ud800", "a\\ud800"],
  ["NUL, backspace, DEL, tab", "\0\b\u007f\t", "\\u0000\\u0008\\u007f\\t"],
])("%s is spelt out", (_, text, shown) => {
  expect(printable(text)).toBe(shown);
});

test("what is only text stays as it is", () => {
  const text = "Añadió 3 elementos — 日本語 🙂 \\u001b {}";
  expect(printable(text)).toBe(text);
});

test("lines stay lines where they are wanted, and nothing else does", () => {
  expect(printableLines("a\n\tb\r\u001b[2J")).toBe("a\n\tb\\r\\u001b[2J");
});

test("what is clipped is spelt out first", () => {
  expect(clip("\u001b[2J", 6)).toBe("\\u001…");
  expect(clip("abc", 3)).toBe("abc");
});
