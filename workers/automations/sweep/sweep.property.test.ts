/** Sweeps against a brute force that reads the rule item by item, and each edge by itself. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { INTAKES, STATE_GROUPS, SweepInput } from "./schemas.ts";
import { sweep } from "./sweep.ts";

const NOW = Date.UTC(2026, 6, 1, 1);
const DAY = 86_400_000;
const iso = (ms: number) => new Date(ms).toISOString();

function run(input: unknown) {
  const swept = sweep(SweepInput.parse(input), NOW);
  for (;;) {
    const { done, value } = swept.next();
    if (done) return value;
  }
}

const end = fc.option(
  fc.oneof(
    fc.integer({ min: -3, max: 3 }).map((days) => iso(NOW + days * DAY).slice(0, 10)),
    fc.integer({ min: -2, max: 2 }).map((hours) => iso(NOW + hours * 3_600_000)),
  ),
);
const project = fc.record({
  id: fc.constantFrom("a", "b", "c"),
  archiveIn: fc.integer({ min: 0, max: 12 }),
  closeIn: fc.integer({ min: 0, max: 12 }),
  closeStateId: fc.option(fc.constantFrom("closed", "elsewhere")),
  stateIds: fc.option(fc.constant<string[]>(["open", "closed"]), { nil: undefined }),
});
const item = fc.record({
  id: fc.uuid(),
  projectId: fc.constantFrom("a", "b", "c", "unknown"),
  stateGroup: fc.constantFrom(...STATE_GROUPS),
  // About the limits, which are whole months of 30 days.
  updatedAt: fc
    .tuple(fc.integer({ min: 0, max: 13 }), fc.constantFrom(-1, 0, 1))
    .map(([months, more]) => iso(NOW - months * 30 * DAY + more)),
  archivedAt: fc.option(fc.constant("2026-01-01")),
  isDraft: fc.boolean(),
  intake: fc.option(fc.constantFrom(...INTAKES)),
  cycles: fc.array(fc.record({ endDate: end }), { maxLength: 2 }),
  modules: fc.array(fc.record({ targetDate: end }), { maxLength: 2 }),
});

/** As the handbook of the tracker says it, without any haste. */
function expected(projects: ProjectLike[], items: ItemLike[]) {
  const archive: object[] = [];
  const close: object[] = [];
  for (const one of items) {
    const own = projects.findLast(({ id }) => id === one.projectId);
    if (!own) continue;
    const ended = (text: string | null) => {
      if (text === null) return false;
      return text.length === 10 ? Date.parse(text) + DAY <= NOW : Date.parse(text) <= NOW;
    };
    if (one.archivedAt || one.isDraft) continue;
    if (one.intake === "pending" || one.intake === "snoozed") continue;
    if (!one.cycles.every(({ endDate }) => ended(endDate))) continue;
    if (!one.modules.every(({ targetDate }) => ended(targetDate))) continue;
    const ageDays = (NOW - Date.parse(one.updatedAt)) / DAY;
    const common = { itemId: one.id, projectId: one.projectId };
    if (["completed", "cancelled"].includes(one.stateGroup)) {
      if (own.archiveIn > 0 && ageDays >= own.archiveIn * 30) archive.push(common);
    } else if (own.closeIn > 0 && ageDays >= own.closeIn * 30 && own.closeStateId)
      if (!own.stateIds || own.stateIds.includes(own.closeStateId))
        close.push({ ...common, stateId: own.closeStateId });
  }
  return { archive, close };
}
interface ProjectLike {
  id: string;
  archiveIn: number;
  closeIn: number;
  closeStateId: string | null;
  stateIds: string[] | undefined;
}
interface ItemLike {
  id: string;
  projectId: string;
  stateGroup: string;
  updatedAt: string;
  archivedAt: string | null;
  isDraft: boolean;
  intake: string | null;
  cycles: { endDate: string | null }[];
  modules: { targetDate: string | null }[];
}

test("a sweep is what a brute force finds", () => {
  fc.assert(
    fc.property(
      fc.array(project, { maxLength: 4 }),
      fc.array(item, { maxLength: 20 }),
      (projects, items) => {
        expect(run({ projects, items })).toMatchObject(expected(projects, items));
      },
    ),
    { numRuns: 2_000 },
  );
});

const old = { project_id: "a", state_group: "unstarted", updated_at: "2025-01-01T00:00:00Z" };

describe("one bad element costs the others nothing", () => {
  test.each([
    ["a project without an id", { projects: [{ archive_in: 1 }] }, "bad_project"],
    ["a project that is a number", { projects: [7] }, "bad_project"],
    ["a project with 13 months", { projects: [{ id: "z", close_in: 13 }] }, "bad_project"],
    ["a project with half a month", { projects: [{ id: "z", close_in: 0.5 }] }, "bad_project"],
    ["a project with -1 months", { projects: [{ id: "z", close_in: -1 }] }, "bad_project"],
    [
      "a project that closes into nothing",
      { projects: [{ id: "z", close_in: 1 }] },
      "missing_close_state",
    ],
    [
      "a project that closes into another's state",
      { projects: [{ id: "z", close_in: 1, close_state_id: "x", state_ids: ["y"] }] },
      "foreign_close_state",
    ],
    ["an item that is null", { items: [null] }, "bad_item"],
    [
      "an item of no project",
      { items: [{ ...old, id: "x", project_id: "nowhere" }] },
      "unknown_project",
    ],
    [
      "an item of a strange group",
      { items: [{ ...old, id: "x", state_group: "triage" }] },
      "bad_item",
    ],
    [
      "an item changed on no day",
      { items: [{ ...old, id: "x", updated_at: "2025-02-30T00:00:00Z" }] },
      "bad_item",
    ],
    [
      "an item changed in the year 275761",
      { items: [{ ...old, id: "x", updated_at: "+275761-01-01T00:00:00Z" }] },
      "bad_item",
    ],
    ["an item without a name", { items: [{ ...old, id: "" }] }, "bad_item"],
    ["an item with NUL in its name", { items: [{ ...old, id: "a\0b" }] }, "bad_item"],
    [
      "a cycle that ends never",
      { items: [{ ...old, id: "x", cycles: [{ end_date: "never" }] }] },
      "bad_item",
    ],
    ["an intake that is unheard of", { items: [{ ...old, id: "x", intake: "lost" }] }, "bad_item"],
  ])("%s", (_what, bad: { projects?: unknown[]; items?: unknown[] }, code) => {
    const swept = run({
      projects: [{ id: "a", close_in: 1, close_state_id: "closed" }, ...(bad.projects ?? [])],
      items: [...(bad.items ?? []), { ...old, id: "good" }],
    });
    expect(swept.close).toEqual([{ itemId: "good", projectId: "a", stateId: "closed" }]);
    expect(swept.warnings.map((warning) => warning.code)).toEqual([code]);
  });
});

test("a module without an end goes on; a day ends with itself", () => {
  const input = (more: object) => ({
    projects: [{ id: "a", close_in: 1, close_state_id: "closed" }],
    items: [{ ...old, id: "x", ...more }],
  });
  expect(run(input({ modules: [{ target_date: null }] })).close).toEqual([]);
  expect(run(input({ cycles: [{ end_date: "2026-07-01" }] })).close).toEqual([]);
  expect(run(input({ cycles: [{ end_date: "2026-06-30" }] })).close).toHaveLength(1);
  expect(run(input({ modules: [{ target_date: "2024-02-29" }] })).close).toHaveLength(1);
});

test("an item that a join lists twice is swept once, and both twins of a project are told of", () => {
  const project = { id: "a", close_in: 1, close_state_id: "closed" };
  const swept = run({
    projects: [project, project],
    items: [0, 1].map(() => ({ ...old, id: "x" })),
  });
  expect(swept.close).toHaveLength(1);
  expect(swept.warnings.map(({ code, path }) => [code, path])).toEqual([
    ["repeated_project", "projects.1"],
    ["repeated_item", "items.1"],
  ]);
});

test("of an item that is listed once for each of its cycles any that goes on keeps it", () => {
  const ended = { ...old, id: "x", cycles: [{ end_date: "2026-06-01" }] };
  const goesOn = { ...old, id: "x", cycles: [{ end_date: null }] };
  const projects = [{ id: "a", close_in: 1, close_state_id: "closed" }];
  for (const items of [
    [ended, goesOn],
    [goesOn, ended],
  ])
    expect(run({ projects, items }).close).toEqual([]);
});

test("a key that is misspelt is told: its value would be the default", () => {
  const { warnings } = run({ projects: [{ id: "a", archive_im: 3 }], items: [] });
  expect(warnings).toMatchObject([{ message: expect.stringContaining("archive") }]);
});

test("items with many cycles give way to other jobs as often as many items do", () => {
  const cycles = Array.from({ length: 500 }, () => ({ end_date: "2026-06-30" }));
  const items = Array.from({ length: 100 }, (_, n) => ({ ...old, id: `x${n}`, cycles }));
  const steps = sweep(SweepInput.parse({ projects: [], items }), NOW);
  let turns = 0;
  while (!steps.next().done) turns++;
  expect(turns).toBeGreaterThanOrEqual(45);
});
