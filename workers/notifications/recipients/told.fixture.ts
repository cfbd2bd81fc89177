/** Asks who is told of a small change, as a job would. */
import { atOnce } from "@tl-engine/shared";
import { RecipientsInput } from "../schemas/recipients.ts";
import { answer } from "./answer.ts";

export const mention = (id: string, kind = "user_mention") =>
  `<mention-component entity_identifier="${id}" entity_name="${kind}"></mention-component>`;

/** An entry of the item, whose field it is. */
export const entryOf = (field: string | null, more: object = {}) => ({
  id: `e-${field}`,
  field,
  ...more,
});

/** A change of the item `i` by `actor`; persons may be given by their ids alone. */
export function ask(job: { people?: (string | { id: string })[]; [key: string]: unknown }) {
  const { people = [], ...rest } = job;
  const members = people.map((one) => (typeof one === "string" ? { id: one } : one));
  return atOnce(
    answer(
      RecipientsInput.parse({
        ...{ type: "issue.activity.updated", issue: { id: "i" }, actorId: "actor" },
        ...{ subscriber: false, activities: [entryOf("priority")], members, ...rest },
      }),
    ),
  );
}

type Told = ReturnType<typeof ask>;
export const inApp = (told: Told) =>
  told.inApp.map(({ receiverId, reason, activityId }) => `${receiverId} ${reason} ${activityId}`);
export const email = (told: Told) =>
  told.email.map(({ receiverId, kind, activityId }) => `${receiverId} ${kind} ${activityId}`);
