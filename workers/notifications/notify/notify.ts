/** Tells of a recorded change whoever has to be told, by what is kept of members and followers. */
import { createHash } from "node:crypto";
import {
  atOnce,
  type Batch,
  type BatchItem,
  inTurns,
  type Run,
  type Steps,
  type Tx,
} from "@tl-engine/shared";
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

type Change = BatchItem<NotifyInput, Emits>;
type Told = z.input<typeof NotifyOutput>;

/**
 * Outputs in the jobs' order. Changes of different items go together, a statement for all of them; of one item each sees
 * who follows it since the one before.
 */
export async function notify(
  jobs: readonly Change[],
  batch: Pick<Batch, "tx" | "env" | "signal">,
): Promise<Told[]> {
  const outputs = new Map<Change, Told>();
  for (const round of roundsOf(jobs)) {
    await tellRound(round, batch, outputs);
    batch.signal.throwIfAborted();
  }
  return jobs.map((job) => outputs.get(job) as Told);
}

/** Two changes that touch one item are never in one round. */
function roundsOf(jobs: readonly Change[]): Change[][] {
  const next = new Map<string, number>();
  const rounds: Change[][] = [];
  for (const job of jobs) {
    const { issueId, activities } = job.input;
    const items = new Set([issueId, ...activities.map((entry) => entry.issueId)]);
    const at = Math.max(...[...items].map((item) => next.get(item) ?? 0));
    for (const item of items) next.set(item, at + 1);
    rounds[at] ??= [];
    rounds[at].push(job);
  }
  return rounds;
}

interface ReadChange {
  job: Change;
  run: Run;
  change: ChangeToTell;
  texts: ReadTexts;
  /** Members who may have to be told, or are named. */
  ids: string[];
}

async function tellRound(
  jobs: readonly Change[],
  { tx, env, signal }: Pick<Batch, "tx" | "env" | "signal">,
  outputs: Map<Change, Told>,
): Promise<void> {
  const inputs = jobs.map(({ input }) => input);
  await learn(tx, inputs);
  const followed = await readFollowed(
    tx,
    inputs.map(({ issueId }) => issueId),
  );
  const read: ReadChange[] = [];
  for (const job of jobs) {
    const run: Run = isLong(job.input) ? (steps) => inTurns(steps, signal) : atOnce;
    const change = changeOf(job.input, followed.get(job.input.issueId));
    const texts = await run(readTexts(change));
    read.push({ job, run, change, texts, ids: whoMayBeTold(change, texts) });
  }
  const members = await readMembers(
    tx,
    read.map(({ job, ids }) => ({ projectId: job.input.projectId, ids })),
  );
  const subscriptions: Subscription[] = [];
  const mails: MailEntry[] = [];
  for (const { job, run, change, texts, ids } of read) {
    const { input } = job;
    const own = members.of(input.projectId, ids);
    const told = await run(recipientsOf({ ...change, members: own }, MOST_TOLD, texts));
    subscriptions.push(...subscriptionsOf(input, told));
    for (const mail of mailsOf(input, told.email, followed.get(input.issueId), own))
      mails.push(mail);
    await run(announce(input, told, job));
    const { inApp, email, newSubscribers } = told;
    const counts = { inApp: inApp.length, mails: email.length };
    outputs.set(job, { ...counts, newSubscribers, warnings: warningsOf(told) });
  }
  await keepAll(tx, subscriptions);
  await mail(mails, jobs[0] as Change, { tx, env, signal });
}

interface Subscription extends Follower {
  workspaceId: string;
}

async function keepAll(tx: Tx, subscriptions: readonly Subscription[]): Promise<void> {
  const byWorkspace = Map.groupBy(subscriptions, ({ workspaceId }) => workspaceId);
  // In one order, so that two batches don't wait for each other.
  for (const [workspaceId, own] of [...byWorkspace].toSorted(([a], [b]) => compare(a, b)))
    await keepFollowers(tx, workspaceId, own);
}

/** Of one statement: what is mailed to thousands is put in so many at a time. */
const MAILS_AT_ONCE = 1_000;

/** By receiver, so that two batches lock the windows in the same order. */
async function mail(
  mails: readonly MailEntry[],
  job: Change,
  { tx, env, signal }: Pick<Batch, "tx" | "env" | "signal">,
): Promise<void> {
  const byReceiver = mails.toSorted((a, b) => compare(a.receiverId, b.receiverId));
  for (let from = 0; from < byReceiver.length; from += MAILS_AT_ONCE) {
    const some = byReceiver.slice(from, from + MAILS_AT_ONCE);
    setTimers(job, await queueMail(tx, some, env as MailSettings));
    signal.throwIfAborted();
  }
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

/** Items' titles, who created them, and who they are assigned to; of relations' other ends as well. */
async function learn(tx: Tx, inputs: readonly NotifyInput[]): Promise<void> {
  const named = inputs.map(({ issueId, activities }) =>
    activities.findLast(
      (entry) => entry.field === "name" && entry.issueId === issueId && entry.newValue,
    ),
  );
  await tx.query(LEARN, [
    inputs.map(({ issueId }) => issueId),
    inputs.map(({ workspaceId }) => workspaceId),
    inputs.map(({ isCreation, actorId }) => (isCreation ? actorId : null)),
    named.map((entry) => entry?.newValue?.slice(0, 1_000).replaceAll("\0", "") ?? null),
    inputs.map(({ epoch }, index) => (named[index] === undefined ? 0 : msOf(epoch))),
  ]);
  await keepAll(
    tx,
    inputs.flatMap(({ workspaceId, activities }) =>
      activities.flatMap(assignmentsOf).map((follower) => ({ ...follower, workspaceId })),
    ),
  );
}

const LEARN = `
  insert into engine_notifications.items as i (issue_id, workspace_id, creator, name, name_ms)
  select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[]) order by 1
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
function subscriptionsOf(input: NotifyInput, { newSubscribers }: Recipients): Subscription[] {
  const ids = isSilent(input.type) ? [] : [input.actorId, ...newSubscribers];
  return ids.map((memberId) => ({
    ...{ issueId: input.issueId, role: "subscriber", memberId, isOn: true },
    workspaceId: input.workspaceId,
    atMs: msOf(input.epoch),
  }));
}

function* mailsOf(
  input: NotifyInput,
  mails: readonly Mail[],
  followed: Followed | undefined,
  members: readonly NamedMember[],
): Generator<MailEntry> {
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
  for (const { receiverId, reason, activityId } of mails) {
    const entry = entries.get(activityId);
    if (entry !== undefined) yield { ...entry, receiverId, reason };
  }
}

const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b));

function* announce(input: NotifyInput, told: Recipients, job: Pick<Change, "emit">): Steps<void> {
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
