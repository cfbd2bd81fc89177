/** What a digest tells about one change, and what of it is kept until then. */
import { cleanText, textOfHtml } from "./clean-text.ts";

/** One notification to be mailed. */
export interface MailEntry {
  receiverId: string;
  workspaceId: string;
  projectId: string;
  issueId: string;
  /** As `PRJ-12`. */
  issueKey?: string | null | undefined;
  issueName?: string | null | undefined;
  actorId: string;
  actorName?: string | null | undefined;
  /** Together with the receiver it says what is the same notification. */
  activityId: string;
  /** Why it is this receiver's: created, assigned, subscribed, mentioned, or due. */
  reason: string;
  /** As in the activity's entry: state, labels, comment, … */
  field: string | null;
  verb: string;
  oldValue: string | null;
  newValue: string | null;
  /** When it happened, epoch milliseconds. */
  at: number;
}

const MAX_NAME = 160;
const MAX_VALUE = 120;
/** Of a comment; who wants more follows the link. */
const MAX_EXCERPT = 320;

/** As it will be shown: a description of 2 MB needs no place in the table. */
export function shorten(entry: MailEntry): MailEntry {
  const short = (text: string | null | undefined, max: number) =>
    text == null ? null : cleanText(text, max);
  const value = (text: string | null) => {
    if (text === null || entry.field === "description") return null;
    if (entry.field === "comment") return textOfHtml(text, MAX_EXCERPT);
    return cleanText(text, MAX_VALUE);
  };
  return {
    ...entry,
    issueKey: short(entry.issueKey, 40),
    issueName: short(entry.issueName, MAX_NAME),
    actorName: short(entry.actorName, 80),
    oldValue: value(entry.oldValue),
    newValue: value(entry.newValue),
  };
}
