/** What the command line means, and what it refuses. */
import { expect, test } from "vitest";
import type { Letter } from "./letter.ts";
import { isChosen, needsItsCode, readSelection } from "./selection.ts";

const NOW = Date.UTC(2026, 0, 31, 12);

test("an empty variable is one that was not given", () => {
  const nothing = { id: undefined, codes: undefined, types: undefined, sinceMs: undefined };
  expect(readSelection({}, NOW)).toEqual(nothing);
  expect(readSelection({ ID: "", CODE: "", TYPE: "", SINCE: "" }, NOW)).toEqual(nothing);
});

test.each([
  ["90s", NOW - 90_000],
  ["30min", NOW - 1_800_000],
  ["30m", NOW - 1_800_000],
  ["2h", NOW - 7_200_000],
  ["3d", NOW - 3 * 86_400_000],
  ["2026-01-31", Date.UTC(2026, 0, 31)],
  ["2026-01-31T08:00Z", Date.UTC(2026, 0, 31, 8)],
  ["2026-01-31T08:00:30.5+01:00", Date.UTC(2026, 0, 31, 7, 0, 30, 500)],
])("SINCE=%s", (SINCE, sinceMs) => {
  expect(readSelection({ SINCE }, NOW)).toMatchObject({ sinceMs });
});

test.each([
  [{ SINCE: "yesterday" }, /2h, 30min/],
  [{ SINCE: "2" }, /2h, 30min/],
  [{ SINCE: "2 h" }, /2h, 30min/],
  [{ SINCE: "2026-02-31x" }, /has passed/],
  // Of which zone?
  [{ SINCE: "2026-01-31T08:00" }, /has passed/],
  [{ SINCE: "2026-02-01" }, /has passed/],
  [{ CODE: "rejectd" }, /CODE=rejectd is no error code; there are: invalid_input/],
  [{ CODE: "rejected,nope" }, /CODE=nope/],
  [{ CODE: "constructor" }, /no error code/],
])("%j is refused with what to write", (given, message) => {
  expect(() => readSelection(given, NOW)).toThrow(message);
});

const letter = (some: Partial<Letter>) =>
  ({ id: "a", code: "rejected", type: "e.a.v1", ...some }) as Letter;

test("all that is asked for must fit", () => {
  const selection = readSelection(
    { CODE: "rejected, expired", TYPE: "e.a.v1,e.b.v1", SINCE: "1h" },
    NOW,
  );
  const fits = { endedAtMs: NOW - 60_000 };
  expect(isChosen(letter(fits), selection)).toBe(true);
  expect(isChosen(letter({ publishedAtMs: NOW - 60_000 }), selection)).toBe(true);
  for (const other of [
    { ...fits, code: "invalid_input" },
    { ...fits, type: "e.c.v1" },
    { endedAtMs: NOW - 7_200_000, publishedAtMs: NOW },
    // Nothing is known of its time.
    {},
  ])
    expect(isChosen(letter(other), selection)).toBe(false);
});

test("what ended on purpose takes its own name", () => {
  for (const code of ["cancelled", "expired"]) {
    expect(needsItsCode(letter({ code }), { id: "a" })).toBe(true);
    expect(needsItsCode(letter({ code }), { codes: ["rejected"] })).toBe(true);
    expect(needsItsCode(letter({ code }), { codes: [code] })).toBe(false);
  }
  expect(needsItsCode(letter({ code: "quarantined" }), {})).toBe(false);
});
