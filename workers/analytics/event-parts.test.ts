/** An event that comes in parts brings what it would have brought whole. */
import { expect, test } from "vitest";
import { ingestInputOf } from "./activity-event.ts";
import { factsOf } from "./facts.ts";
import { CEILINGS, IngestInput } from "./schemas.ts";

const envelope = {
  workspaceId: "w",
  projectId: "p",
  issueId: "item-0",
  type: "issue.activity.created",
  actorId: "ana",
  epoch: 1_760_000_000,
  states: { todo: { name: "To do", group: "unstarted" } },
};
const activities = Array.from({ length: 2_500 }, (_, n) => ({
  id: `activity-${n}`,
  issueId: `item-${n}`,
  verb: "updated",
  field: "cycles",
  oldIdentifier: null,
  newIdentifier: "cycle-1",
  epoch: envelope.epoch,
}));
const labels = Array.from({ length: CEILINGS.idsPerItem }, (_, n) => `label-${n}`);
const item = { createdAtEpoch: envelope.epoch, stateId: "todo", labels };

const changesOf = (event: object) => {
  const { changes, output } = factsOf(IngestInput.parse(ingestInputOf(event)));
  expect(output.warningsTotal).toBe(0);
  return changes;
};
const sorted = (changes: { itemId: string; changeId: string }[]) =>
  changes.toSorted((a, b) => (`${a.itemId} ${a.changeId}` < `${b.itemId} ${b.changeId}` ? -1 : 1));

test("each part is taken alone, in any order, with the created item in one of them", () => {
  const whole = changesOf({ ...envelope, activities, item });
  const parts = [0, 1_000, 2_000].map((from, index) => ({
    ...envelope,
    activities: activities.slice(from, from + 1_000),
    part: { number: index + 1, of: 3 },
    ...(index === 0 && { item }),
  }));
  const apart = parts.toReversed().flatMap(changesOf);
  expect(sorted(apart)).toEqual(sorted(whole));
  // The item with its state and labels, and each entry.
  expect(whole).toHaveLength(2 + labels.length + activities.length);
});
