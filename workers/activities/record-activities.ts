/** From a change set to its entries: a table of the 27 types of change. */
import type { ActivityEntries } from "./activity-entries.ts";
import { attachmentCreated, attachmentDeleted } from "./attachments.ts";
import type { Change, ChangeType } from "./change-set.ts";
import { commentCreated, commentDeleted, commentUpdated } from "./comments.ts";
import { cycleCreated, cycleDeleted } from "./cycles.ts";
import { draftCreated, draftDeleted, draftUpdated } from "./drafts.ts";
import { intakeCreated } from "./intake.ts";
import { issueCreated, issueDeleted, issueUpdated } from "./issues.ts";
import { linkCreated, linkDeleted, linkUpdated } from "./links.ts";
import { moduleCreated, moduleDeleted } from "./modules.ts";
import {
  commentReactionCreated,
  commentReactionDeleted,
  issueReactionCreated,
  issueReactionDeleted,
} from "./reactions.ts";
import { type Recorder, type SameHtml, startRecording, warn } from "./recording.ts";
import { relationCreated, relationDeleted } from "./relations.ts";
import { voteCreated, voteDeleted } from "./votes.ts";

const RECORDERS: Record<ChangeType, Recorder> = {
  "issue.activity.created": issueCreated,
  "issue.activity.updated": issueUpdated,
  "issue.activity.deleted": issueDeleted,
  "comment.activity.created": commentCreated,
  "comment.activity.updated": commentUpdated,
  "comment.activity.deleted": commentDeleted,
  "link.activity.created": linkCreated,
  "link.activity.updated": linkUpdated,
  "link.activity.deleted": linkDeleted,
  "attachment.activity.created": attachmentCreated,
  "attachment.activity.deleted": attachmentDeleted,
  "cycle.activity.created": cycleCreated,
  "cycle.activity.deleted": cycleDeleted,
  "module.activity.created": moduleCreated,
  "module.activity.deleted": moduleDeleted,
  "issue_relation.activity.created": relationCreated,
  "issue_relation.activity.deleted": relationDeleted,
  "issue_reaction.activity.created": issueReactionCreated,
  "issue_reaction.activity.deleted": issueReactionDeleted,
  "comment_reaction.activity.created": commentReactionCreated,
  "comment_reaction.activity.deleted": commentReactionDeleted,
  "issue_vote.activity.created": voteCreated,
  "issue_vote.activity.deleted": voteDeleted,
  "issue_draft.activity.created": draftCreated,
  "issue_draft.activity.updated": draftUpdated,
  "issue_draft.activity.deleted": draftDeleted,
  "intake.activity.created": intakeCreated,
};

/**
 * The entries of one job's change set. Pure: the same job makes the same entries with the same
 * ids in the same order, whatever the order of its keys, ids and look-ups (only the records of a cycle keep theirs).
 * @param sameHtml answers of {@link comparing}; what is not among them is compared here.
 */
export function recordActivities(
  change: Change,
  jobId: string,
  sameHtml: SameHtml = {},
): ActivityEntries {
  const recording = startRecording(change, jobId, sameHtml);
  // What Plane's own serializer says twice of an item as it was is no mistake of the caller's.
  for (const { code, path, message } of change.keyWarnings ?? [])
    if (code === "unknown_key" || !path.startsWith("current."))
      warn(recording, code, path, message);
  RECORDERS[change.type](recording);
  const { activities, subscribersAdded, touched, warnings } = recording;
  return { activities, subscribersAdded, touched, warnings };
}
