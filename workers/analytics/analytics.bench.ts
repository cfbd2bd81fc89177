/** Measures the engine without services: `node workers/analytics/analytics.bench.ts`. */

import { atOnce, type Steps } from "@tl-engine/shared";
import { factsOf } from "./facts.ts";
import { flow } from "./flow.ts";
import { calibrate, simulate } from "./forecast.ts";
import { replayAll } from "./replay-all.ts";
import { FlowInput, IngestInput } from "./schemas.ts";
import { seededRandom } from "./simulate.ts";
import type { Change } from "./timeline.ts";

const ITEMS = 10_000;
const CHANGES_PER_ITEM = 10;
const DAY_MS = 86_400_000;
const START_MS = Date.parse("2023-01-01T00:00:00Z");
const GROUPS = {
  idea: "backlog",
  todo: "unstarted",
  doing: "started",
  review: "started",
  done: "completed",
};
const PATH = [
  "idea",
  "todo",
  "doing",
  "review",
  "doing",
  "review",
  "done",
  "todo",
  "doing",
  "review",
  "done",
];

/** A tracker of three years, made by seed. */
function tracker(random: () => number): Change[] {
  const states = Object.fromEntries(Object.entries(GROUPS).map(([id, group]) => [id, { group }]));
  const items = Array.from({ length: ITEMS }, (_, i) => {
    let atMs = START_MS + random() * 1_000 * DAY_MS;
    const createdAt = new Date(atMs).toISOString();
    const history = Array.from({ length: CHANGES_PER_ITEM }, (_, step) => {
      atMs += random() ** 3 * 30 * DAY_MS;
      return {
        at: new Date(atMs).toISOString(),
        field: "state",
        from: PATH[step],
        to: PATH[step + 1],
      };
    });
    return { id: `item-${i}`, createdAt, points: 1 + (i % 8), history };
  });
  const jobs = [items.slice(0, ITEMS / 2), items.slice(ITEMS / 2)];
  return jobs.flatMap(
    (part) =>
      factsOf(IngestInput.parse({ workspaceId: "w", projectId: "p", states, items: part })).changes,
  );
}

/** Best and median time of some runs, and the best CPU time, which other programs on the machine disturb less. */
function measure(name: string, steps: () => Steps<unknown>, runs = 7): void {
  const times: number[] = [];
  let leastCpuMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < runs; i++) {
    const cpu = process.cpuUsage();
    const start = performance.now();
    atOnce(steps());
    times.push(performance.now() - start);
    const { user, system } = process.cpuUsage(cpu);
    leastCpuMs = Math.min(leastCpuMs, (user + system) / 1_000);
  }
  times.sort((a, b) => a - b);
  const show = (ms = 0) => `${ms.toFixed(0).padStart(5)} ms`;
  console.log(
    `${name.padEnd(48)} best ${show(times[0])}   median ${show(times[runs >> 1])}   CPU ${show(leastCpuMs)}`,
  );
}

const random = seededRandom(1);
const changes = tracker(random);
const request = {
  scope: { projectId: "p" },
  window: { from: "2023-01-01", to: "2025-12-31", timeZone: "Europe/Madrid" },
  asOf: "2026-01-01T12:00:00.000Z",
};
console.log(`${ITEMS} items, ${changes.length} facts, 1,096 days`);
measure("replay", () => replayAll(changes, { endMs: Number.POSITIVE_INFINITY }));
measure("flow, all metrics", () => flow(FlowInput.parse(request), changes, 0));
measure("flow, all metrics, forecast and charts", () =>
  flow(FlowInput.parse({ ...request, forecast: {}, svg: true }), changes, 0),
);

const perDay = Float64Array.from({ length: 1_096 }, () =>
  random() < 0.4 ? Math.ceil(random() * 4) : 0,
);
const recent = perDay.slice(-180);
measure("10,000 simulations: when are 100 items done", () =>
  simulate(recent, 10_000, 1, 1_826, 100),
);
measure("10,000 simulations: how many in 90 days", () =>
  simulate(recent, 10_000, 1, 90, Number.POSITIVE_INFINITY),
);
measure("calibration by 140 back-tests at two horizons", () => calibrate(perDay, 180, 1));
