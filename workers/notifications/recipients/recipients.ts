/** Who is told what of a change: pure, and to the letter as Plane does it where Plane is right. */
import type { Kind, Level, Reason, Switches } from "../schemas/vocabulary.ts";
import { type Mentions, mentionsIn } from "./mentions.ts";

/** One entry of the change, as `activities` makes them. */
export interface Entry {
  id: string;
  /** The item that it stands on. */
  issueId: string;
  field: string | null;
  oldValue: string | null;
  newValue: string | null;
  newIdentifier: string | null;
  actorId: string;
  /** Orders the entries of an item; of equal ones the last in the list is the latest. */
  atMs: number;
}

export interface Member {
  id: string;
  active: boolean;
  switches: Switches;
  level: Level;
}

export interface ChangeToTell {
  type: string;
  issue: { id: string; createdBy: string | null };
  actorId: string;
  /** Whether the actor becomes a subscriber. */
  subscribesActor: boolean;
  entries: readonly Entry[];
  assignees: readonly string[];
  subscribers: readonly string[];
  members: readonly Member[];
  /** States that complete an item. */
  completedStateIds: readonly string[];
  /** The description after and before, where the change is about it. */
  requestedHtml: string | null;
  currentHtml: string | null;
}

export interface InApp {
  receiverId: string;
  reason: Reason;
  activityId: string;
}

export interface Mail extends InApp {
  kind: Kind;
  /** `mention`, or the entry's. */
  field: string | null;
}

export interface Recipients {
  inApp: InApp[];
  email: Mail[];
  newSubscribers: string[];
  /** Members newly mentioned in the description, and those who no longer are. */
  mentionsAdded: string[];
  mentionsRemoved: string[];
  /** Texts of which only the first mentions were read. */
  cutMentions: ("description" | "comment")[];
}

/** Types of change that notify nobody and subscribe nobody. */
export const SILENT_TYPES: ReadonlySet<string> = new Set([
  "cycle.activity.created",
  "cycle.activity.deleted",
  "module.activity.created",
  "module.activity.deleted",
  "issue_reaction.activity.created",
  "issue_reaction.activity.deleted",
  "comment_reaction.activity.created",
  "comment_reaction.activity.deleted",
  "issue_vote.activity.created",
  "issue_vote.activity.deleted",
  "issue_draft.activity.created",
  "issue_draft.activity.updated",
  "issue_draft.activity.deleted",
]);
const DELETED = "issue.activity.deleted";

export function recipientsOf(change: ChangeToTell): Recipients {
  const told: Recipients = {
    inApp: [],
    email: [],
    newSubscribers: [],
    mentionsAdded: [],
    mentionsRemoved: [],
    cutMentions: [],
  };
  if (SILENT_TYPES.has(change.type) || change.type === DELETED) return told;
  const members = new Map(change.members.map((member) => [member.id, member]));
  const mentioned = findMentions(change, members, told);
  told.newSubscribers.push(...newSubscribers(change, mentioned));
  tellFollowers(change, members, mentioned, told);
  tellMentioned(change, members, mentioned, told);
  return told;
}

interface Mentioned {
  /** Active members in the texts as they are now, old mentions too. */
  standing: Set<string>;
  /** Those who were not mentioned before. */
  inDescription: Set<string>;
  /** The same of each comment, by its entry. */
  inComments: Map<Entry, Set<string>>;
}

function findMentions(
  change: ChangeToTell,
  members: ReadonlyMap<string, Member>,
  told: Recipients,
): Mentioned {
  const isMember = (id: string) => members.get(id)?.active === true;
  const read = (what: "description" | "comment", html: string | null): Mentions => {
    const mentions = mentionsIn(html);
    if (mentions.isCut && !told.cutMentions.includes(what)) told.cutMentions.push(what);
    return mentions;
  };
  const now = read("description", change.requestedHtml).ids;
  const before = read("description", change.currentHtml).ids;
  const inDescription = new Set([...now.difference(before)].filter(isMember));
  told.mentionsAdded.push(...inDescription);
  if (change.requestedHtml !== null)
    told.mentionsRemoved.push(...[...before.difference(now)].filter(isMember));
  const standing = new Set([...now].filter(isMember));
  const inComments = new Map<Entry, Set<string>>();
  for (const entry of change.entries) {
    if (entry.field !== "comment" || entry.issueId !== change.issue.id) continue;
    const inNew = read("comment", entry.newValue).ids;
    const fresh = inNew.difference(read("comment", entry.oldValue).ids);
    for (const id of inNew) if (isMember(id)) standing.add(id);
    inComments.set(entry, new Set([...fresh].filter(isMember)));
  }
  return { standing, inDescription, inComments };
}

/** Whoever is mentioned follows the item from now on, unless it is theirs anyway; and its actor, where that is asked for. */
function newSubscribers(change: ChangeToTell, { standing }: Mentioned): Set<string> {
  const { issue, actorId, subscribesActor } = change;
  const known = new Set(change.subscribers);
  const theirs = new Set([
    ...change.assignees,
    ...(issue.createdBy === null ? [] : [issue.createdBy]),
  ]);
  const fresh = new Set<string>();
  if (subscribesActor && !known.has(actorId)) fresh.add(actorId);
  // The actor is no exception to what the message says of them.
  for (const id of standing) if (id !== actorId && !known.has(id) && !theirs.has(id)) fresh.add(id);
  return fresh;
}

function tellFollowers(
  change: ChangeToTell,
  members: ReadonlyMap<string, Member>,
  mentioned: Mentioned,
  told: Recipients,
): void {
  const { actorId, issue, entries } = change;
  const completed = new Set(change.completedStateIds);
  const mentionedSomewhere = new Set([...mentioned.inDescription]);
  for (const ids of mentioned.inComments.values()) for (const id of ids) mentionedSomewhere.add(id);
  // A description is told of by its mentions alone; what stands on another item, by that one's change.
  const toTell = entries.filter(
    ({ field, issueId }) => issueId === issue.id && field !== "description",
  );
  for (const [receiverId, reason] of followers(change, members)) {
    if (receiverId === actorId || mentionedSomewhere.has(receiverId)) continue;
    const member = members.get(receiverId) as Member;
    for (const entry of toTell) {
      const kind = kindFor(member.switches, entry, completed);
      if (!isTold(member, reason, kind)) continue;
      told.inApp.push({ receiverId, reason, activityId: entry.id });
      if (kind !== undefined)
        told.email.push({ receiverId, reason, activityId: entry.id, kind, field: entry.field });
    }
  }
}

/** Active members who subscribed, each with why; then those who watch everything. */
function followers(
  change: ChangeToTell,
  members: ReadonlyMap<string, Member>,
): Map<string, Reason> {
  const { createdBy } = change.issue;
  const assigned = new Set(change.assignees);
  const isCreatorAssigned = createdBy !== null && assigned.has(createdBy);
  const reasonOf = (id: string): Reason => {
    if (id === createdBy) return "created";
    return assigned.has(id) && !isCreatorAssigned ? "assigned" : "subscribed";
  };
  const found = new Map<string, Reason>();
  for (const id of change.subscribers)
    if (members.get(id)?.active === true) found.set(id, reasonOf(id));
  for (const { id, active, level } of change.members)
    if (active && level === "watch" && !found.has(id)) found.set(id, "watching");
  return found;
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

function isTold({ level }: Member, reason: Reason, kind: Kind | undefined): boolean {
  switch (level) {
    case "global":
    case "watch":
      return true;
    case "participate":
      return reason === "created" || reason === "assigned";
    case "custom":
      return kind !== undefined;
    case "mention":
    case "off":
      return false;
  }
}

function tellMentioned(
  change: ChangeToTell,
  members: ReadonlyMap<string, Member>,
  { inDescription, inComments }: Mentioned,
  told: Recipients,
): void {
  const { entries, actorId, issue } = change;
  const own = entries.filter(({ issueId }) => issueId === issue.id);
  const latest = own.reduce<Entry | undefined>(
    (last, entry) => (last === undefined || entry.atMs >= last.atMs ? entry : last),
    undefined,
  );
  const isDescription = latest?.field === "description" && latest.actorId === actorId;
  const byDescription = isDescription && latest !== undefined ? [latest] : own;
  const told_ = new Set<string>();
  const tell = (receiverId: string, { id: activityId }: Entry) => {
    const member = members.get(receiverId) as Member;
    const key = `${receiverId}\n${activityId}`;
    if (receiverId === actorId || member.level === "off" || told_.has(key)) return;
    if (member.level === "custom" && !member.switches.mention) return;
    told_.add(key);
    const notification = { receiverId, reason: "mentioned", activityId } as const;
    told.inApp.push(notification);
    if (member.switches.mention)
      told.email.push({ ...notification, kind: "mention", field: "mention" });
  };
  for (const receiverId of inDescription)
    for (const entry of byDescription) tell(receiverId, entry);
  for (const [entry, ids] of inComments) for (const receiverId of ids) tell(receiverId, entry);
}
