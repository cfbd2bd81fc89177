/** A comment is created, updated, deleted. */
import { isSameHtmlOf } from "./html-equality.ts";
import { readId, readText, sentOr } from "./read-values.ts";
import { addEntry, type Recorder, warn } from "./recording.ts";

export const commentCreated: Recorder = (recording) => {
  const { requested } = recording.change;
  const id = readId(recording, "requested.id", requested.id);
  const html = readText(recording, "requested.commentHtml", requested.commentHtml);
  if (id === null) warn(recording, "missing_value", "requested.id", "the comment has no id");
  addEntry(recording, {
    verb: "created",
    field: "comment",
    newValue: sentOr(requested.commentHtml, html, ""),
    newIdentifier: id,
    issueCommentId: id,
  });
};

export const commentUpdated: Recorder = (recording) => {
  const { requested, current } = recording.change;
  const after = readText(recording, "requested.commentHtml", requested.commentHtml);
  const before = readText(recording, "current.commentHtml", current?.commentHtml);
  if (requested.commentHtml === undefined || after === undefined || before === undefined) return;
  if (isSameHtmlOf(recording, "commentHtml", { before, after })) return;
  const id =
    readId(recording, "current.id", current?.id) ??
    readId(recording, "requested.id", requested.id ?? requested.commentId);
  if (id === null) warn(recording, "missing_value", "current.id", "the comment has no id");
  addEntry(recording, {
    verb: "updated",
    field: "comment",
    oldValue: sentOr(current?.commentHtml, before, ""),
    newValue: after,
    oldIdentifier: id,
    newIdentifier: id,
    issueCommentId: id,
  });
};

/** Without its text; its id tells which one it was. */
export const commentDeleted: Recorder = (recording) => {
  const { requested, current } = recording.change;
  const sent = requested.commentId ?? current?.id ?? requested.id;
  const issueCommentId = readId(recording, "requested.commentId", sent);
  addEntry(recording, { verb: "deleted", field: "comment", issueCommentId });
};
