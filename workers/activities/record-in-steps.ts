/** What one job does, in steps: most take one moment, a long one would hold up all others of its worker. */
import { type Job, Reject, type Steps } from "@tl-engine/shared";
import type { ActivityEntries } from "./activity-entries.ts";
import { type ActivityRecorded, activityRecorded, encodedBytes } from "./activity-recorded.ts";
import type { Data } from "./border.ts";
import type { Change } from "./change-set.ts";
import { comparing } from "./html-equality.ts";
import { recordActivities } from "./record-activities.ts";
import type { HtmlKey, SameHtml } from "./recording.ts";

type Recording = Pick<Job<{ "activity.recorded": typeof ActivityRecorded }>, "id" | "emit">;

/** Of the output. Ids and names as long as they may be, in thousands of entries each, would take all of the worker's memory. */
export const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/** @throws {Reject} when the entries are too large, before they are all encoded. */
export function* recordInSteps(change: Change, job: Recording): Steps<ActivityEntries> {
  const entries = recordActivities(change, job.id, yield* sameHtmlOf(change));
  yield;
  let bytes = 0;
  for (const event of activityRecorded(change, entries)) {
    if (event.part !== undefined) bytes += encodedBytes(event);
    if (bytes > MAX_OUTPUT_BYTES)
      throw new Reject(
        `the entries have more than ${MAX_OUTPUT_BYTES} bytes; send the lists in several change sets`,
      );
    job.emit("activity.recorded", event);
    yield;
  }
  return entries;
}

const HTML_KEYS: readonly HtmlKey[] = ["descriptionHtml", "commentHtml"];

function* sameHtmlOf({ requested, current }: Change): Steps<SameHtml> {
  const same: SameHtml = {};
  for (const key of HTML_KEYS) {
    const [before, after] = [current?.[key], requested[key]];
    if (typeof before !== "string" || typeof after !== "string") continue;
    if (before.length + after.length > LONG)
      same[key] = before === after || (yield* comparing(before, after));
  }
  return same;
}

/** Of texts in characters: some milliseconds of work. */
const LONG = 100_000;
/** What an element of a list weighs beside them. */
const ELEMENT = 100;

export const isLong = ({ requested, current }: Change): boolean =>
  weightOf(requested) + (current === null ? 0 : weightOf(current)) > LONG;

function weightOf(data: Data): number {
  let weight = 0;
  for (const value of Object.values(data))
    if (typeof value === "string") weight += value.length;
    else if (Array.isArray(value)) weight += value.length * ELEMENT;
  return weight;
}
