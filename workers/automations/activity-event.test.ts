/** What `activity.recorded` tells of items, in the words of rules. */
import { expect, test } from "vitest";
import { reactInputOf } from "./activity-event.ts";
import { ReactInput } from "./schemas.ts";

const EPOCH_S = 1_774_958_400.5;
const AT = "2026-03-31T12:00:00.500Z";
const EVENT = {
  workspaceId: "w",
  projectId: "p",
  issueId: "i",
  type: "issue.activity.updated",
  actorId: "ada",
  epoch: EPOCH_S,
  activities: [] as object[],
  states: {
    todo: { name: "To do", group: "unstarted" },
    done: { name: "Done", group: "completed" },
  },
};
const read = (more: object) => ReactInput.parse(reactInputOf({ ...EVENT, ...more }));
const entry = (field: string | null, more: object = {}) => ({
  issueId: "i",
  verb: "updated",
  field,
  ...more,
});
const ids = (from: string | null, to: string | null) => ({
  oldIdentifier: from,
  newIdentifier: to,
});
const values = (from: string | null, to: string | null) => ({ oldValue: from, newValue: to });

test.each<[string, object, object[]]>([
  [
    "a state and its group",
    entry("state", ids("todo", "done")),
    [
      { field: "state", from: "todo", to: "done" },
      { field: "stateGroup", from: "unstarted", to: "completed" },
    ],
  ],
  [
    "a state of unknown group",
    entry("state", ids(null, "odd")),
    [
      { field: "state", from: null, to: "odd" },
      { field: "stateGroup", from: null, to: null },
    ],
  ],
  [
    "a priority",
    entry("priority", values("low", "high")),
    [{ field: "priority", from: "low", to: "high" }],
  ],
  ["a name", entry("name", values("Old", "New")), [{ field: "name", from: "Old", to: "New" }]],
  [
    "a label that came",
    entry("labels", ids(null, "bug")),
    [{ field: "labels", from: null, to: "bug" }],
  ],
  [
    "an assignee that went",
    entry("assignees", ids("ada", null)),
    [{ field: "assignees", from: "ada", to: null }],
  ],
  ["a cycle", entry("cycles", ids("c1", "c2")), [{ field: "cycles", from: "c1", to: "c2" }]],
  ["a module", entry("modules", ids(null, "m")), [{ field: "modules", from: null, to: "m" }]],
  ["a parent", entry("parent", ids(null, "j")), [{ field: "parent", from: null, to: "j" }]],
  [
    "a date that was cleared",
    entry("target_date", values("2026-01-01", "")),
    [{ field: "target_date", from: "2026-01-01", to: null }],
  ],
  [
    "an estimate of any scale",
    entry("estimate_categories", values("S", "XL")),
    [{ field: "points", from: "S", to: "XL" }],
  ],
  [
    "archived",
    entry("archived_at", values(null, "manual_archive")),
    [{ field: "archived_at", from: null, to: AT }],
  ],
  [
    "restored",
    entry("archived_at", values("archive", "restore")),
    [{ field: "archived_at", from: AT, to: null }],
  ],
  ["what rules can't name", entry("sprint_colour", values("red", "blue")), []],
])("%s", (_, activity, changes) => {
  expect(read({ activities: [activity] }).items).toMatchObject([
    { id: "i", type: "item.updated", changes },
  ]);
});

test("a creation tells the item, its creator, and its assignees as changes", () => {
  const { items } = read({
    type: "issue.activity.created",
    activities: [
      { issueId: "i", verb: "created", field: null, actorId: "grace" },
      entry("assignees", ids(null, "ada")),
    ],
    item: {
      createdAtEpoch: EPOCH_S - 60,
      stateId: "todo",
      points: "XL",
      labels: ["bug"],
      cycleId: "c",
    },
  });
  expect(items).toEqual([
    {
      id: "i",
      type: "item.created",
      deleted: false,
      changes: [{ field: "assignees", from: null, to: "ada" }],
      known: {
        createdAt: "2026-03-31T11:59:00.500Z",
        createdBy: "grace",
        state: "todo",
        stateGroup: "unstarted",
        points: "XL",
        labels: ["bug"],
        cycle: "c",
      },
    },
  ]);
});

test.each([
  ["comment.activity.created", "comment", "created", "comment.created"],
  ["comment.activity.deleted", "comment", "deleted", "comment.deleted"],
  ["link.activity.created", "link", "created", "link.created"],
  ["attachment.activity.deleted", "attachment", "deleted", "attachment.deleted"],
  ["issue_relation.activity.created", "blocking", "created", "relation.created"],
  ["comment_reaction.activity.created", "reaction", "created", "reaction.created"],
  ["issue_vote.activity.created", "vote", "updated", "vote.created"],
  ["intake.activity.created", "intake", "2", "intake.created"],
  ["issue.activity.deleted", "issue", "deleted", "item.deleted"],
  ["cycle.activity.created", "cycles", "created", "item.updated"],
  ["module.activity.deleted", "modules", "deleted", "item.updated"],
])("%s is %4$s", (type, field, verb, expected) => {
  const { items } = read({ type, activities: [entry(field, { verb, newValue: "<p>Hi</p>" })] });
  expect(items).toMatchObject([{ id: "i", type: expected, deleted: expected === "item.deleted" }]);
  expect(items[0]?.comment).toBe(field === "comment" ? "<p>Hi</p>" : undefined);
});

test("entries on other items are those items' own", () => {
  const { items } = read({
    type: "issue_relation.activity.created",
    activities: [
      entry("blocking", ids(null, "j")),
      { ...entry("blocked_by", ids(null, "i")), issueId: "j" },
    ],
  });
  expect(items.map(({ id }) => id)).toEqual(["i", "j"]);
});

test("what led to the event is handed on, and nothing is a person's doing", () => {
  expect(read({ cause: { depth: 4, path: ["a", "b"] } })).toMatchObject({
    depth: 4,
    path: ["a", "b"],
  });
  expect(read({})).toMatchObject({ depth: 0, path: [] });
});
