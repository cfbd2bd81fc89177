/** Reactions to items and comments. The engine can't look whether a reaction still exists: that it happened counts. */
import { readId, readText } from "./read-values.ts";
import { addEntry, type Recorder, type Recording, warn } from "./recording.ts";

export const issueReactionCreated: Recorder = (recording) => {
  const reaction = readReaction(recording, "requested");
  if (!reaction) return;
  addEntry(recording, {
    verb: "created",
    field: "reaction",
    newValue: reaction,
    newIdentifier: reactionId(recording, "requested"),
  });
};

export const issueReactionDeleted: Recorder = (recording) => {
  const reaction = readReaction(recording, "current");
  if (!reaction) return;
  addEntry(recording, {
    verb: "deleted",
    field: "reaction",
    oldValue: reaction,
    oldIdentifier: reactionId(recording, "current"),
  });
};

export const commentReactionCreated: Recorder = (recording) => {
  const reaction = readReaction(recording, "requested");
  if (!reaction) return;
  const { commentId } = recording.change.requested;
  addEntry(recording, {
    ...itemOf(recording, "requested"),
    verb: "created",
    field: "reaction",
    newValue: reaction,
    newIdentifier: reactionId(recording, "requested"),
    issueCommentId: readId(recording, "requested.commentId", commentId),
  });
};

/** Plane keeps the comment out of this one. */
export const commentReactionDeleted: Recorder = (recording) => {
  const reaction = readReaction(recording, "current");
  if (!reaction) return;
  addEntry(recording, {
    ...itemOf(recording, "current"),
    verb: "deleted",
    field: "reaction",
    oldValue: reaction,
    oldIdentifier: reactionId(recording, "current"),
  });
};

type Side = "requested" | "current";

function readReaction(recording: Recording, side: Side): string | null | undefined {
  const reaction = readText(recording, `${side}.reaction`, recording.change[side]?.reaction);
  if (reaction === null || reaction === "")
    warn(recording, "missing_value", `${side}.reaction`, "which reaction is not told");
  return reaction;
}

function reactionId(recording: Recording, side: Side): string | null {
  const sent = recording.change[side];
  return readId(recording, `${side}.identifier`, sent?.identifier ?? sent?.id) ?? null;
}

/** The item of a reaction to a comment: Plane names only the comment, so a caller adds the item's id. */
function itemOf(recording: Recording, side: Side): { issueId?: string } {
  if (recording.change.issueId !== null) return {};
  const issueId = readId(recording, `${side}.issueId`, recording.change[side]?.issueId);
  return issueId ? { issueId } : {};
}
