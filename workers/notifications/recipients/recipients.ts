/** Who is told what of a change: pure, and to the letter as Plane does it where Plane is right. */
import { STEP_SIZE, type Steps } from "@tl-engine/shared";
import type { Kind, Reason, Switches } from "../schemas/vocabulary.ts";
import {
  type ChangeToTell,
  type Entry,
  isSilent,
  type Mail,
  type Member,
  type Recipients,
} from "./change.ts";
import { findMentions, type Mentioned, type ReadTexts, readTexts } from "./find-mentions.ts";

type Members = ReadonlyMap<string, Member>;

/**
 * @param most of the notifications in the application, and of those by mail. The first are told, the others counted.
 * @param read the mentions of the change's texts, where they are known.
 */
export function* recipientsOf(
  change: ChangeToTell,
  most: number,
  read?: ReadTexts,
): Steps<Recipients> {
  const told: Recipients = {
    ...{ inApp: [], email: [], inAppCount: 0, emailCount: 0 },
    ...{ newSubscribers: [], mentionsAdded: [], mentionsRemoved: [], cutMentions: [] },
  };
  if (isSilent(change.type)) return told;
  const members = new Map(change.members.map((member) => [member.id, member]));
  const own = entriesOnItem(change);
  const texts = read ?? (yield* readTexts({ ...change, entries: own }));
  const mentioned = yield* findMentions(change, own, members, texts, told);
  told.newSubscribers.push(...newSubscribers(change, mentioned));
  const teller = tellingUpTo(most, told);
  yield* tellFollowers(change, own, members, mentioned, teller);
  yield* tellMentioned(change, own, members, mentioned, teller);
  return told;
}

/** What stands on another item is told of by that one's change. */
function entriesOnItem({ entries, issue }: ChangeToTell): Entry[] {
  const known = new Set<string>();
  return entries.filter(({ id, issueId }) => {
    if (issueId !== issue.id || known.has(id)) return false;
    known.add(id);
    return true;
  });
}

type Tell = (mail: Omit<Mail, "kind">, kind: Kind | undefined) => void;

/** Without a kind it is told in the application alone. */
function tellingUpTo(most: number, told: Recipients): Tell {
  return ({ receiverId, reason, activityId, field }, kind) => {
    if (told.inAppCount++ < most) told.inApp.push({ receiverId, reason, activityId });
    if (kind === undefined || told.emailCount++ >= most) return;
    told.email.push({ receiverId, reason, activityId, kind, field });
  };
}

/** Whoever is mentioned follows the item from now on, unless it is theirs anyway; and its actor, where that is asked for. */
function newSubscribers(change: ChangeToTell, { standing }: Mentioned): Set<string> {
  const { issue, actorId, subscribesActor, assignees, subscribers } = change;
  const known = new Set(subscribers);
  const theirs = new Set([...assignees, ...(issue.createdBy === null ? [] : [issue.createdBy])]);
  const fresh = new Set<string>();
  if (subscribesActor && !known.has(actorId)) fresh.add(actorId);
  // The actor is no exception to what the message says of them.
  for (const id of standing) if (id !== actorId && !known.has(id) && !theirs.has(id)) fresh.add(id);
  return fresh;
}

function* tellFollowers(
  change: ChangeToTell,
  own: readonly Entry[],
  members: Members,
  mentioned: Mentioned,
  tell: Tell,
): Steps<void> {
  const completed = new Set(change.completedStateIds);
  const asMentioned = new Set(mentioned.inDescription);
  for (const ids of mentioned.inComments.values()) for (const id of ids) asMentioned.add(id);
  // A description is told of by its mentions alone.
  const entries = own.filter(({ field }) => field !== "description");
  let steps = 0;
  for (const { member, reason, isTheirs } of followers(change, members)) {
    const { id: receiverId, level, switches } = member;
    if (receiverId === change.actorId || level === "mention" || level === "off") continue;
    if (level === "participate" && !isTheirs) continue;
    if (asMentioned.has(receiverId) && wantsMentions(member)) continue;
    for (const entry of entries) {
      if (++steps % STEP_SIZE === 0) yield;
      const kind = kindFor(switches, entry, completed);
      if (level === "custom" && kind === undefined) continue;
      tell({ receiverId, reason, activityId: entry.id, field: entry.field }, kind);
    }
  }
}

interface Follower {
  member: Member;
  /** What they are told as the reason: one of several that may hold. */
  reason: Reason;
  /** They created it or it is assigned to them, whatever the reason says. */
  isTheirs: boolean;
}

/** Active members who subscribed, each with why; then those who watch everything. */
function* followers(change: ChangeToTell, members: Members): Generator<Follower, void, void> {
  const { createdBy } = change.issue;
  const assigned = new Set(change.assignees);
  const isCreatorAssigned = createdBy !== null && assigned.has(createdBy);
  const reasonOf = (id: string): Reason => {
    if (id === createdBy) return "created";
    return assigned.has(id) && !isCreatorAssigned ? "assigned" : "subscribed";
  };
  const subscribers = new Set(change.subscribers);
  const isTheirs = (id: string) => id === createdBy || assigned.has(id);
  for (const id of subscribers) {
    const member = members.get(id);
    if (member?.active) yield { member, reason: reasonOf(id), isTheirs: isTheirs(id) };
  }
  for (const member of members.values())
    if (member.active && member.level === "watch" && !subscribers.has(member.id))
      yield { member, reason: "watching", isTheirs: isTheirs(member.id) };
}

/**
 * The first of its kinds that a person has switched on; undefined where none is, and nothing is mailed. Any change is a
 * change of a property, too.
 */
function kindFor(
  switches: Switches,
  { field, newIdentifier }: Entry,
  completed: ReadonlySet<string>,
): Kind | undefined {
  if (field === "state") {
    if (switches.stateChange) return "state_change";
    if (newIdentifier !== null && completed.has(newIdentifier) && switches.issueCompleted)
      return "issue_completed";
  }
  if (field === "comment" && switches.comment) return "comment";
  return switches.propertyChange ? "property_change" : undefined;
}

/** Who does not is told of the change as others are. */
const wantsMentions = ({ level, switches }: Member) => level !== "custom" || switches.mention;

function* tellMentioned(
  { actorId }: ChangeToTell,
  own: readonly Entry[],
  members: Members,
  { inDescription, inComments }: Mentioned,
  tell: Tell,
): Steps<void> {
  const latest = own.reduce<Entry | undefined>(
    (last, entry) => (last === undefined || entry.atMs >= last.atMs ? entry : last),
    undefined,
  );
  const isDescription = latest?.field === "description" && latest.actorId === actorId;
  const byDescription = isDescription ? [latest] : own;
  let steps = 0;
  const tellOf = (receiverId: string, { id: activityId }: Entry) => {
    const member = members.get(receiverId) as Member;
    if (receiverId === actorId || member.level === "off" || !wantsMentions(member)) return;
    const kind = member.switches.mention ? "mention" : undefined;
    tell({ receiverId, reason: "mentioned", activityId, field: "mention" }, kind);
  };
  for (const receiverId of inDescription)
    for (const entry of byDescription) {
      if (++steps % STEP_SIZE === 0) yield;
      tellOf(receiverId, entry);
    }
  const byDescriptionToo = new Set(byDescription);
  for (const [entry, ids] of inComments)
    for (const receiverId of ids) {
      if (++steps % STEP_SIZE === 0) yield;
      // Told of it already.
      if (inDescription.has(receiverId) && byDescriptionToo.has(entry)) continue;
      tellOf(receiverId, entry);
    }
}
