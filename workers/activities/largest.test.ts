/** The largest change sets that are taken end well, hold nobody up, and are announced in parts that others take. */
import { atOnce, Reject } from "@tl-engine/shared";
import { encodeOutput } from "@tl-engine/shared/job/handle";
import { readJson } from "@tl-engine/shared/job/json";
import { openTestFleet } from "@tl-engine/shared/testing/fleet";
import { expect, test } from "vitest";
import type { ActivityEntries } from "./activity-entries.ts";
import {
  ActivityRecorded,
  activityRecorded,
  MAX_EVENT_BYTES,
  MAX_EVENT_ENTRIES,
} from "./activity-recorded.ts";
import { ChangeSet, MAX_ID_LENGTH } from "./change-set.ts";
import worker from "./index.ts";
import { LARGEST, page } from "./largest-changes.fixture.ts";
import { recordActivities } from "./record-activities.ts";
import { isLong, MAX_OUTPUT_BYTES, recordInSteps } from "./record-in-steps.ts";
import { planeMessage, USUAL_UPDATES } from "./sample-changes.fixture.ts";

const { record } = worker.actions;
const KIB = 1_024;
const cases = Object.entries(LARGEST);

/** Milliseconds of CPU, of which other programs take none. */
function costMs<Result>(work: () => Result): [Result, number] {
  const before = process.threadCpuUsage();
  const result = work();
  const { user, system } = process.threadCpuUsage(before);
  return [result, (user + system) / 1_000];
}

test.each(cases)("%s: no step is long", (_, { message }) => {
  const body = Buffer.from(JSON.stringify(message));
  expect(body.length).toBeLessThanOrEqual(record.maxInputBytes ?? 0);
  const [change, readingMs] = costMs(() => ChangeSet.parse(readJson(body).value));
  expect(isLong(change)).toBe(true);
  const events: unknown[] = [];
  const job = { id: "job-1", emit: (_type: string, event: unknown) => void events.push(event) };
  const steps = recordInSteps(change, job);
  let longestMs = readingMs;
  let output: ActivityEntries | undefined;
  while (output === undefined) {
    const [step, ms] = costMs(() => steps.next());
    longestMs = Math.max(longestMs, ms);
    if (step.done) output = step.value;
  }
  const [encoded, encodingMs] = costMs(() => encodeOutput(record, output));
  expect(encoded.kind).toBe("output");
  expect(Math.max(longestMs, encodingMs)).toBeLessThan(250);
});

test("the usual ones take no turns", () => {
  for (const message of USUAL_UPDATES) expect(isLong(ChangeSet.parse(message))).toBe(false);
});

test.each(cases)(
  "%s: its parts hold each entry once, in order, and are no larger than others take",
  (_, { message, entries: count }) => {
    const change = ChangeSet.parse(message);
    const entries = recordActivities(change, "job-1");
    expect(entries.activities).toHaveLength(count);
    const parts = activityRecorded(change, entries);
    expect(parts.flatMap(({ activities }) => activities)).toEqual(entries.activities);
    for (const [index, part] of parts.entries()) {
      ActivityRecorded.parse(part);
      expect(part.activities.length).toBeLessThanOrEqual(MAX_EVENT_ENTRIES);
      if (part.activities.length > 1)
        expect(Buffer.byteLength(JSON.stringify(part))).toBeLessThan(KIB * KIB);
      expect(part.part).toEqual(
        parts.length === 1 ? undefined : { number: index + 1, of: parts.length },
      );
    }
    // The same job twice announces the same.
    expect(activityRecorded(change, recordActivities(change, "job-1"))).toEqual(parts);
  },
);

test("entries that are large, and not many, are announced in parts as well; an item in the first of them", () => {
  const [assignee_ids, label_ids] = [10, 3_000].map((count) =>
    Array.from({ length: count }, (_, n) => `${n}`.padEnd(255, "é")),
  );
  const change = ChangeSet.parse(
    planeMessage("issue.activity.created", { assignee_ids, label_ids, name: page(1_000, "") }),
  );
  const parts = activityRecorded(change, recordActivities(change, "job-1"));
  expect(parts.map(({ activities }) => activities.length)).toEqual([1, 10]);
  expect(parts.map(({ item }) => item?.labels?.length)).toEqual([3_000, undefined]);
  expect(parts.map(({ issueId }) => issueId)).toEqual(["item-1", "item-1"]);
});

test("entries that no reply could hold are rejected before they are all encoded", () => {
  const { message } = LARGEST["labels and assignees"];
  const change = ChangeSet.parse({ ...message, actor_id: "\u0001".repeat(MAX_ID_LENGTH) });
  let bytes = 0;
  const emit = (_type: string, event: unknown) => {
    bytes += JSON.stringify(event).length;
  };
  expect(() => atOnce(recordInSteps(change, { id: "job-1", emit }))).toThrow(Reject);
  expect(bytes).toBeLessThan(MAX_OUTPUT_BYTES);
});

test("one that is larger than an event may be stands in one of its own", () => {
  const change = ChangeSet.parse(LARGEST["a description"].message);
  const { activities } = recordActivities(change, "job-1");
  const [long] = activities;
  if (!long) throw new Error("no entry");
  const short = { ...long, oldValue: "a", newValue: "b" };
  const entries = {
    activities: [short, long, short],
    subscribersAdded: [],
    touched: [],
    warnings: [],
  };
  const parts = activityRecorded(change, entries);
  expect(parts.map((part) => part.activities)).toEqual([[short], [long], [short]]);
  expect(JSON.stringify(long).length).toBeGreaterThan(MAX_EVENT_BYTES);
});

test("each ends well in a worker, with the same events when it comes again", async () => {
  const fleet = await openTestFleet([worker]);
  try {
    await fleet.start(worker);
    for (const [name, { message, entries }] of cases) {
      const messageId = await fleet.publish("activities", "record", message);
      const { reply } = await fleet.reply(messageId);
      expect(reply, name).toMatchObject({ status: "succeeded" });
      const { activities } = (reply as { output: ActivityEntries }).output;
      expect(activities, name).toHaveLength(entries);
      const [row] = await fleet.rows(messageId);
      const events = JSON.parse(String(row?.events)) as { id: string; body: string }[];
      expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
      expect(events.flatMap(({ body }) => JSON.parse(body).activities)).toEqual(activities);
    }
  } finally {
    await fleet.close();
  }
}, 120_000);
