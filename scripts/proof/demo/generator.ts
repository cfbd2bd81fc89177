/** Makes the history of a realistic tracker from a seed, by the figures of a real one (figures.ts). */

import { type Random, randomFrom } from "../../show/random.ts";
import {
  BUSIEST_PERCENT,
  CHANGE_SETS,
  CLOSED_FOR_GOOD,
  CREATED_PER_MONTH,
  FIRST_STATUS,
  HOUR_PERCENT,
  HOURS_SIGMA,
  MEDIAN_HOURS,
  OTHER_CHANGES,
  PEOPLE,
  PRIORITIES,
  PROJECTS,
  SPAN,
  TRANSITIONS,
  TYPES,
  WEEKDAY_PERCENT,
} from "./figures.ts";
import { type Draft, draftChanges } from "./generator-changes.ts";
import type { Issue } from "./history.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const HEAVIEST_MOMENT = (Math.max(...WEEKDAY_PERCENT) * Math.max(...HOUR_PERCENT)) as number;

export interface GeneratorOptions {
  /** The same seed gives the same history, byte for byte. */
  seed: string;
  /** Months of history. Default: those of the real tracker, 91, which gives about 3,000 issues. */
  months?: number;
}

/** The issues by time of creation. */
export function generateHistory({ seed, months = SPAN.months }: GeneratorOptions): Issue[] {
  const rng = randomFrom(seed);
  // The last millisecond of the history: what would happen later is not known yet.
  const end = monthStart(months) - 1;
  const people = peopleWeights();
  const projects = projectWeights();
  const created: { at: number; project: string }[] = [];
  for (let month = 0; month < months; month++) {
    const { median, sigma, max } = CREATED_PER_MONTH;
    const count = Math.min(max, Math.round(rng.logNormal(median, sigma)));
    for (let i = 0; i < count; i++)
      created.push({ at: momentInMonth(rng, month), project: rng.pick(projects) });
  }
  created.sort((a, b) => a.at - b.at);

  const issues: Issue[] = [];
  const lastNumber = new Map<string, number>();
  for (const { at, project } of created) {
    const number = (lastNumber.get(project) ?? 0) + 1;
    lastNumber.set(project, number);
    issues.push(
      issue(rng, { key: `${project}-${number}`, project, number, createdAt: at, end, people }),
    );
  }
  return issues;
}

interface Origin {
  key: string;
  project: string;
  /** The issue's number in its project, from 1. */
  number: number;
  createdAt: number;
  end: number;
  people: Record<string, number>;
}

function issue(rng: Random, origin: Origin): Issue {
  const firstStatus = rng.pick(FIRST_STATUS);
  const events: Draft[] = statusPath(rng, firstStatus, origin.createdAt, origin.end);
  const lastMove = events.at(-1);
  const lifeEnd = lastMove?.status === "Closed" ? lastMove.at : origin.end;
  const target = Math.min(
    CHANGE_SETS.max,
    Math.round(rng.logNormal(CHANGE_SETS.median, CHANGE_SETS.sigma)),
  );
  while (events.length < target) {
    // Most edits come early in an issue's life, hence the power.
    const afterMs = Math.max(60_000, (lifeEnd - origin.createdAt) * rng.next() ** 3);
    const at = workMoment(rng, origin.createdAt, afterMs);
    events.push({ at: Math.min(at, origin.end), field: rng.pick(OTHER_CHANGES) });
  }
  events.sort((a, b) => a.at - b.at);
  const type = rng.pick(TYPES);
  const priority = rng.pick(PRIORITIES);
  const { changes, last } = draftChanges(rng, events, { ...origin, type, priority, firstStatus });
  return {
    key: origin.key,
    project: origin.project,
    type: last.type ?? type,
    priority: last.priority ?? priority,
    createdAt: new Date(origin.createdAt).toISOString(),
    createdBy: rng.pick(origin.people),
    firstStatus,
    lastStatus: last.status ?? firstStatus,
    changes,
  };
}

/** A Markov chain over the statuses, each held for a log-normal time, cut where the history ends. */
function statusPath(rng: Random, first: string, createdAt: number, end: number): Draft[] {
  const path: Draft[] = [];
  let status = first;
  let at = createdAt;
  while (path.length < CHANGE_SETS.max) {
    if (status === "Closed" && rng.next() < CLOSED_FOR_GOOD) break;
    const heldMs = rng.logNormal(MEDIAN_HOURS[status] ?? 100, HOURS_SIGMA) * HOUR_MS;
    if (at + heldMs >= end) break;
    at = Math.min(end, workMoment(rng, at, Math.max(heldMs, 20_000)));
    status = rng.pick(TRANSITIONS[status] ?? { Closed: 1 });
    path.push({ at, status });
  }
  return path;
}

/** About `afterMs` past `from`, moved within half of that (3.5 days at most) to when people work. */
function workMoment(rng: Random, from: number, afterMs: number): number {
  const reachMs = Math.min(afterMs / 2, 3.5 * DAY_MS);
  return likelyMoment(rng, () => from + afterMs + (rng.next() * 2 - 1) * reachMs);
}

function momentInMonth(rng: Random, month: number): number {
  const start = monthStart(month);
  const lengthMs = monthStart(month + 1) - start;
  return likelyMoment(rng, () => start + rng.next() * lengthMs);
}

/** Rejection sampling by the weights of weekday and hour. */
function likelyMoment(rng: Random, draw: () => number): number {
  let at = draw();
  for (let tries = 0; tries < 60; tries++, at = draw()) {
    const date = new Date(at);
    const weight =
      (WEEKDAY_PERCENT[(date.getUTCDay() + 6) % 7] ?? 0) * (HOUR_PERCENT[date.getUTCHours()] ?? 0);
    if (rng.next() * HEAVIEST_MOMENT < weight) break;
  }
  return Math.round(at);
}

function monthStart(month: number): number {
  const [year = 2007, first = 1] = SPAN.firstMonth.split("-").map(Number);
  return Date.UTC(year, first - 1 + month, 1);
}

/** The ten busiest have their measured share; the rest fall off slowly. */
export function peopleWeights(): Record<string, number> {
  const weights: Record<string, number> = {};
  const rest = PEOPLE - BUSIEST_PERCENT.length;
  const restPercent = 100 - BUSIEST_PERCENT.reduce<number>((sum, percent) => sum + percent, 0);
  const tail = Array.from({ length: rest }, (_, rank) => 1 / (rank + 11));
  const tailSum = tail.reduce((sum, share) => sum + share, 0);
  for (const [index, percent] of [
    ...BUSIEST_PERCENT,
    ...tail.map((share) => (share / tailSum) * restPercent),
  ].entries())
    weights[`u${String(index + 1).padStart(4, "0")}`] = percent;
  return weights;
}

/** A few big projects and many small ones: Zipf's law with exponent 1.6. */
function projectWeights(): Record<string, number> {
  return Object.fromEntries(
    Array.from({ length: PROJECTS }, (_, index) => [`P${index + 1}`, (index + 1) ** -1.6]),
  );
}
