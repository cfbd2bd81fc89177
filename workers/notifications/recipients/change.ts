/** A change, and what is said of who is told of it: the words of the judgement. */
import type { Kind, Level, Reason, Switches } from "../schemas/vocabulary.ts";

/** One entry of the change, as `activities` makes them. */
export interface Entry {
  /** One that comes twice counts once, as it came first. */
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
  /** Of one who comes twice the last counts. */
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
  /** How many there are; past the most that are asked for they are only counted. */
  inAppCount: number;
  emailCount: number;
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

export const isSilent = (type: string) => SILENT_TYPES.has(type) || type === DELETED;
