/** The clock of an item: one case for each thing that can happen to it, at the very instants. */
import { describe, expect, test } from "vitest";
import { compilePolicy, type ItemHistory, standingOf } from "./clock.ts";
import { SlaPolicy, TrackedItem } from "./schemas.ts";

const HOUR = 3_600_000;
const T0 = Date.UTC(2026, 0, 5, 9);
const iso = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString());
const states = (...changes: [hour: number, state: string][]): ItemHistory => ({
  createdMs: T0,
  priority: "none",
  changes: changes.map(([hour, state]) => ({ atMs: T0 + hour * HOUR, state })),
});

const policy = (sent: object = {}) =>
  compilePolicy(
    SlaPolicy.parse({
      ...{ pauseStates: ["waiting"], stopStates: ["done"], targetSeconds: 4 * 3_600, ...sent },
    }),
  );
const at = (history: ItemHistory, hour: number, sent: object = {}) =>
  standingOf(policy(sent), history, T0 + hour * HOUR);

describe("a target of four hours", () => {
  test("runs from its creation", () => {
    expect(at(states(), 1)).toMatchObject({
      ...{ clock: "running", usedMs: HOUR, remainingMs: 3 * HOUR, breachedMs: undefined },
      ...{ dueMs: T0 + 4 * HOUR, nextCheckMs: T0 + 4 * HOUR },
    });
  });
  test("is not over a millisecond before, and is over at the deadline", () => {
    expect(standingOf(policy(), states(), T0 + 4 * HOUR - 1).breachedMs).toBeUndefined();
    expect(at(states(), 4)).toMatchObject({ breachedMs: T0 + 4 * HOUR, nextCheckMs: undefined });
  });
  test("stands while it waits, and is due later by as much", () => {
    const waited = states([1, "waiting"], [3, "todo"]);
    expect(at(waited, 2)).toMatchObject({ clock: "paused", usedMs: HOUR, dueMs: undefined });
    expect(at(waited, 3.5)).toMatchObject({ clock: "running", dueMs: T0 + 6 * HOUR });
  });
  test("that pauses or stops at the deadline itself is in time", () => {
    for (const state of ["waiting", "done"])
      expect(at(states([4, state]), 9)).toMatchObject({ usedMs: 4 * HOUR, breachedMs: undefined });
  });
  test("that goes on after such a pause is over at once", () => {
    expect(at(states([4, "waiting"], [6, "todo"]), 7).breachedMs).toBe(T0 + 6 * HOUR);
  });
  test("ends when the item is done, and tells what the deadline was", () => {
    expect(at(states([2, "done"]), 50)).toMatchObject({
      ...{ clock: "stopped", usedMs: 2 * HOUR, breachedMs: undefined, dueMs: T0 + 4 * HOUR },
    });
  });
  test("that was over stays over, whatever comes", () => {
    expect(at(states([5, "done"], [6, "todo"], [7, "done"]), 8).breachedMs).toBe(T0 + 4 * HOUR);
  });
  test("goes on where it was when the item is opened again", () => {
    expect(at(states([2, "done"], [10, "todo"]), 11)).toMatchObject({
      ...{ clock: "running", usedMs: 3 * HOUR, dueMs: T0 + 12 * HOUR },
    });
  });
  test("does not see what is still to come", () => {
    expect(at(states([2, "done"]), 1)).toMatchObject({ clock: "running" });
  });
  test("of an item that is not there yet has not begun", () => {
    expect(at(states(), -1)).toMatchObject({ clock: "not_started", dueMs: undefined });
  });
});

test("with start states it begins with the first of them, and a pause does not begin it", () => {
  const sent = { startStates: ["doing"] };
  const history = states([1, "waiting"], [2, "doing"], [3, "todo"]);
  expect(at(history, 1.5, sent).clock).toBe("not_started");
  expect(at(history, 5, sent)).toMatchObject({ clock: "running", usedMs: 3 * HOUR });
});

test("Linear's targets by priority, others by choice, and none", () => {
  const of = (priority: ItemHistory["priority"], sent: object) =>
    standingOf(policy({ targetSeconds: null, ...sent }), { ...states(), priority }, T0).targetMs;
  expect(of("urgent", {})).toBe(24 * HOUR);
  expect(of("high", {})).toBe(7 * 24 * HOUR);
  expect(of("medium", {})).toBeUndefined();
  expect(of("medium", { targets: { medium: 60 } })).toBe(60_000);
  expect(of("urgent", { targets: { urgent: null } })).toBeUndefined();
  expect(at({ ...states(), priority: "low" }, 1, { targetSeconds: null }).clock).toBe("no_target");
});

test("warnings are checked one after the other, then the deadline", () => {
  const sent = { warnBeforeSeconds: [3_600, 7_200] };
  expect(iso(at(states(), 1, sent).nextCheckMs)).toBe(iso(T0 + 2 * HOUR));
  expect(iso(at(states(), 2, sent).nextCheckMs)).toBe(iso(T0 + 3 * HOUR));
  expect(iso(at(states(), 3, sent).nextCheckMs)).toBe(iso(T0 + 4 * HOUR));
});

test("urgent on Friday evening is due on Monday evening, where business days count", () => {
  const friday = Date.UTC(2026, 0, 9, 18);
  const history: ItemHistory = { createdMs: friday, priority: "urgent", changes: [] };
  const linear = policy({ targetSeconds: null, calendar: "business_days" });
  expect(iso(standingOf(linear, history, friday).dueMs)).toBe("2026-01-12T18:00:00.000Z");
});

test.each([
  // At midnight the clock leaps to one: that day has 23 hours.
  ["America/Santiago", "2026-09-05T20:00:00-04:00", "2026-09-06T21:00:00-03:00"],
  ["Africa/Cairo", "2026-04-23T20:00:00+02:00", "2026-04-24T21:00:00+03:00"],
  ["Africa/Cairo", "2026-10-29T20:00:00+03:00", "2026-10-30T19:00:00+02:00"],
  ["Europe/Madrid", "2024-02-28T12:00:00+01:00", "2024-02-29T12:00:00+01:00"],
])("a day of whole days in %s from %s", (timeZone, from, due) => {
  const days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
  const calendar = { timeZone, periods: [{ days, from: "00:00", to: "24:00" }] };
  const history: ItemHistory = { createdMs: Date.parse(from), priority: "urgent", changes: [] };
  const standing = standingOf(
    policy({ targetSeconds: 86_400, calendar }),
    history,
    Date.parse(from),
  );
  expect(iso(standing.dueMs)).toBe(iso(Date.parse(due)));
});

test("two changes at one instant: the greater state counts, in whichever order they come", () => {
  const changes = [
    { atMs: T0 + HOUR, state: "waiting" },
    { atMs: T0 + HOUR, state: "done" },
  ];
  for (const list of [changes, changes.toReversed()])
    expect(at({ ...states(), changes: list }, 2).clock).toBe("paused");
});

test("a deadline beyond a hundred years is none", () => {
  const calendar = { periods: [{ days: ["monday"], from: "02:00", to: "02:01" }] };
  const standing = at(states(), 1, { targetSeconds: 10 * 366 * 86_400, calendar });
  expect(standing).toMatchObject({ dueMs: undefined, nextCheckMs: undefined, clock: "running" });
});

test.each(["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z"])(
  "an item of %s is a typing error, whose two thousand years no calendar is compiled for",
  (createdAt) => {
    expect(TrackedItem.safeParse({ id: "x", createdAt }).error?.issues).toMatchObject([
      { path: ["createdAt"], message: "must lie between the years 1970 and 2200" },
    ]);
  },
);
