/** Tells whether two pieces of HTML differ in more than what nobody sees. */
import { atOnce, type Steps } from "@tl-engine/shared";
import { HtmlTokens } from "./html-tokens.ts";
import type { HtmlKey, Recording } from "./recording.ts";

/** Characters of each side that are read in one step, in a millisecond or two. */
const PIECE = 16_384;

/**
 * White space, comments, the order of attributes, and how a character or a tag is spelled make no difference. Where one
 * nests deeper than anybody writes, every character does.
 */
export const isSameHtml = (one: string, other: string): boolean =>
  one === other || atOnce(comparing(one, other));

/** Of the two values of a key. */
export const isSameHtmlOf = (
  { sameHtml }: Pick<Recording, "sameHtml">,
  key: HtmlKey,
  { before, after }: { before: string | null; after: string | null },
): boolean => sameHtml[key] ?? isSameHtml(before ?? "", after ?? "");

/** The same in steps, for long ones. Reads both side by side, and no further than to the first difference. */
export function* comparing(one: string, other: string): Steps<boolean> {
  const left = new HtmlTokens();
  const right = new HtmlTokens();
  for (let at = 0; at < Math.max(one.length, other.length); at += PIECE) {
    left.add(one.slice(at, at + PIECE));
    right.add(other.slice(at, at + PIECE));
    if (left.isTooDeep || right.isTooDeep || !startAlike(left.tokens, right.tokens)) return false;
    yield;
  }
  left.end();
  right.end();
  return startAlike(left.tokens, right.tokens) && left.tokens.length === right.tokens.length;
}

/** Compares as far as both were read, and takes that out. */
function startAlike(left: string[], right: string[]): boolean {
  const count = Math.min(left.length, right.length);
  for (let index = 0; index < count; index++) if (left[index] !== right[index]) return false;
  left.splice(0, count);
  right.splice(0, count);
  return true;
}
