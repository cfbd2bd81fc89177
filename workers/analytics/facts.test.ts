import { expect, test } from "vitest";
import { ingestInputOf } from "./activity-event.ts";
import { factsOf } from "./facts.ts";
import { CEILINGS, FlowInput, IngestInput } from "./schemas.ts";

const AT = "2025-06-01T10:00:00.000Z";
const ingest = (items: unknown[], more: object = {}) =>
  factsOf(IngestInput.parse({ workspaceId: "w", projectId: "p", items, ...more }));
const problems = (result: {
  error?: { issues: { path: PropertyKey[]; message: string }[] } | undefined;
}) => result.error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);

test("a bad element becomes a warning and its neighbours live", () => {
  const { changes, output } = ingest([
    { id: "a", createdAt: AT },
    null,
    { id: "", createdAt: AT },
    { id: "nul\0", createdAt: AT },
    {
      id: "b",
      createdAt: AT,
      history: [
        { at: "yesterday", field: "state", to: "s" },
        { at: AT, field: "state", from: "r", to: "s" },
      ],
    },
    {
      id: "c",
      createdAt: AT,
      history: [
        { at: AT, field: "state", from: "s", to: null },
        { at: AT, field: "priority", to: "high" },
      ],
    },
  ]);
  expect(changes.map(({ itemId, field }) => `${itemId} ${field}`)).toEqual([
    "a created",
    "b created",
    "b state",
    "c created",
  ]);
  expect(output).toMatchObject({ items: 3, changes: 4, warningsTotal: 6 });
  expect(output.warnings.map(({ code, path }) => `${code} ${path}`)).toEqual([
    "bad_item items[1]",
    "bad_item items[2].id",
    "bad_item items[3].id",
    "bad_change items[4].history[0].at",
    "bad_change items[5].history[0].to",
    "state_group_unknown states",
  ]);
});

test("facts are the same however often and in whatever company they come", () => {
  const one = { id: "a", createdAt: AT, history: [{ at: AT, field: "state", from: "r", to: "s" }] };
  const longer = {
    ...one,
    history: [
      ...one.history,
      { at: "2025-06-02T10:00:00.000Z", field: "state", from: "s", to: "t" },
    ],
  };
  const ids = (items: unknown[]) => ingest(items).changes.map(({ changeId }) => changeId);
  expect(ids([{ id: "z", createdAt: AT }, longer])).toEqual(expect.arrayContaining(ids([one])));
  expect(new Set(ids([one, one])).size).toBe(ids([one]).length);
  // The same instant, written otherwise.
  expect(ids([{ ...one, createdAt: "2025-06-01T12:00:00+02:00" }])).toEqual(ids([one]));
});

test("an id of the caller's can't pass for a derived one", () => {
  const derived = ingest([{ id: "a", createdAt: AT }]).changes[0]?.changeId;
  const [forged] = ingest([
    { id: "a", history: [{ id: derived, at: AT, field: "label", to: "l" }] },
  ]).changes;
  expect(forged?.changeId).not.toBe(derived);
});

test("values at creation are found by undoing the history", () => {
  const { changes } = ingest([
    {
      id: "a",
      createdAt: AT,
      state: "s",
      points: 5,
      labels: ["kept", "added"],
      cycle: "c2",
      history: [
        { at: "2025-06-03T10:00:00.000Z", field: "cycle", from: "c1", to: "c2" },
        { at: "2025-06-02T10:00:00.000Z", field: "label", from: null, to: "added" },
        { at: "2025-06-02T11:00:00.000Z", field: "label", from: "removed", to: null },
      ],
    },
  ]);
  const initial = changes
    .filter((change) => change.initial)
    .map(({ field, to }) => `${field} ${to}`);
  expect(initial).toEqual(["state s", "points 5", "label kept", "label removed", "cycle c1"]);
});

test("lists have ceilings, with the path of the list", () => {
  const items = Array.from({ length: CEILINGS.itemsPerJob + 1 }, (_, i) => ({ id: `i${i}` }));
  expect(problems(IngestInput.safeParse({ projectId: "p", items }))).toEqual([
    expect.stringMatching(/^items: /),
  ]);
  const history = Array.from({ length: CEILINGS.historyPerItem }, () => ({
    at: AT,
    field: "state",
    to: "s",
  }));
  const heavy = Array.from({ length: 11 }, (_, i) => ({ id: `i${i}`, history }));
  expect(problems(IngestInput.safeParse({ projectId: "p", items: heavy }))).toEqual([
    expect.stringMatching(/^items: .*50000/),
  ]);
});

test("warnings have a ceiling and are all counted", () => {
  const { output } = ingest(Array.from({ length: 150 }, () => null));
  expect(output.warnings).toHaveLength(CEILINGS.warningsListed);
  expect(output.warningsTotal).toBe(150);
});

test("hostile keys are only keys", () => {
  const items = [
    {
      id: "__proto__",
      createdAt: AT,
      history: [{ at: AT, field: "state", from: null, to: "constructor" }],
    },
  ];
  const { changes, output } = ingest(items, {
    states: JSON.parse('{"__proto__":{"group":"completed"}}'),
  });
  expect(changes.map(({ toGroup }) => toGroup)).toEqual([null, null]);
  expect(output.warnings).toMatchObject([{ code: "state_group_unknown" }]);
});

test.each([
  [{ scope: {} }, "exactly one of"],
  [{ scope: { projectId: "p", cycleId: "c" } }, "exactly one of"],
  [{ window: { from: "2025-06-02", to: "2025-06-01" } }, "window.to: `to` is before `from`"],
  [{ window: { from: "2025-02-30", to: "2025-06-01" } }, "window.from"],
  [{ window: { from: "2000-01-01", to: "2025-06-01" } }, "longer than 3660 days"],
  [{ window: { from: "2025-06-01", to: "2025-06-01", timeZone: "Mars/Base" } }, "window.timeZone"],
  [{ metrics: ["velocity", "speed"] }, "metrics.1"],
  [{ forecast: { remaining: 3, until: "2025-07-01" } }, "not both"],
  [{ forecast: { percentiles: [100] } }, "forecast.percentiles.0"],
])("flow refuses %j", (wrong, message) => {
  const good = { scope: { projectId: "p" }, window: { from: "2025-06-01", to: "2025-06-30" } };
  expect(FlowInput.safeParse(good).success).toBe(true);
  expect(problems(FlowInput.safeParse({ ...good, ...wrong }))?.join("; ")).toContain(message);
});

// ── activity.recorded ───────────────────────────────────────────────────────────────────────────

const event = (more: object) => ({
  workspaceId: "w",
  projectId: "p",
  issueId: "a",
  type: "issue.activity.updated",
  actorId: "u",
  epoch: 1_748_772_000,
  activities: [],
  states: { s: { name: "S", group: "completed" } },
  ...more,
});
const entry = (field: string | null, more: object) => ({
  id: `id-${field}`,
  issueId: "a",
  verb: "updated",
  field,
  oldValue: null,
  newValue: null,
  oldIdentifier: null,
  newIdentifier: null,
  epoch: 1_748_772_000.25,
  ...more,
});
const factsOfEvent = (more: object) => factsOf(IngestInput.parse(ingestInputOf(event(more))));

test("an event's activities become changes; what flow metrics don't care for is skipped", () => {
  const { changes, output } = factsOfEvent({
    activities: [
      entry("state", { oldIdentifier: "r", newIdentifier: "s" }),
      entry("labels", { oldIdentifier: "l" }),
      entry("cycles", { verb: "created", newIdentifier: "c" }),
      entry("estimate_points", { oldValue: "3", newValue: "" }),
      entry("assignees", { newIdentifier: "u" }),
      entry(null, { verb: "created" }),
      entry("issue", { verb: "deleted" }),
      entry("state", { id: "other", issueId: "b", newIdentifier: "s" }),
    ],
  });
  expect(
    changes.map(({ itemId, changeId, field, from, to, toGroup }) => [
      itemId,
      changeId,
      field,
      from,
      to,
      toGroup,
    ]),
  ).toEqual([
    ["a", "a:id-state", "state", "r", "s", "completed"],
    ["a", "a:id-labels", "label", "l", null, null],
    ["a", "a:id-cycles", "cycle", null, "c", null],
    ["a", "a:id-estimate_points", "points", "3", null, null],
    ["a", "a:id-issue", "deleted", null, null, null],
    ["b", "a:other", "state", null, "s", "completed"],
  ]);
  expect(changes.every(({ atMs }) => atMs === 1_748_772_000_250)).toBe(true);
  expect(output.warnings).toEqual([]);
});

test("a creation brings the item as it was created", () => {
  const { changes } = factsOfEvent({
    workspaceId: null,
    activities: [entry(null, { verb: "created" })],
    item: {
      createdAtEpoch: 1_748_772_000.5,
      stateId: "s",
      points: "XL",
      labels: ["l"],
      cycleId: "c",
    },
  });
  expect(changes.map(({ field, to, initial }) => [field, to, initial])).toEqual([
    ["created", null, false],
    ["state", "s", true],
    ["points", "XL", true],
    ["label", "l", true],
    ["cycle", "c", true],
  ]);
});

test("a broken activity is warned about and its neighbours live; unknown keys are ignored", () => {
  const { changes, output } = factsOfEvent({
    novelty: true,
    activities: [
      7,
      entry("state", { newIdentifier: "s", novelty: 1 }),
      entry("state", { id: "x", epoch: 1e300, newIdentifier: "s" }),
    ],
  });
  expect(changes).toHaveLength(1);
  expect(output.warnings.map(({ code }) => code)).toEqual(["bad_change", "bad_change"]);
});

test("a broken item or state of an event costs only itself", () => {
  const activities = [entry("state", { newIdentifier: "s" })];
  const { changes, output } = factsOfEvent({
    activities,
    item: { createdAtEpoch: "now" },
    states: { s: { name: "S", group: "completed" }, t: 7, ["x".repeat(300)]: { group: "started" } },
  });
  expect(changes).toMatchObject([{ field: "state", toGroup: "completed" }]);
  expect(output.warnings).toMatchObject([{ code: "bad_item", path: "items[1].createdAt" }]);
});

test("a broken envelope is refused", () => {
  expect(() => ingestInputOf(null)).toThrow();
  expect(() => ingestInputOf(event({ activities: "none" }))).toThrow();
});

test("an input in snake_case is the same, and odd keys are told beside what it says", () => {
  const at = "2026-01-01T00:00:00Z";
  const camel = {
    workspaceId: "w",
    projectId: "p",
    items: [{ id: "a", createdAt: at, history: [{ at, field: "points", from: 1, to: 2 }] }],
  };
  const snake = {
    workspace_id: "w",
    project_id: "p",
    item: 1,
    items: [
      { id: "a", created_at: at, histori: 1, history: [{ at, field: "points", from: 1, to: 2 }] },
    ],
  };
  const { changes, output } = factsOf(IngestInput.parse(snake));
  expect(changes).toEqual(factsOf(IngestInput.parse(camel)).changes);
  expect(output).toMatchObject({
    items: 1,
    warningsTotal: 2,
    warnings: [
      { code: "unknown_key", path: "item" },
      { code: "unknown_key", path: "items[0].histori" },
    ],
  });
});
