/** Which slots run, and which were missed, by policy and window; overlaps. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dueSlots, ON_TIME_MS, SLOTS_AT_ONCE } from "./catch-up.ts";
import { decideOverlap } from "./overlap.ts";
import { slotsOf } from "./slots.ts";

const MINUTE = 60_000;
const NOW = Date.UTC(2026, 0, 2);
const interval = (everySeconds: number) =>
  slotsOf({ cron: undefined, everySeconds, anchorMs: 0, timeZone: "UTC" });

/** All that comes of it, as the rounds that follow each other do. */
function caughtUp(
  everySeconds: number,
  catchUp: { policy: "skip" | "once" | "all"; windowSeconds: number },
  fromMs: number,
  nowMs = NOW,
) {
  const fire: number[] = [];
  let missed = 0;
  let nextMs: number | undefined = fromMs;
  for (let goes = 0; nextMs !== undefined && nextMs <= nowMs; goes++) {
    if (goes > 1_000) throw new Error("it goes in circles");
    const due = dueSlots(
      { next: interval(everySeconds), isInterval: true, catchUp },
      nextMs,
      nowMs,
    );
    fire.push(...due.fire);
    missed += due.missed?.count ?? 0;
    nextMs = due.nextMs;
  }
  return { fire, missed, nextMs };
}

describe("ten slots late, a minute apart from another", () => {
  const from = NOW - 600_000;
  test("skip runs those on time alone", () => {
    const { fire, missed } = caughtUp(60, { policy: "skip", windowSeconds: 9_999 }, from);
    expect(fire).toEqual([NOW - MINUTE, NOW]);
    expect(missed).toBe(9);
  });
  test("once runs no late one beside those on time", () => {
    const { fire, missed } = caughtUp(60, { policy: "once", windowSeconds: 3_600 }, from);
    expect(fire).toEqual([NOW - MINUTE, NOW]);
    expect(missed).toBe(9);
  });
  test("once runs the last where none is on time", () => {
    const late = NOW + 90_000;
    const hourly = { policy: "once", windowSeconds: 36_000 } as const;
    expect(caughtUp(3_600, hourly, NOW - 7_200_000, late)).toEqual({
      ...{ fire: [NOW], missed: 2, nextMs: NOW + 3_600_000 },
    });
  });
  test("all runs those of the window", () => {
    const { fire, missed } = caughtUp(60, { policy: "all", windowSeconds: 300 }, from);
    expect(fire).toHaveLength(6);
    expect(missed).toBe(5);
  });
  test("what lies past the window is missed whatever the policy", () => {
    for (const policy of ["skip", "once", "all"] as const)
      expect(
        caughtUp(3_600, { policy, windowSeconds: 60 }, NOW - 3_600_000, NOW - 1),
      ).toMatchObject({ fire: [], missed: 1 });
  });
});

test("every slot is either run or missed, once, whatever the policy and the gap", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5_000 }),
      fc.constantFrom("skip" as const, "once" as const, "all" as const),
      fc.integer({ min: 0, max: 100_000 }),
      fc.integer({ min: 0, max: 4_000 }),
      (everySeconds, policy, windowSeconds, behind) => {
        const fromMs = interval(everySeconds)(NOW - behind * everySeconds * 1_000) as number;
        const { fire, missed, nextMs } = caughtUp(everySeconds, { policy, windowSeconds }, fromMs);
        const due = Math.max(0, Math.floor((NOW - fromMs) / (everySeconds * 1_000)) + 1);
        expect(fire.length + missed).toBe(due);
        expect(new Set(fire).size).toBe(fire.length);
        expect(nextMs).toBeGreaterThan(NOW);
        const window = policy === "skip" ? 0 : windowSeconds * 1_000;
        for (const ms of fire) expect(NOW - ms).toBeLessThanOrEqual(Math.max(window, ON_TIME_MS));
        const late = fire.filter((ms) => ms < NOW - ON_TIME_MS);
        if (policy === "once") expect(late.length).toBeLessThanOrEqual(1);
      },
    ),
    { numRuns: 200 },
  );
});

test("a year of seconds that nobody ran is passed over in a moment", () => {
  const start = performance.now();
  const { missed } = caughtUp(1, { policy: "once", windowSeconds: 0 }, NOW - 31_536_000_000);
  expect(missed).toBe(31_536_000 - 60);
  expect(performance.now() - start).toBeLessThan(5_000);
});

test("one go takes no more than so many slots of a pattern", () => {
  const next = slotsOf({
    cron: "* * * * *",
    everySeconds: undefined,
    anchorMs: 0,
    timeZone: "UTC",
  });
  const catchUp = { policy: "all", windowSeconds: 31_536_000 } as const;
  const due = dueSlots({ next, isInterval: false, catchUp }, NOW - 31_536_000_000, NOW);
  expect(due.missed === undefined ? due.fire.length : due.missed.count).toBeLessThanOrEqual(
    SLOTS_AT_ONCE,
  );
});

describe("overlap", () => {
  const idle = { isRunning: false, queuedMs: undefined };
  const running = { isRunning: true, queuedMs: undefined };
  test.each([
    ["skip", idle, [1, 2], "1 fired, 2 skipped", undefined],
    ["skip", running, [1, 2], "1 skipped, 2 skipped", undefined],
    ["allow", running, [1, 2], "1 fired, 2 fired", undefined],
    ["queue-one", running, [1, 2], "1 queued, 2 skipped", 1],
    ["queue-one", idle, [1, 2, 3], "1 fired, 2 queued, 3 skipped", 2],
    ["queue-one", { isRunning: true, queuedMs: 1 }, [2], "2 skipped", 1],
    ["queue-one", { isRunning: false, queuedMs: 1 }, [], "1 fired", undefined],
    ["queue-one", { isRunning: false, queuedMs: 1 }, [2], "1 fired, 2 queued", 2],
    ["allow", { isRunning: true, queuedMs: 1 }, [2], "1 fired, 2 fired", undefined],
    ["skip", { isRunning: true, queuedMs: 1 }, [2], "2 skipped", 1],
  ] as const)("%s, %j, slots %j: %s", (overlap, runs, due, told, queuedMs) => {
    const { slots, queuedMs: queued } = decideOverlap(overlap, runs, due);
    expect(slots.map(({ slotMs, state }) => `${slotMs} ${state}`).join(", ")).toBe(told);
    expect(queued).toBe(queuedMs);
  });
});
