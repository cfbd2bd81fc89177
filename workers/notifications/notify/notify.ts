/** Tells of a recorded change whoever has to be told, by what is kept of members and followers. */
import { createHash } from "node:crypto";
import type { Job, Tx } from "@tl-engine/shared";
import type { z } from "zod";
import type { MailEntry } from "../digest/entry.ts";
import { queueMail } from "../digest/queue.ts";
import type { MailSettings } from "../digest/settings.ts";
import { setTimers } from "../digest/timer.ts";
import { type Followed, type Follower, keepFollowers, readFollowed } from "../members/followers.ts";
import { type NamedMember, readMembers } from "../members/read-members.ts";
import { cutWarning } from "../recipients/answer.ts";
import { mentionsIn } from "../recipients/mentions.ts";
import { type Entry, type Mail, type Recipients, recipientsOf } from "../recipients/recipients.ts";
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
  await learn(tx, input);
  const followed = await readFollowed(tx, input.issueId);
  const description = input.activities.findLast(({ field }) => field === "description");
  const members = await readMembers(tx, input.projectId, whoMayBeTold(input, followed));
  const told = recipientsOf({
    ...{ type: input.type, actorId: input.actorId, members },
    issue: { id: input.issueId, createdBy: followed?.createdBy ?? null },
    subscribesActor: true,
    entries: input.activities.map((entry): Entry => ({ ...entry, atMs: entry.epoch * 1_000 })),
    assignees: followed?.assignees ?? [],
    subscribers: followed?.subscribers ?? [],
    completedStateIds: input.completedStateIds,
    requestedHtml: description?.newValue ?? null,
    currentHtml: description?.oldValue ?? null,
  });
  await keepFollowers(tx, input.workspaceId, subscriptionsOf(input, told));
  const mails = mailsOf(input, told.email, followed, members);
  setTimers(job, await queueMail(tx, mails, job.env as MailSettings));
  announce(input, told, job);
  const { inApp, newSubscribers, cutMentions } = told;
  const warnings = cutMentions.map(cutWarning);
  return { inApp: inApp.length, mails: mails.length, newSubscribers, warnings };
}

/** The item's title, who created it, and who it is assigned to; of relations' other ends as well. */
async function learn(tx: Tx, input: NotifyInput): Promise<void> {
  const { workspaceId, projectId, issueId, isCreation, actorId, epoch } = input;
  const named = input.activities.findLast(
    (entry) => entry.field === "name" && entry.issueId === issueId && entry.newValue,
  );
  await tx.query(LEARN, [
    ...[issueId, workspaceId, projectId, isCreation ? actorId : null],
    ...[named?.newValue?.slice(0, 1_000) ?? null, named === undefined ? 0 : msOf(epoch)],
  ]);
  await keepFollowers(tx, workspaceId, input.activities.flatMap(assignmentsOf));
}

const LEARN = `
  insert into engine_notifications.items as i (issue_id, workspace_id, project_id, creator, name, name_ms)
  values ($1, $2, $3, $4, $5, $6)
  on conflict (issue_id) do update set
    project_id = case when i.put_ms = 0 then excluded.project_id else i.project_id end,
    creator = coalesce(i.creator, excluded.creator),
    name = case when excluded.name_ms > i.name_ms
        or excluded.name_ms = i.name_ms and excluded.name > coalesce(i.name, '') then excluded.name else i.name end,
    name_ms = greatest(i.name_ms, excluded.name_ms)`;

const msOf = (epoch: number) => Math.max(0, Math.round(epoch * 1_000));

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
  if (oldIdentifier)
    followers.push({ ...common, role: "assignee", memberId: oldIdentifier, isOn: false });
  if (newIdentifier)
    for (const role of ["assignee", "subscriber"] as const)
      followers.push({ ...common, role, memberId: newIdentifier, isOn: true });
  return followers;
}

function whoMayBeTold(input: NotifyInput, followed: Followed | undefined): string[] {
  const ids = new Set([...(followed?.subscribers ?? []), ...(followed?.assignees ?? [])]);
  for (const { field, newValue, oldValue } of input.activities)
    if (field === "description" || field === "comment")
      for (const html of [newValue, oldValue]) for (const id of mentionsIn(html).ids) ids.add(id);
  return [...ids];
}

function subscriptionsOf(input: NotifyInput, { newSubscribers }: Recipients): Follower[] {
  return newSubscribers.map((memberId) => ({
    ...{ issueId: input.issueId, role: "subscriber", memberId, isOn: true },
    atMs: msOf(input.epoch),
  }));
}

function mailsOf(
  input: NotifyInput,
  mails: readonly Mail[],
  followed: Followed | undefined,
  members: readonly NamedMember[],
): MailEntry[] {
  const entries = new Map(input.activities.map((entry) => [entry.id, entry]));
  const names = new Map(members.map(({ id, name }) => [id, name]));
  return mails.map(({ receiverId, reason, activityId }) => {
    const { verb, field, oldValue, newValue, actorId, epoch } = entries.get(
      activityId,
    ) as RecordedEntry;
    return {
      ...{ receiverId, activityId, reason, actorId, verb, field, oldValue, newValue },
      ...{ workspaceId: input.workspaceId, projectId: input.projectId, issueId: input.issueId },
      issueKey: followed?.key,
      issueName: followed?.name,
      actorName: names.get(actorId),
      at: msOf(epoch),
    };
  });
}

function announce(input: NotifyInput, told: Recipients, job: Pick<Job<Emits>, "emit">): void {
  const { workspaceId, projectId, issueId, actorId, epoch } = input;
  const { inApp, newSubscribers } = told;
  if (inApp.length === 0 && newSubscribers.length === 0) return;
  for (let from = 0; from === 0 || from < inApp.length; from += MAX_EVENT_NOTIFICATIONS)
    job.emit(NOTIFY_EVENTS, {
      ...{ workspaceId, projectId, issueId, actorId, epoch },
      notifications: inApp.slice(from, from + MAX_EVENT_NOTIFICATIONS).map((notification) => ({
        ...notification,
        id: notificationId(notification.receiverId, notification.activityId),
      })),
      newSubscribers: from === 0 ? newSubscribers : [],
    });
}

const notificationId = (receiverId: string, activityId: string) =>
  `nt-${createHash("sha256").update(`${receiverId}\n${activityId}`).digest("hex").slice(0, 32)}`;
