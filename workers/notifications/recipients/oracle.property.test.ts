/** Any change tells whom a slow reading of the rules, person by person, says that it tells. */
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { LEVELS } from "../schemas/vocabulary.ts";
import { ask, mention } from "./told.fixture.ts";

vi.setConfig({ testTimeout: 120_000 });

const PEOPLE = ["a", "b", "c", "d", "e", "f"];
const people = fc.subarray(PEOPLE);
const html = people.map((ids) => ids.map((id) => `<p>${mention(id)}</p>`).join(""));
const text = fc.option(html);
const on = fc.boolean();
const switches = fc.record({
  ...{ propertyChange: on, stateChange: on, issueCompleted: on, comment: on, mention: on },
});
const entry = fc
  .record({
    field: fc.constantFrom("name", "state", "comment", "description", "priority", null),
    issueId: fc.constantFrom("i", "i", "i", "other"),
    ...{ actorId: fc.constantFrom("a", "b"), epoch: fc.nat(2) },
    newIdentifier: fc.constantFrom("done", "todo", null),
    ...{ oldValue: text, newValue: text },
  })
  .map((it) => (it.field === "comment" ? it : { ...it, oldValue: null, newValue: null }));
const change = fc.record({
  type: fc.constantFrom(
    ...["issue.activity.updated", "comment.activity.created", "issue.activity.created"],
    ...["issue.activity.deleted", "issue_vote.activity.created"],
  ),
  issue: fc.record({ id: fc.constant("i"), createdBy: fc.option(fc.constantFrom(...PEOPLE)) }),
  ...{
    actorId: fc.constantFrom(...PEOPLE),
    subscriber: on,
    subscribers: people,
    assignees: people,
  },
  activities: fc
    .array(entry, { maxLength: 4 })
    .map((entries) => entries.map((it, n) => ({ ...it, id: `e${n}` }))),
  people: fc.uniqueArray(
    fc.record({
      id: fc.constantFrom(...PEOPLE),
      ...{ active: on, switches, level: fc.constantFrom(...LEVELS) },
    }),
    { selector: ({ id }) => id, maxLength: PEOPLE.length },
  ),
  ...{ completedStateIds: fc.constant(["done"]), requestedHtml: text, currentHtml: text },
});
type Change = typeof change extends fc.Arbitrary<infer It> ? It : never;
type Entry = Change["activities"][number];

const idsIn = (html: string | null) =>
  [...(html ?? "").matchAll(/entity_identifier="([^"]*)"/g)].map(([, id]) => id);
const SILENT = /^issue_vote|deleted$/;

function isMailed({ switches }: Change["people"][number], entry: Entry): boolean {
  if (entry.field === "state" && switches.stateChange) return true;
  if (entry.field === "state" && entry.newIdentifier === "done" && switches.issueCompleted)
    return true;
  return (entry.field === "comment" && switches.comment) || switches.propertyChange;
}

/** What one person is told, as `receiver reason entry` and whether by mail. */
function toldTo(id: string, job: Change): [string, boolean][] {
  const person = job.people.find((one) => one.id === id);
  if (!person?.active || id === job.actorId || person.level === "off") return [];
  const own = job.activities.filter(({ issueId }) => issueId === "i");
  const isNewIn = (now: string | null, before: string | null) =>
    idsIn(now).includes(id) && !idsIn(before).includes(id);
  const isInDescription = isNewIn(job.requestedHtml, job.currentHtml);
  const latest = own.filter(({ epoch }) => own.every((other) => other.epoch <= epoch)).at(-1);
  const isEdit = latest?.field === "description" && latest.actorId === job.actorId;
  const inComment = (entry: Entry) =>
    entry.field === "comment" && isNewIn(entry.newValue, entry.oldValue);
  const asMentioned = person.level !== "custom" || person.switches.mention;
  if (asMentioned && (isInDescription || own.some(inComment)))
    return own
      .filter((it) => inComment(it) || (isInDescription && (!isEdit || it === latest)))
      .map((it) => [`${id} mentioned ${it.id}`, person.switches.mention]);
  return toldAsFollower(person, own, job);
}

function toldAsFollower(
  person: Change["people"][number],
  own: Entry[],
  { subscribers, assignees, issue }: Change,
): [string, boolean][] {
  const { id, level } = person;
  const is = {
    subscribed: subscribers.includes(id),
    created: issue.createdBy === id,
    assigned: assignees.includes(id),
  };
  if (!is.subscribed && level !== "watch") return [];
  if (level === "mention" || (level === "participate" && !is.created && !is.assigned)) return [];
  const byAssignment = is.assigned && !assignees.includes(issue.createdBy ?? "");
  const asSubscriber = is.created ? "created" : byAssignment ? "assigned" : "subscribed";
  const reason = is.subscribed ? asSubscriber : "watching";
  return own
    .filter((it) => it.field !== "description" && (level !== "custom" || isMailed(person, it)))
    .map((it) => [`${id} ${reason} ${it.id}`, isMailed(person, it)]);
}

function newSubscribersOf(job: Change): string[] {
  const texts = [job.requestedHtml];
  for (const { field, issueId, newValue } of job.activities)
    if (field === "comment" && issueId === "i") texts.push(newValue);
  const isNew = (id: string) =>
    job.people.some((one) => one.id === id && one.active) &&
    id !== job.actorId &&
    ![...job.subscribers, ...job.assignees, job.issue.createdBy].includes(id);
  const found = PEOPLE.filter((id) => isNew(id) && texts.some((text) => idsIn(text).includes(id)));
  const isActorNew = job.subscriber && !job.subscribers.includes(job.actorId);
  return isActorNew ? [...found, job.actorId] : found;
}

test("who is told of what, why, and by mail", () => {
  fc.assert(
    fc.property(change, (job) => {
      const told = ask(job);
      const isSilent = SILENT.test(job.type);
      const expected = isSilent ? [] : PEOPLE.flatMap((id) => toldTo(id, job));
      const lines = (list: typeof told.inApp) =>
        list.map((it) => `${it.receiverId} ${it.reason} ${it.activityId}`).sort();
      expect(lines(told.inApp)).toEqual(expected.map(([line]) => line).sort());
      const mailed = expected.filter(([, isMail]) => isMail).map(([line]) => line);
      expect(lines(told.email)).toEqual(mailed.sort());
      expect(told.newSubscribers.toSorted()).toEqual(isSilent ? [] : newSubscribersOf(job).sort());
    }),
    { numRuns: 10_000 },
  );
});
