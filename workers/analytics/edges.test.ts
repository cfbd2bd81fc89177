/** The edges of the design, one by one: each on the smallest history that shows it. */

import { atOnce } from "@tl-engine/shared";
import { expect, test } from "vitest";
import { factsOf } from "./facts.ts";
import { flow } from "./flow.ts";
import { FlowInput, IngestInput } from "./schemas.ts";

const STATES = {
  todo: { name: "Todo", group: "unstarted" },
  doing: { name: "Doing", group: "started" },
  done: { name: "Done", group: "completed" },
  released: { name: "Released", group: "completed" },
  dropped: { name: "Dropped", group: "cancelled" },
};
const iso = (short: string) => `2025-${short.length === 5 ? `${short}T12:00` : short}:00.000Z`;
const state = (at: string, from: string | null, to: string) => ({
  at: iso(at),
  field: "state",
  from,
  to,
});
const cycle = (at: string, from: string | null, to: string | null) => ({
  at: iso(at),
  field: "cycle",
  from,
  to,
});
const item = (id: string, createdAt: string, more: object = {}) => ({
  id,
  createdAt: iso(createdAt),
  state: "todo",
  ...more,
});

const factsFor = (items: unknown[], states: object = STATES) =>
  factsOf(IngestInput.parse({ workspaceId: "w", projectId: "p", states, items }));

function flowOf(items: unknown[], request: object = {}, states: object = STATES) {
  const input = FlowInput.parse({
    scope: { projectId: "p" },
    window: { from: "2025-06-01", to: "2025-06-30" },
    asOf: "2026-01-01T00:00:00.000Z",
    ...request,
  });
  return atOnce(flow(input, factsFor(items, states).changes, 0));
}
const burnOn = (output: ReturnType<typeof flowOf>, date: string) =>
  output.burn?.find((day) => day.date === date);

test("cancelled is not open: it leaves the scope, and comes back when reopened", () => {
  const output = flowOf([
    item("a", "06-01"),
    item("b", "06-01", {
      history: [state("06-05", "todo", "dropped"), state("06-09", "dropped", "todo")],
    }),
  ]);
  expect(burnOn(output, "2025-06-04")).toMatchObject({ remaining: 2, scope: 2 });
  expect(burnOn(output, "2025-06-05")).toMatchObject({ remaining: 1, scope: 1, done: 0 });
  expect(burnOn(output, "2025-06-09")).toMatchObject({ remaining: 2, scope: 2 });
  expect(output.cumulativeFlow?.find((day) => day.date === "2025-06-05")).toMatchObject({
    cancelled: 1,
  });
});

test("reopened twice: finished once, at the last time, and the gaps are not cycle time", () => {
  const history = [
    state("06-02", "todo", "doing"),
    state("06-04", "doing", "done"), // 2 days of work
    state("06-10", "done", "doing"),
    state("06-11", "doing", "done"), // 1
    state("06-20", "done", "todo"),
    state("06-23", "todo", "done"), // 3, waiting to be taken up again included
    state("06-25", "done", "released"), // still done: not finished again
  ];
  const output = flowOf([item("a", "06-01", { state: "released", history })]);
  expect(output.cycleTime?.items).toEqual([
    { itemId: "a", finishedAt: iso("06-23"), cycleDays: 6, leadDays: 22 },
  ]);
  expect(output.throughput?.days.filter((day) => day.items > 0)).toEqual([
    { date: "2025-06-23", items: 1 },
  ]);
  expect(burnOn(output, "2025-06-15")).toMatchObject({ done: 1 });
  expect(burnOn(output, "2025-06-21")).toMatchObject({ done: 0, remaining: 1 });
});

test("spill-over: what is moved to the next cycle after the end does not change the past of the first", () => {
  const items = [
    item("done", "06-01", {
      history: [cycle("06-02", null, "c1"), state("06-05", "todo", "done")],
      state: "done",
      cycle: "c1",
    }),
    item("left over", "06-01", {
      history: [cycle("06-02", null, "c1"), cycle("07-01", "c1", "c2")],
      cycle: "c2",
    }),
  ];
  const window = { from: "2025-06-01", to: "2025-06-14" };
  const first = flowOf(items, { scope: { cycleId: "c1" }, window });
  expect(burnOn(first, "2025-06-14")).toEqual({
    date: "2025-06-14",
    remaining: 1,
    scope: 2,
    done: 1,
  });
  expect(first.velocity?.cycles).toEqual([{ cycleId: "c1", items: 1, points: 0 }]);
  // Seen from later, the cycle has lost it.
  const later = flowOf(items, {
    scope: { cycleId: "c1" },
    window: { from: "2025-06-01", to: "2025-07-05" },
  });
  expect(burnOn(later, "2025-06-30")).toMatchObject({ scope: 2 });
  expect(burnOn(later, "2025-07-01")).toMatchObject({ scope: 1 });
  const second = flowOf(items, {
    scope: { cycleId: "c2" },
    window: { from: "2025-06-28", to: "2025-07-05" },
  });
  expect(burnOn(second, "2025-07-01")).toMatchObject({ scope: 1, remaining: 1 });
});

test("an item in two cycles counts in each, and once in the project", () => {
  const both = [
    item("a", "06-01", {
      cycles: ["c1", "c2"],
      state: "done",
      points: 3,
      history: [state("06-03", "todo", "done")],
    }),
  ];
  for (const cycleId of ["c1", "c2"])
    expect(flowOf(both, { scope: { cycleId } }).items).toMatchObject({ total: 1, done: 1 });
  const output = flowOf(both);
  expect(output.items.total).toBe(1);
  expect(output.velocity?.cycles).toEqual([
    { cycleId: "c1", items: 1, points: 3 },
    { cycleId: "c2", items: 1, points: 3 },
  ]);
});

test("a state that was renamed, regrouped or deleted since keeps the group that it had", () => {
  const then = factsFor([
    item("a", "06-01", { state: "done", history: [state("06-05", "todo", "done")] }),
  ]);
  // Later the state is another group's, and its old self is unknown to new changes.
  const later = factsFor([item("b", "06-10", { state: "done" })], {
    done: { name: "Fertig", group: "cancelled" },
  });
  const input = FlowInput.parse({
    scope: { projectId: "p" },
    window: { from: "2025-06-01", to: "2025-06-30" },
    asOf: "2026-01-01T00:00:00.000Z",
  });
  expect(atOnce(flow(input, [...then.changes, ...later.changes], 0)).items).toMatchObject({
    done: 1,
    cancelled: 1,
  });
  const overridden = { ...input, states: { done: "started" as const } };
  expect(atOnce(flow(overridden, [...then.changes, ...later.changes], 0)).items).toMatchObject({
    open: 2,
  });
});

test("a state whose group nobody knows counts as backlog, with a warning, until somebody does", () => {
  const history = [state("06-05", "todo", "mystery")];
  const strange = [item("a", "06-01", { state: "mystery", history })];
  const output = flowOf(strange);
  expect(output.cumulativeFlow?.at(-1)).toMatchObject({ backlog: 1 });
  expect(output.warnings).toMatchObject([{ code: "group_unknown", count: 1, itemIds: ["a"] }]);
  expect(flowOf(strange, { states: { mystery: "completed" } }).items.done).toBe(1);
});

test("DST: a change in the lost or the repeated hour falls on the local day", () => {
  const items = [
    item("before", "03-29T20:00", {
      state: "done",
      history: [state("03-29T22:59", "todo", "done")],
    }),
    item("after", "03-29T20:00", {
      state: "done",
      history: [state("03-29T23:00", "todo", "done")],
    }),
    item("late", "03-29T20:00", { state: "done", history: [state("03-30T21:59", "todo", "done")] }),
    item("next day", "03-29T20:00", {
      state: "done",
      history: [state("03-30T22:00", "todo", "done")],
    }),
  ];
  const output = flowOf(items, {
    window: { from: "2025-03-29", to: "2025-03-31", timeZone: "Europe/Madrid" },
  });
  expect(output.throughput?.days.map((day) => day.items)).toEqual([1, 2, 1]);
});

test("zero weeks are there, cut weeks say so", () => {
  const output = flowOf(
    [item("a", "06-01", { state: "done", points: 5, history: [state("06-05", "todo", "done")] })],
    { window: { from: "2025-06-04", to: "2025-06-24" } },
  );
  expect(output.velocity?.weeks).toEqual([
    { week: "2025-W23", monday: "2025-06-02", days: 5, items: 1, points: 5 },
    { week: "2025-W24", monday: "2025-06-09", days: 7, items: 0, points: 0 },
    { week: "2025-W25", monday: "2025-06-16", days: 7, items: 0, points: 0 },
    { week: "2025-W26", monday: "2025-06-23", days: 2, items: 0, points: 0 },
  ]);
  expect(output.velocity?.meanPointsPerWeek).toBe(0);
});

test('an estimate "XL" weighs nothing, and says so', () => {
  const items = [item("a", "06-01", { points: "XL" }), item("b", "06-01", { points: "3.5" })];
  const output = flowOf(items, { unit: "points" });
  expect(output.burn?.at(-1)).toMatchObject({ remaining: 3.5, scope: 3.5 });
  expect(output.warnings).toMatchObject([{ code: "points_not_a_number", itemIds: ["a"] }]);
});

test("clock skew: what is dated before the creation counts as done at it", () => {
  const output = flowOf([
    item("a", "06-10", { state: "done", history: [state("06-09", "todo", "done")] }),
  ]);
  expect(output.cycleTime?.items).toEqual([
    { itemId: "a", finishedAt: iso("06-10"), cycleDays: null, leadDays: 0 },
  ]);
  expect(burnOn(output, "2025-06-09")).toMatchObject({ scope: 0 });
  expect(output.warnings).toMatchObject([{ code: "before_creation" }]);
});

test("several changes in one second keep the order that their values tell", () => {
  const at = "06-05";
  const history = [
    state(at, "doing", "done"),
    state(at, "todo", "doing"),
    state(at, "done", "released"),
  ];
  const output = flowOf([item("a", "06-01", { state: "released", history })]);
  expect(output.items.done).toBe(1);
  expect(output.cycleTime?.items).toMatchObject([{ cycleDays: 0 }]);
});

test("changes whose creation is not known (yet): the item exists from the first of them", () => {
  const { createdAt: _, ...unborn } = item("a", "06-01", {
    history: [state("06-05", "doing", "done")],
  });
  const output = flowOf([unborn]);
  expect(burnOn(output, "2025-06-04")).toMatchObject({ scope: 0 });
  expect(burnOn(output, "2025-06-05")).toMatchObject({ done: 1 });
});

test("deleted items stay in the past and leave the present", () => {
  const output = flowOf([
    item("a", "06-01", { history: [{ at: iso("06-08"), field: "deleted", from: null, to: null }] }),
  ]);
  expect(burnOn(output, "2025-06-07")).toMatchObject({ scope: 1 });
  expect(burnOn(output, "2025-06-08")).toMatchObject({ scope: 0 });
  expect(output.items.total).toBe(0);
});

test("days after `asOf` are left out, and nothing later is seen", () => {
  const output = flowOf(
    [item("a", "06-01", { state: "done", history: [state("06-05T15:00", "todo", "done")] })],
    {
      asOf: "2025-06-05T14:00:00.000Z",
    },
  );
  expect(output.lastDay).toBe("2025-06-05");
  expect(output.burn).toHaveLength(5);
  expect(output.items).toMatchObject({ open: 1, done: 0 });
  const early = flowOf([], { asOf: "2025-05-01T00:00:00.000Z", svg: true, forecast: {} });
  expect(early).toMatchObject({ lastDay: null, burn: [], items: { total: 0 } });
});

test("aging: started and unfinished items, oldest first, without the time in which they were over", () => {
  const items = [
    item("young", "06-01", { state: "doing", history: [state("06-28", "todo", "doing")] }),
    item("old", "06-01", {
      state: "doing",
      history: [
        state("06-02", "todo", "doing"),
        state("06-04", "doing", "done"),
        state("06-27", "done", "doing"),
      ],
    }),
    item("done", "06-01", {
      state: "done",
      history: [state("06-02", "todo", "doing"), state("06-05", "doing", "done")],
    }),
  ];
  const output = flowOf(items, { asOf: iso("06-30") });
  expect(output.aging).toMatchObject({
    total: 2,
    items: [
      { itemId: "old", ageDays: 5, inStateDays: 3, beyondP85: true, startedAt: iso("06-02") },
      { itemId: "young", ageDays: 2, inStateDays: 2, beyondP85: false },
    ],
  });
});

test("a request in snake_case is the same, and an odd key is a warning", () => {
  const items = [item("a", "06-01", { state: "released" })];
  const asOf = "2025-06-10T00:00:00Z";
  const camel = flowOf(items, { asOf });
  const snake = flowOf(items, { asOf: null, as_of: asOf, metric: ["burn"], title: null });
  expect({ ...snake, warnings: [] }).toEqual({ ...camel, warnings: [] });
  expect(snake.warnings).toContainEqual({
    code: "unknown_key",
    message: "metric is no key here; did you mean metrics?",
    count: 1,
    itemIds: [],
  });
});
