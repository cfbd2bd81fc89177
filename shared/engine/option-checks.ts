/** Checks of options that every part of a definition has: known keys, ranges of numbers, words of a few. */
import { nearest } from "./nearest.ts";

export type Fail = (what: string) => never;
/** Each number with its least and its most. */
export type Ranges = Readonly<Record<string, readonly [number, number]>>;

export function checkKeys(
  object: object,
  known: readonly string[],
  place: string,
  fail: Fail,
): void {
  for (const key of Object.keys(object))
    if (!known.includes(key))
      fail(`${place}${key} is no option${meant(key, known)}; there are ${known.join(", ")}`);
}

/** One of the words that there are. */
export function checkWord(
  word: unknown,
  known: readonly string[],
  place: string,
  fail: Fail,
): void {
  if (typeof word === "string" && known.includes(word)) return;
  const there = known.length === 0 ? "there are none" : `there are ${known.join(", ")}`;
  fail(`${place} is ${shown(word)}${meant(String(word), known)}; ${there}`);
}

const shown = (word: unknown) =>
  typeof word === "string" ? JSON.stringify(word.slice(0, 100)) : typeof word;

/** Two edits, since neighbours that changed places are two. */
function meant(key: string, known: readonly string[]): string {
  const near = nearest(key, known, Math.min(2, Math.floor(key.length / 2)));
  return near === undefined ? "" : `, did you mean ${near}`;
}

export function checkRanges(
  object: object,
  ranges: Ranges,
  place: string,
  needed: readonly string[],
  fail: Fail,
): void {
  for (const [key, [least, most]] of Object.entries(ranges)) {
    const value: unknown = (object as Record<string, unknown>)[key];
    if (value === undefined && !needed.includes(key)) continue;
    const isFine = Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
    const number = (count: number) => count.toLocaleString("en");
    if (!isFine)
      fail(`${place}${key} must be a whole number from ${number(least)} to ${number(most)}`);
  }
}
