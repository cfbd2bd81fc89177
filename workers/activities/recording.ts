/** A recording in progress: what the recorders of one change set add to. */
import { hash } from "node:crypto";
import type { Activity, ActivityEntries, WarningCode } from "./activity-entries.ts";
import type { Change } from "./change-set.ts";

/** Warnings that one change set reports; the rest is summed up in one. */
export const MAX_WARNINGS = 100;

export interface Recording extends ActivityEntries {
  readonly change: Change;
  /** Of the job, which tells two equal changes within one second apart. */
  readonly jobId: string;
  /** The ids of `activities`. */
  readonly activityIds: Set<string>;
  /** Answers that are known already. */
  readonly sameHtml: SameHtml;
}

/** The keys that hold HTML. */
export type HtmlKey = "descriptionHtml" | "commentHtml";
/** Whether old and new look the same, by key, where it took long to find out. */
export type SameHtml = Partial<Record<HtmlKey, boolean>>;

/** Records one family of changes. */
export type Recorder = (recording: Recording) => void;

export const startRecording = (change: Change, jobId: string, sameHtml: SameHtml): Recording => ({
  change,
  jobId,
  sameHtml,
  activityIds: new Set(),
  activities: [],
  subscribersAdded: [],
  touched: [],
  warnings: [],
});

/** What differs between entries; the rest comes from the change set, and null stands for absent. */
export interface Entry extends Partial<Omit<Activity, "id" | "verb" | "epoch">> {
  verb: string;
}

/**
 * Adds an entry. Its id is derived from the job's and its content, so that a job that runs twice makes the same
 * entries; one with the content of an earlier one of its job (an id given twice) is that entry.
 */
export function addEntry(recording: Recording, entry: Entry): void {
  const { change, activities, activityIds } = recording;
  const issueId = entry.issueId ?? change.issueId;
  if (issueId === null) {
    const message = "neither the change set nor its data says which item this is about";
    warn(recording, "missing_issue", "issueId", message);
    return;
  }
  const activity: Activity = {
    id: "",
    issueId,
    verb: entry.verb,
    field: entry.field ?? null,
    oldValue: entry.oldValue ?? null,
    newValue: entry.newValue ?? null,
    oldIdentifier: entry.oldIdentifier ?? null,
    newIdentifier: entry.newIdentifier ?? null,
    issueCommentId: entry.issueCommentId ?? null,
    actorId: entry.actorId ?? change.actorId,
    epoch: change.epoch,
  };
  activity.id = activityId(recording.jobId, change.type, activity);
  if (activityIds.has(activity.id)) return;
  activityIds.add(activity.id);
  activities.push(activity);
}

/** Adds a warning: something could not be used, and everything else was. */
export function warn(
  { warnings }: Pick<Recording, "warnings">,
  code: WarningCode,
  field: string,
  message: string,
): void {
  if (warnings.length < MAX_WARNINGS) warnings.push({ code, field, message });
  else if (warnings.length === MAX_WARNINGS)
    warnings.push({ code: "more_warnings", field: "", message: `more than ${MAX_WARNINGS}` });
}

/** A version 8 UUID (RFC 9562, for ids of one's own making) out of SHA-256. */
function activityId(jobId: string, type: string, activity: Activity): string {
  // JSON keeps null, "" and neighbours apart. The job counts: epochs are often whole seconds, in which a label
  // can go on, off and on again.
  const content = JSON.stringify([
    jobId,
    type,
    activity.issueId,
    activity.actorId,
    activity.epoch,
    activity.verb,
    activity.field,
    activity.oldIdentifier,
    activity.newIdentifier,
    activity.oldValue,
    activity.newValue,
    activity.issueCommentId,
  ]);
  const hex = hash("sha256", content, "hex");
  const variant = "89ab"[Number.parseInt(hex.charAt(16), 16) & 3];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
