/** Change sets per second on one core, on the usual updates: `node workers/activities/activities.bench.ts`. */
import { performance } from "node:perf_hooks";
import { ActivityEntries } from "./activity-entries.ts";
import { ActivityRecorded, activityRecorded } from "./activity-recorded.ts";
import { type Change, ChangeSet } from "./change-set.ts";
import { recordActivities } from "./record-activities.ts";
import { USUAL_UPDATES } from "./sample-changes.fixture.ts";

const ROUND_MS = 1_000;
const ROUNDS = 5;

const bodies = USUAL_UPDATES.map((message) => JSON.stringify(message));
const messages = bodies.map((body): unknown => JSON.parse(body));
const changes = messages.map((message) => ChangeSet.parse(message));

/** All that a job costs the engine itself: input, entries, output, event. */
function runWhole(message: unknown): void {
  const change = ChangeSet.parse(message);
  const entries = recordActivities(change, "job-1");
  const events = activityRecorded(change, entries);
  ActivityEntries.parse(entries);
  for (const one of events) ActivityRecorded.parse(one);
}

/** The best of some rounds, since other programs only ever slow one down. */
function perSecond<Item>(items: readonly Item[], work: (item: Item) => void): number {
  let best = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    let count = 0;
    while (performance.now() - start < ROUND_MS) {
      for (const item of items) work(item);
      count += items.length;
    }
    best = Math.max(best, (count / (performance.now() - start)) * 1_000);
  }
  return Math.round(best);
}

const figures = {
  record: perSecond<Change>(changes, (change) => recordActivities(change, "job-1")),
  parse_record: perSecond(messages, (message) =>
    recordActivities(ChangeSet.parse(message), "job-1"),
  ),
  parse_record_output_event: perSecond(messages, runWhole),
  from_body_bytes: perSecond(bodies, (body) => runWhole(JSON.parse(body))),
};
const shown = Object.entries(figures).map(([name, figure]) => `${name}=${figure}`);
console.log(`activities: change sets per second and core: ${shown.join(" ")}`);
