import { atOnce, STEP_SIZE } from "@tl-engine/shared";
import fc from "fast-check";
import { expect, test } from "vitest";
import { byTimeThenId, inChainOrder, sorted } from "./order.ts";
import type { Change } from "./timeline.ts";

const change = (n: number, atMs: number, from: string | null, to: string | null): Change => ({
  projectId: "p",
  itemId: "i",
  changeId: `a:${n}`,
  atMs,
  field: "state",
  from,
  to,
  fromGroup: null,
  toGroup: null,
  initial: false,
});

/** The rule, word by word: at each place, look at all that is left of the instant. */
function naiveChain(changes: Change[], start: string | null | undefined): Change[] {
  const left = [...changes].sort(byTimeThenId);
  const chain: Change[] = [];
  let current = start;
  while (left.length > 0) {
    const tied = left.filter(({ atMs }) => atMs === left[0]?.atMs);
    const next =
      (current === undefined ? undefined : tied.find(({ from }) => from === current)) ??
      tied.find(({ from }) => !tied.some(({ to }) => to === from)) ??
      (tied[0] as Change);
    left.splice(left.indexOf(next), 1);
    chain.push(next);
    current = next.to;
  }
  return chain;
}

const value = fc.constantFrom(null, "a", "b", "c", "d", "e");

test("changes of one instant are put in a chain", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(3), value, value), { maxLength: 40 }),
      fc.option(value, { nil: undefined }),
      (steps, start) => {
        const changes = steps.map(([atMs, from, to], n) => change(n, atMs, from, to));
        const expected = naiveChain(changes, start);
        expect(atOnce(inChainOrder(changes, start))).toEqual(expected);
      },
    ),
  );
});

test("larger heaps than 50 stay in order of id, to the last", () => {
  const heap = Array.from({ length: 60 }, (_, n) => change(n, 0, `${60 - n}`, `${59 - n}`));
  const byId = [...heap].sort(byTimeThenId);
  expect(atOnce(inChainOrder(heap, "1"))).toEqual(byId);
});

test("a list that is sorted in pieces is sorted as a whole, and stably", () => {
  for (const length of [0, 1, STEP_SIZE, STEP_SIZE + 1, 5 * STEP_SIZE + 7]) {
    const values = Array.from({ length }, (_, n) => ({ key: (n * 7_919) % 1_000, n }));
    const byKey = (a: { key: number }, b: { key: number }) => a.key - b.key;
    expect(atOnce(sorted([...values], byKey))).toEqual(values.toSorted(byKey));
  }
});

test.each([50, Number.POSITIVE_INFINITY])(
  "sixteen times as many changes of one item, %d per instant, do not take 256 times as long",
  (perInstant) => {
    /** The least time of some runs, which other programs on the machine disturb less. */
    const leastMs = (length: number) => {
      const times = Array.from({ length: 5 }, () => {
        const changes = Array.from({ length }, (_, n) =>
          change(n, Math.floor(n / perInstant), `${n % 17}`, `${(n + 1) % 17}`),
        );
        const startMs = performance.now();
        atOnce(inChainOrder(changes, undefined));
        return performance.now() - startMs;
      });
      return Math.min(...times);
    };
    leastMs(20_000); // Compiled by then.
    // Linear, and up to six times as slow for caches that the longer list outgrows.
    expect(leastMs(80_000)).toBeLessThan(100 * leastMs(5_000));
  },
  60_000,
);
