/** A vote for or against an item is given or taken back. */
import { readId, readText } from "./read-values.ts";
import { addEntry, type Recorder, type Recording, warn } from "./recording.ts";

/** As in Plane, a vote that is given is an update of the item. */
export const voteCreated: Recorder = (recording) => {
  const vote = readVote(recording, "requested");
  if (vote) addEntry(recording, { verb: "updated", field: "vote", newValue: vote });
};

export const voteDeleted: Recorder = (recording) => {
  const vote = readVote(recording, "current");
  if (!vote) return;
  addEntry(recording, {
    verb: "deleted",
    field: "vote",
    oldValue: vote,
    oldIdentifier: readId(recording, "current.identifier", recording.change.current?.identifier),
  });
};

function readVote(recording: Recording, side: "requested" | "current"): string | null | undefined {
  const vote = readText(recording, `${side}.vote`, recording.change[side]?.vote);
  if (vote === null || vote === "")
    warn(recording, "missing_value", `${side}.vote`, "which vote is not told");
  return vote;
}
