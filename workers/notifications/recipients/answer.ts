/** The action `recipients`: reads its input, and answers with what it may. */
import type { z } from "zod";
import type { RecipientsInput, RecipientsOutput, Warning } from "../schemas/recipients.ts";
import { CEILINGS } from "../schemas/vocabulary.ts";
import { type ChangeToTell, type Recipients, recipientsOf } from "./recipients.ts";

export function answer(input: RecipientsInput): z.input<typeof RecipientsOutput> {
  const { cutMentions, ...told } = recipientsOf(changeOf(input));
  const warnings: Warning[] = [...(input.keyWarnings ?? [])].map(({ code, path, message }) => ({
    code: code as Warning["code"],
    field: path,
    message,
  }));
  for (const what of cutMentions) warnings.push(cutWarning(what));
  return { ...bounded(told, warnings), warnings };
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

export const cutWarning = (what: "description" | "comment"): Warning => ({
  code: "too_many_mentions",
  field: what === "description" ? "requestedHtml" : "activities",
  message: `only the first ${CEILINGS.mentionsPerText} people mentioned in the ${what} are told`,
});

/** Each of two lists may have half. */
function bounded(told: Omit<Recipients, "cutMentions">, warnings: Warning[]) {
  const max = CEILINGS.notificationsPerJob / 2;
  const { inApp, email } = told;
  if (inApp.length <= max && email.length <= max) return told;
  warnings.push({
    code: "too_many_notifications",
    field: "",
    message: `${inApp.length} notifications and ${email.length} mails; ${max} of each are answered with: send fewer entries in a job`,
  });
  return { ...told, inApp: inApp.slice(0, max), email: email.slice(0, max) };
}
