/** The action `recipients`: reads its input, and answers with what it may. */
import type { Steps } from "@tl-engine/shared";
import type { z } from "zod";
import { keyDoubts } from "../key-doubts.ts";
import type { RecipientsInput, RecipientsOutput, Warning } from "../schemas/recipients.ts";
import { CEILINGS } from "../schemas/vocabulary.ts";
import type { ChangeToTell, Recipients } from "./change.ts";
import { recipientsOf } from "./recipients.ts";

/** Each of the two lists may have half. */
export const MOST_TOLD = CEILINGS.notificationsPerJob / 2;

export function* answer(input: RecipientsInput): Steps<z.input<typeof RecipientsOutput>> {
  const told = yield* recipientsOf(changeOf(input), MOST_TOLD);
  const { inApp, email, newSubscribers, mentionsAdded, mentionsRemoved } = told;
  const warnings = [...keyDoubts(input.keyWarnings), ...warningsOf(told)];
  return { inApp, email, newSubscribers, mentionsAdded, mentionsRemoved, warnings };
}

function changeOf(input: RecipientsInput): ChangeToTell {
  const { type, issue, actorId, assignees, subscribers, members, completedStateIds } = input;
  return {
    ...{ type, actorId, assignees, subscribers, members, completedStateIds },
    issue: { id: issue.id, createdBy: issue.createdBy ?? null },
    subscribesActor: input.subscriber,
    entries: input.activities.map((entry) => ({
      ...entry,
      issueId: entry.issueId ?? issue.id,
      actorId: entry.actorId ?? actorId,
      atMs: entry.createdAt === undefined ? entry.epoch * 1_000 : Date.parse(entry.createdAt),
    })),
    requestedHtml: input.requestedHtml ?? null,
    currentHtml: input.currentHtml ?? null,
  };
}

/** Of texts in characters, and of pairs of a person and an entry: some milliseconds of work. */
const LONG = 100_000;

/** Whether it takes so long that others should have their turn meanwhile. */
export function isLong(input: RecipientsInput): boolean {
  const { activities, subscribers, members, requestedHtml, currentHtml } = input;
  const pairs = activities.length * Math.max(subscribers.length, members.length);
  return pairs + textLength([requestedHtml, currentHtml]) + textLengthOf(activities) > LONG;
}

export const textLength = (texts: readonly (string | null | undefined)[]) =>
  texts.reduce((sum, text) => sum + (text?.length ?? 0), 0);

type Values = readonly { oldValue: string | null; newValue: string | null }[];
export const textLengthOf = (entries: Values) =>
  entries.reduce((sum, { oldValue, newValue }) => sum + textLength([oldValue, newValue]), 0);

export function warningsOf({ inAppCount, emailCount, cutMentions }: Recipients): Warning[] {
  const warnings = cutMentions.map(cutWarning);
  if (inAppCount > MOST_TOLD || emailCount > MOST_TOLD)
    warnings.push({
      code: "too_many_notifications",
      field: "",
      message: `${inAppCount} notifications and ${emailCount} mails; the first ${MOST_TOLD} of each are told: send fewer entries in a job`,
    });
  return warnings;
}

const cutWarning = (what: "description" | "comment"): Warning => ({
  code: "too_many_mentions",
  field: what === "description" ? "requestedHtml" : "activities",
  message: `only the first ${CEILINGS.mentionsPerText} people mentioned in the ${what} are told`,
});
