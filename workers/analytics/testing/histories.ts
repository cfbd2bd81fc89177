/** Random histories of work items for property tests, and the ways in which they reach the engine. */
import fc from "fast-check";
import { ingestInputOf } from "../activity-event.ts";
import { factsOf } from "../facts.ts";
import { IngestInput, type StateGroup } from "../schemas.ts";
import type { Change } from "../timeline.ts";

// ── The truth: what happened, in the order in which it happened ─────────────────────────────────

export const GROUPS: Record<string, StateGroup> = {
  idea: "backlog",
  todo: "unstarted",
  doing: "started",
  review: "started",
  done: "completed",
  released: "completed",
  dropped: "cancelled",
};
const STATES = Object.keys(GROUPS);
export const DAY = 86_400_000;

interface Step {
  atMs: number;
  field: "state" | "points" | "label" | "cycle" | "deleted";
  from: string | null;
  to: string | null;
}
export interface Item {
  id: string;
  createdMs: number;
  start: { state: string; points: string | null; labels: string[]; cycles: string[] };
  steps: Step[];
}

const gap = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 1, max: 3_600_000 }),
  fc.integer({ min: 0, max: 240 }).map((hours) => hours * 3_600_000),
);
const move = fc.record({
  gap,
  field: fc.constantFrom("state", "state", "state", "points", "label", "cycle"),
  state: fc.constantFrom(...STATES),
  points: fc.constantFrom(null, "1", "2", "3.5", "8", "XL"),
  label: fc.constantFrom("bug", "ui"),
  cycle: fc.constantFrom("c1", "c2"),
});

/** Builds a consistent life from random moves; of one field, no value comes twice at one instant. */
const anItem = fc
  .record({
    created: fc.oneof(
      fc.integer({ min: 0, max: 40 * DAY }),
      // Whole hours, so that changes meet the midnights exactly.
      fc.integer({ min: 0, max: 960 }).map((hours) => hours * 3_600_000),
    ),
    state: fc.constantFrom(...STATES),
    points: fc.constantFrom<(string | null)[]>(null, "1", "3.5"),
    labels: fc.constantFrom<string[][]>([], ["bug"]),
    cycles: fc.constantFrom<string[][]>([], ["c1"], ["c1", "c2"]),
    moves: fc.array(move, { maxLength: 9 }),
    deletedAfter: fc.option(gap, { freq: 6 }),
  })
  .map(({ created, moves, deletedAfter, ...start }) => {
    const createdMs = Date.parse("2025-03-01T00:00:00Z") + created;
    const now = {
      state: start.state,
      points: start.points,
      label: new Set(start.labels),
      cycle: new Set(start.cycles),
    };
    const steps: Step[] = [];
    let atMs = createdMs;
    for (const { gap: wait, field, ...wanted } of moves) {
      atMs += wait;
      const tied = steps.filter((step) => step.atMs === atMs && step.field === field);
      const isSet = field === "label" || field === "cycle";
      const to = wanted[field];
      if (isSet ? tied.length > 0 : tied.some((step) => step.from === to || step.to === to))
        atMs += 1;
      if (isSet) {
        const has = now[field].delete(to as string);
        if (!has) now[field].add(to as string);
        steps.push({ atMs, field, from: has ? to : null, to: has ? null : to });
      } else if (now[field] !== to) {
        steps.push({ atMs, field, from: now[field], to });
        now[field] = to as string;
      }
    }
    if (deletedAfter !== null)
      steps.push({ atMs: atMs + deletedAfter + 1, field: "deleted", from: null, to: null });
    return { createdMs, start, steps };
  });

export const history = fc
  .array(anItem, { maxLength: 7 })
  .map((items) => items.map((item, i): Item => ({ id: `item-${i}`, ...item })));

// ── Two ways in which the truth reaches the engine ──────────────────────────────────────────────

const states = Object.fromEntries(
  STATES.map((id) => [id, { name: id.toUpperCase(), group: GROUPS[id] }]),
);
export const iso = (ms: number) => new Date(ms).toISOString();
const facts = (input: unknown) =>
  factsOf(IngestInput.parse(JSON.parse(JSON.stringify(input)))).changes;

export function inBulk({ id, createdMs, start, steps }: Item): Change[] {
  const last = (field: string) => steps.findLast((step) => step.field === field);
  const set = (field: string, ids: string[]) => {
    const now = new Set(ids);
    for (const step of steps) {
      if (step.field !== field) continue;
      if (step.from) now.delete(step.from);
      if (step.to) now.add(step.to);
    }
    return [...now];
  };
  const item = {
    id,
    createdAt: iso(createdMs),
    history: steps.map(({ atMs, ...step }) => ({ at: iso(atMs), ...step })),
    state: last("state")?.to ?? start.state,
    points: last("points") ? last("points")?.to : start.points,
    labels: set("label", start.labels),
    cycles: set("cycle", start.cycles),
  };
  return facts({ workspaceId: "w", projectId: "p", states, items: [item] });
}

export function asEvents({ id, createdMs, start, steps }: Item): Change[][] {
  const envelope = {
    workspaceId: "w",
    projectId: "p",
    issueId: id,
    actorId: "u",
    type: "issue",
    states,
  };
  const [cycleId = null, ...moreCycles] = start.cycles;
  const item = {
    createdAtEpoch: createdMs / 1000,
    stateId: start.state,
    points: start.points,
    labels: start.labels,
    cycleId,
  };
  const creation = { ...envelope, epoch: createdMs / 1000, activities: [], item };
  const fieldNames = {
    state: "state",
    points: "estimate_point",
    label: "labels",
    cycle: "cycles",
    deleted: "issue",
  };
  const events = steps.map(({ atMs, field, from, to }, n) => ({
    ...envelope,
    epoch: atMs / 1000,
    activities: [
      {
        id: `${id}:${n}`,
        issueId: id,
        verb: field === "deleted" ? "deleted" : "updated",
        field: fieldNames[field],
        ...(field === "points"
          ? { oldValue: from ?? "", newValue: to ?? "" }
          : { oldIdentifier: from, newIdentifier: to }),
        epoch: atMs / 1000,
      },
    ],
  }));
  const others =
    moreCycles.length === 0
      ? []
      : [
          facts({
            workspaceId: "w",
            projectId: "p",
            items: [{ id, createdAt: iso(createdMs), cycles: moreCycles }],
          }),
        ];
  return [...[creation, ...events].map((event) => facts(ingestInputOf(event))), ...others];
}

/** What the table keeps of arrivals in any order and number. */
export const stored = (arrivals: Change[]) => [
  ...new Map(arrivals.toReversed().map((change) => [change.changeId, change])).values(),
];
