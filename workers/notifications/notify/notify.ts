/** Tells of a recorded change whoever has to be told, by what is kept of members and followers. */
import { createHash } from "node:crypto";
import { atOnce, inTurns, type Job, type Run, type Steps, type Tx } from "@tl-engine/shared";
import type { z } from "zod";
import type { MailEntry } from "../digest/entry.ts";
import { queueMail } from "../digest/queue.ts";
import type { MailSettings } from "../digest/settings.ts";
import { setTimers } from "../digest/timer.ts";
import { type Followed, type Follower, keepFollowers, readFollowed } from "../members/followers.ts";
import { type NamedMember, readMembers } from "../members/read-members.ts";
import { MOST_TOLD, textLengthOf, warningsOf } from "../recipients/answer.ts";
import {
  type ChangeToTell,
  type Entry,
  isSilent,
  type Mail,
  type Recipients,
} from "../recipients/change.ts";
import { type ReadTexts, readTexts } from "../recipients/find-mentions.ts";
import { recipientsOf } from "../recipients/recipients.ts";
import { Id } from "../schemas/vocabulary.ts";
import {
  MAX_EVENT_NOTIFICATIONS,
  type NotificationCreated,
  type NotifyInput,
  type NotifyOutput,
  type RecordedEntry,
} from "./schemas.ts";

export const NOTIFY_EVENTS = "notification.created";
type Emits = { "notification.created": typeof NotificationCreated };

export async function notify(
  input: NotifyInput,
  job: Job<Emits>,
): Promise<z.input<typeof NotifyOutput>> {
  const tx = await job.tx();
  const run: Run = isLong(input) ? (steps) => inTurns(steps, job.signal) : atOnce;
  await learn(tx, input);
  const followed = await readFollowed(tx, input.issueId);
  const change = changeOf(input, followed);
  const texts = await run(readTexts(change));
  const members = await readMembers(tx, input.projectId, whoMayBeTold(change, texts));
  const told = await run(recipientsOf({ ...change, members }, MOST_TOLD, texts));
  await keepFollowers(tx, input.workspaceId, subscriptionsOf(input, told));
  const settings = job.env as MailSettings;
  for (const mails of mailsOf(input, told.email, followed, members)) {
    setTimers(job, await queueMail(tx, mails, settings));
    job.signal.throwIfAborted();
  }
  await run(announce(input, told, job));
  const { inApp, email, newSubscribers } = told;
  const counts = { inApp: inApp.length, mails: email.length };
  return { ...counts, newSubscribers, warnings: warningsOf(told) };
}

const LONG = 100_000;

/** Who follows an item is not known yet; nearly always it is less than a hundred. */
const isLong = ({ activities }: NotifyInput) =>
  activities.length > 20 || textLengthOf(activities) > LONG;

function changeOf(
  { type, actorId, issueId, activities, completedStateIds }: NotifyInput,
  followed: Followed | undefined,
): ChangeToTell {
  const description = activities.findLast(
    (entry) => entry.field === "description" && entry.issueId === issueId,
  );
  return {
    ...{ type, actorId, completedStateIds, subscribesActor: true, members: [] },
    issue: { id: issueId, createdBy: followed?.createdBy ?? null },
    entries: activities.map((entry): Entry => ({ ...entry, atMs: entry.epoch * 1_000 })),
    assignees: followed?.assignees ?? [],
    subscribers: followed?.subscribers ?? [],
    requestedHtml: description?.newValue ?? null,
    currentHtml: description?.oldValue ?? null,
  };
}

/** The item's title, who created it, and who it is assigned to; of relations' other ends as well. */
async function learn(tx: Tx, input: NotifyInput): Promise<void> {
  const { workspaceId, issueId, isCreation, actorId, epoch } = input;
  const named = input.activities.findLast(
    (entry) => entry.field === "name" && entry.issueId === issueId && entry.newValue,
  );
  await tx.query(LEARN, [
    ...[issueId, workspaceId, isCreation ? actorId : null],
    ...[
      named?.newValue?.slice(0, 1_000).replaceAll("\0", "") ?? null,
      named === undefined ? 0 : msOf(epoch),
    ],
  ]);
  await keepFollowers(tx, workspaceId, input.activities.flatMap(assignmentsOf));
}

const LEARN = `
  insert into engine_notifications.items as i (issue_id, workspace_id, creator, name, name_ms)
  values ($1, $2, $3, $4, $5)
  on conflict (issue_id) do update set
    creator = least(i.creator, excluded.creator),
    name = case when excluded.name_ms > i.name_ms
        or excluded.name_ms = i.name_ms and excluded.name > coalesce(i.name, '') then excluded.name else i.name end,
    name_ms = greatest(i.name_ms, excluded.name_ms)`;

const msOf = (epoch: number) => Math.max(0, Math.round(epoch * 1_000));

const isId = (text: string | null): text is string => Id.safeParse(text).success;

/** Whoever an item is assigned to follows it. */
function assignmentsOf({
  field,
  issueId,
  oldIdentifier,
  newIdentifier,
  epoch,
}: RecordedEntry): Follower[] {
  if (field !== "assignees") return [];
  const common = { issueId, atMs: msOf(epoch) };
  const followers: Follower[] = [];
  if (isId(oldIdentifier))
    followers.push({ ...common, role: "assignee", memberId: oldIdentifier, isOn: false });
  if (isId(newIdentifier))
    for (const role of ["assignee", "subscriber"] as const)
      followers.push({ ...common, role, memberId: newIdentifier, isOn: true });
  return followers;
}

function whoMayBeTold({ subscribers, actorId, entries }: ChangeToTell, texts: ReadTexts): string[] {
  // Actors are not told, but named.
  const ids = new Set([...subscribers, actorId, ...entries.map((entry) => entry.actorId)]);
  for (const mentions of texts.values()) for (const id of mentions.ids) ids.add(id);
  return [...ids];
}

/**
 * Whoever acts follows the item, since then: said each time, so that changes that come in another order than they were
 * made leave the same behind.
 */
function subscriptionsOf(input: NotifyInput, { newSubscribers }: Recipients): Follower[] {
  const ids = isSilent(input.type) ? [] : [input.actorId, ...newSubscribers];
  return ids.map((memberId) => ({
    ...{ issueId: input.issueId, role: "subscriber", memberId, isOn: true },
    atMs: msOf(input.epoch),
  }));
}

/** Of one statement: what is mailed to thousands is put in so many at a time. */
const MAILS_AT_ONCE = 1_000;

/** By receiver, so that two changes lock the windows in the same order. */
function* mailsOf(
  input: NotifyInput,
  mails: readonly Mail[],
  followed: Followed | undefined,
  members: readonly NamedMember[],
): Generator<MailEntry[]> {
  const names = new Map(members.map(({ id, name }) => [id, name]));
  const { workspaceId, projectId, issueId } = input;
  const common = { workspaceId, projectId, issueId, issueKey: followed?.key };
  const entries = new Map(
    input.activities.map(({ id, verb, field, oldValue, newValue, actorId, epoch }) => [
      id,
      {
        ...{ ...common, issueName: followed?.name, actorId, actorName: names.get(actorId) },
        ...{ activityId: id, verb, field, oldValue, newValue, at: msOf(epoch) },
      },
    ]),
  );
  const byReceiver = mails.toSorted((a, b) => compare(a.receiverId, b.receiverId));
  for (let from = 0; from < byReceiver.length; from += MAILS_AT_ONCE)
    yield byReceiver
      .slice(from, from + MAILS_AT_ONCE)
      .flatMap(({ receiverId, reason, activityId }) => {
        const entry = entries.get(activityId);
        return entry === undefined ? [] : [{ ...entry, receiverId, reason }];
      });
}

const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b));

function* announce(
  input: NotifyInput,
  told: Recipients,
  job: Pick<Job<Emits>, "emit">,
): Steps<void> {
  const { workspaceId, projectId, issueId, actorId, epoch } = input;
  const { inApp, newSubscribers } = told;
  if (inApp.length === 0 && newSubscribers.length === 0) return;
  for (let from = 0; from === 0 || from < inApp.length; from += MAX_EVENT_NOTIFICATIONS) {
    job.emit(NOTIFY_EVENTS, {
      ...{ workspaceId, projectId, issueId, actorId, epoch },
      notifications: inApp.slice(from, from + MAX_EVENT_NOTIFICATIONS).map((notification) => ({
        ...notification,
        id: notificationId(notification.receiverId, notification.activityId),
      })),
      newSubscribers: from === 0 ? newSubscribers : [],
    });
    yield;
  }
}

const notificationId = (receiverId: string, activityId: string) =>
  `nt-${createHash("sha256").update(`${receiverId}\0${activityId}`).digest("hex").slice(0, 32)}`;
