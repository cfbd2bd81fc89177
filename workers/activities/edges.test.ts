/** What callers send in practice: gaps, repeats, strangers, and edits that change nothing. */
import { describe, expect, test } from "vitest";
import { ActivityRecorded, activityRecorded } from "./activity-recorded.ts";
import { ChangeSet, MAX_ID_LENGTH, MAX_LIST_ELEMENTS, MAX_NAME_LENGTH } from "./change-set.ts";
import { recordActivities } from "./record-activities.ts";
import { MAX_WARNINGS } from "./recording.ts";
import { planeMessage } from "./sample-changes.fixture.ts";

const update = (requested: unknown, current: unknown = {}, more: object = {}) =>
  recordActivities(
    ChangeSet.parse(planeMessage("issue.activity.updated", requested, current, more)),
    "job-1",
  );

const codes = (entries: { warnings: { code: string; field: string }[] }) =>
  entries.warnings.map(({ code, field }) => [code, field]);

const fields = (entries: { activities: { field: string | null }[] }) =>
  entries.activities.map(({ field }) => field);

describe("no neighbour is lost", () => {
  test("an estimate is removed: named after its old scale", () => {
    const entries = update(
      { estimate_point: null, priority: "high" },
      { estimate_point: "estimate-xl", priority: "low" },
    );
    expect(entries.activities).toMatchObject([
      { field: "priority" },
      {
        field: "estimate_categories",
        oldValue: "XL",
        newValue: null,
        oldIdentifier: "estimate-xl",
        newIdentifier: null,
      },
    ]);
    expect(entries.warnings).toEqual([]);
  });

  test("an unknown label has an entry with its id and no name", () => {
    const entries = update(
      { label_ids: ["label-gone", "label-bug"], name: "b" },
      { label_ids: [], name: "a" },
    );
    expect(entries.activities).toMatchObject([
      { field: "name" },
      { field: "labels", newValue: "Bug", newIdentifier: "label-bug" },
      { field: "labels", oldValue: "", newValue: null, newIdentifier: "label-gone" },
    ]);
    expect(codes(entries)).toEqual([["unknown_label", "requested.labelIds"]]);
  });

  test.each([
    ["unknown_state", { state_id: "x" }, { state_id: "state-open" }],
    ["unknown_issue", { parent_id: "x" }, {}],
    ["unknown_estimate", { estimate_point: "x" }, {}],
    ["unknown_user", { assignee_ids: ["x"] }, {}],
    ["unknown_state", { closed_to: "x" }, {}],
  ])("%s", (code, requested, current) => {
    const entries = update({ ...requested, priority: "high" }, { ...current, priority: "low" });
    expect(entries.activities).toHaveLength(2);
    expect(entries.warnings).toMatchObject([{ code }]);
  });

  test("values of the wrong type are left out one by one", () => {
    const entries = update(
      {
        name: { a: 1 },
        label_ids: [7, null, "", "label-bug", "x".repeat(300)],
        assignee_ids: "bo",
        priority: "high",
      },
      { name: "a", label_ids: null, priority: "low" },
    );
    expect(fields(entries)).toEqual(["priority", "labels"]);
    expect(codes(entries)).toEqual([
      ["invalid_value", "requested.name"],
      ["invalid_value", "requested.labelIds[0]"],
      ["invalid_value", "requested.labelIds[1]"],
      ["invalid_value", "requested.labelIds[2]"],
      ["invalid_value", "requested.labelIds[4]"],
      ["invalid_value", "requested.assigneeIds"],
    ]);
  });

  test("a broken look-up costs the name, not the change set", () => {
    const lookups = {
      states: { "state-open": null, "state-done": { name: 7 } },
      labels: { "label-bug": { name: "Bug" } },
    };
    const entries = update(
      { state_id: "state-done", label_ids: ["label-bug"] },
      { state_id: "state-open" },
      { lookups },
    );
    expect(entries.activities).toMatchObject([
      { oldValue: null, newValue: null, oldIdentifier: "state-open", newIdentifier: "state-done" },
      { newValue: "Bug" },
    ]);
  });

  test("broken records of a cycle are left out one by one", () => {
    const current = {
      updated_cycle_issues: [null, { old_cycle_id: "cycle-1" }],
      created_cycle_issues: [
        { fields: { issue: "item-1" } },
        { issue_id: "item-2", cycle_id: "cycle-1" },
      ],
    };
    const message = planeMessage("cycle.activity.created", null, current, { issue_id: null });
    const entries = recordActivities(ChangeSet.parse(message), "job-1");
    expect(entries.activities).toMatchObject([{ issueId: "item-2", newValue: "Sprint 1" }]);
    expect(entries.warnings.map(({ code }) => code)).toEqual([
      "invalid_value",
      "missing_issue",
      "missing_value",
    ]);
  });

  test("a name that is too long is left out, since thousands of entries would repeat it", () => {
    const long = "x".repeat(MAX_NAME_LENGTH + 1);
    const deleted = (more: object) =>
      recordActivities(
        ChangeSet.parse(
          planeMessage("cycle.activity.deleted", { cycle_id: "cycle-9", ...more }, null, {
            lookups: { cycles: { "cycle-9": { name: long } } },
          }),
        ),
        "job-1",
      );
    expect(deleted({ cycle_name: long }).activities).toMatchObject([{ oldValue: null }]);
    expect(codes(deleted({ cycle_name: long }))).toEqual([
      ["invalid_value", "requested.cycleName"],
      ["unknown_cycle", "requested.cycleId"],
    ]);
    const fits = long.slice(1);
    expect(deleted({ cycle_name: fits }).activities).toMatchObject([{ oldValue: fits }]);
    const related = { relation_type: long, issues: ["item-2"] };
    const relation = planeMessage("issue_relation.activity.created", related);
    expect(recordActivities(ChangeSet.parse(relation), "job-1")).toMatchObject({
      activities: [],
      warnings: [{ code: "invalid_value", field: "requested.relationType" }],
    });
  });

  test("warnings have a ceiling", () => {
    const entries = update({ label_ids: Array(MAX_LIST_ELEMENTS).fill(1), priority: "high" });
    expect(fields(entries)).toEqual(["priority"]);
    expect(entries.warnings).toHaveLength(MAX_WARNINGS + 1);
    expect(entries.warnings.at(-1)).toMatchObject({ code: "more_warnings" });
  });
});

describe("ids", () => {
  test("that come twice count once", () => {
    const entries = update(
      { label_ids: ["label-bug", "label-bug"] },
      { label_ids: ["label-ios", "label-ios"] },
    );
    expect(entries.activities).toHaveLength(2);
    const relation = { relation_type: "blocking", issues: ["item-2", "item-2"] };
    const message = planeMessage("issue_relation.activity.created", relation);
    expect(recordActivities(ChangeSet.parse(message), "job-1").activities).toHaveLength(2);
    const again = { issue_id: "item-2", cycle_id: "cycle-1" };
    const cycles = planeMessage("cycle.activity.created", null, {
      created_cycle_issues: [again, again],
    });
    expect(recordActivities(ChangeSet.parse(cycles), "job-1").activities).toHaveLength(1);
  });

  test("of any version, or of no version, count", () => {
    const v5 = "886313e1-3b8a-5372-9b90-0c9aee199e5d";
    const entries = update(
      { assignee_ids: [v5, "42"] },
      {},
      { lookups: { users: { [v5]: { name: "Ana" } } } },
    );
    expect(entries.activities).toHaveLength(2);
    expect(entries.subscribersAdded).toEqual(["42", v5]);
  });

  test("reordered change nothing", () => {
    const entries = update(
      { label_ids: ["label-bug", "label-ios"] },
      { label_ids: ["label-ios", "label-bug"] },
    );
    expect(entries.activities).toEqual([]);
  });

  test.each(["__proto__", "constructor", "toString"])(
    "named %s are strangers, not JavaScript",
    (id) => {
      const entries = update({ state_id: id, label_ids: [id] }, { state_id: "state-open" });
      expect(entries.activities).toMatchObject([
        { newIdentifier: id, newValue: null },
        { newIdentifier: id },
      ]);
      expect(entries.warnings).toHaveLength(2);
    },
  );
});

describe("null, missing and empty are one", () => {
  test.each([
    "name",
    "priority",
    "start_date",
    "target_date",
    "parent_id",
    "state_id",
    "estimate_point",
    "description_html",
    "archived_at",
    "label_ids",
    "assignee_ids",
  ])("%s", (key) => {
    const isList = key.endsWith("_ids");
    for (const current of [{}, { [key]: null }, { [key]: isList ? [] : "" }]) {
      for (const requested of [null, isList ? [] : ""]) {
        expect(update({ [key]: requested }, current)).toMatchObject({
          activities: [],
          warnings: [],
        });
      }
    }
  });

  test("a cleared list removes all", () => {
    const entries = update({ label_ids: null }, { label_ids: ["label-bug"] });
    expect(entries.activities).toMatchObject([{ oldValue: "Bug", newValue: "" }]);
  });

  test("an update without `current` takes old values as absent and says so", () => {
    const entries = update(
      { name: "Pay", target_date: "2026-01-02", state_id: "state-open" },
      null,
    );
    expect(entries.activities).toMatchObject([
      { field: "name", oldValue: null, newValue: "Pay" },
      { field: "state", oldIdentifier: null, newValue: "Open" },
      { field: "target_date", oldValue: "", newValue: "2026-01-02" },
    ]);
    expect(codes(entries)).toEqual([["missing_current", "current"]]);
  });
});

describe("aliases", () => {
  test.each([
    ["state", "state_id", "stateId"],
    ["parent", "parent_id", "parentId"],
  ])("%s, %s, %s are one field", (...spellings) => {
    for (const spelling of spellings)
      expect(update({ [spelling]: "x" }, { [spellings[0]]: "y" }).activities).toHaveLength(1);
    const twice = update({ [spellings[0]]: "x", [spellings[1]]: "x" });
    expect(twice.activities).toHaveLength(1);
    expect(codes(twice).map(([code]) => code)).not.toContain("conflicting_keys");
  });

  test("labels and assignees have theirs", () => {
    const entries = update(
      { labels: ["label-bug"], assignees: ["bo"] },
      { label_ids: ["label-bug"], assigneeIds: ["bo"] },
    );
    expect(entries.activities).toEqual([]);
  });

  test("that disagree: the preferred one counts, in any order, with a warning", () => {
    for (const requested of [
      { state_id: "state-done", state: "state-doing" },
      { state: "state-doing", state_id: "state-done" },
    ]) {
      const entries = update(requested, { state_id: "state-open" });
      expect(entries.activities).toMatchObject([{ newIdentifier: "state-done" }]);
      expect(codes(entries)).toEqual([["conflicting_keys", "requested.stateId"]]);
    }
  });
});

describe("keys one edit away from a known one", () => {
  test("are warnings, at most 20 of them; everything else is used", () => {
    const entries = update({ priority: "high", priorit: "low", assigne_ids: [] }, { page: 1 });
    expect(entries.activities).toMatchObject([{ newValue: "high" }]);
    expect(codes(entries)).toEqual([
      ["unknown_key", "requested.priorit"],
      ["unknown_key", "requested.assigne_ids"],
    ]);
    const many = Object.fromEntries(
      Array.from({ length: 26 }, (_, n) => [`nam${String.fromCharCode(97 + n)}`, 1]),
    );
    expect(codes(update({ ...many, name: "b" }, { name: "a" }))).toHaveLength(20);
  });

  test("Plane's own that are not read are none", () => {
    expect(codes(update({ priority: "high" }, { module_ids: [], label_ids: [] }))).toEqual([]);
  });
});

describe("descriptions", () => {
  const edit = { description_html: "<p>b</p>", name: "b" };
  const current = { description_html: "<p>a</p>", name: "a" };
  const last = { id: "activity-1", field: "description", actor_id: "ana", epoch: 1_759_999_940 };

  test("a second edit by the same actor refreshes the first entry, and nothing else is lost", () => {
    const entries = update(edit, current, { last_activity: last });
    expect(fields(entries)).toEqual(["name"]);
    expect(entries.touched).toEqual([{ activityId: "activity-1", epoch: 1_760_000_000 }]);
  });

  test.each([
    ["another actor", { ...last, actor_id: "bo" }],
    ["another field", { ...last, field: "name" }],
    ["a creation", { ...last, field: null }],
  ])("not after %s", (_, last_activity) => {
    expect(fields(update(edit, current, { last_activity }))).toEqual(["name", "description"]);
  });

  test.each([
    [59_000, 0],
    [60_000, 1],
    [undefined, 1],
  ])("a window of %s ms: %i refreshed", (coalesceWindowMs, count) => {
    expect(update(edit, current, { last_activity: last, coalesceWindowMs }).touched).toHaveLength(
      count,
    );
  });

  test("an edit that arrives late does not turn the time back", () => {
    const later = { ...last, epoch: 1_760_000_030.5 };
    expect(update(edit, current, { last_activity: later }).touched).toEqual([
      { activityId: "activity-1", epoch: 1_760_000_030.5 },
    ]);
  });

  test("an edit of white space or attribute order is none", () => {
    const entries = update(
      { description_html: '<p>a  b</p>\n<p><a href="x" class="y">c</a></p>' },
      { description_html: '<p>a b</p><p><a class="y" href="x">c</a></p>' },
      { last_activity: last },
    );
    expect(entries).toMatchObject({ activities: [], touched: [] });
  });
});

test("a reaction that is gone by now has happened all the same: an entry without its id", () => {
  for (const type of ["issue_reaction.activity.created", "comment_reaction.activity.created"]) {
    const entries = recordActivities(
      ChangeSet.parse(planeMessage(type, { reaction: "128077" })),
      "job-1",
    );
    expect(entries.activities).toMatchObject([{ newValue: "128077", newIdentifier: null }]);
  }
});

test("relations need a type and another item", () => {
  for (const requested of [{}, { relation_type: "blocking" }, { relation_type: 7, issues: [] }]) {
    const entries = recordActivities(
      ChangeSet.parse(planeMessage("issue_relation.activity.created", requested)),
      "job-1",
    );
    expect(entries.activities).toEqual([]);
    expect(entries.warnings.map(({ code }) => code)).toContain("missing_value");
  }
});

test("two renames within one second have two ids", () => {
  const [one] = update({ name: "b" }, { name: "a" }).activities;
  const [other] = update({ name: "c" }, { name: "b" }).activities;
  expect(one?.id).not.toBe(other?.id);
});

describe("the event fits whoever takes it", () => {
  const eventOf = (requested: unknown, current: unknown = {}, more: object = {}) => {
    const change = ChangeSet.parse(
      planeMessage("issue.activity.created", requested, current, more),
    );
    const [event] = activityRecorded(change, recordActivities(change, "job-1"));
    return ActivityRecorded.parse(event);
  };

  test("ids are as long as they may be", () => {
    const projectId = "p".repeat(MAX_ID_LENGTH);
    expect(eventOf({}, {}, { project_id: projectId })).toMatchObject({ projectId });
    expect(() => eventOf({}, {}, { project_id: `${projectId}p` })).toThrow();
    expect(() => eventOf({}, {}, { project_id: "a\0b" })).toThrow(/NUL/);
  });

  test("numbers that JSON can't hold for sure are left out", () => {
    const event = eventOf({ points: 1e17, created_at: 1e17 });
    expect(event.item).not.toHaveProperty("points");
    expect(event.item?.createdAtEpoch).toBe(event.epoch);
  });

  test("ids of a created item that others would refuse are left out", () => {
    const event = eventOf({
      label_ids: ["label-ios", "a\0b", "x".repeat(MAX_ID_LENGTH + 1)],
      state_id: "a\0b",
      cycle_id: "x".repeat(MAX_ID_LENGTH + 1),
    });
    expect(event.item).toEqual({ createdAtEpoch: event.epoch, labels: ["label-ios"] });
  });

  test("an id with a NUL is left out with a warning", () => {
    const entries = update({ label_ids: ["a\0b"], priority: "high" }, { priority: "low" });
    expect(fields(entries)).toEqual(["priority"]);
    expect(codes(entries)).toEqual([["invalid_value", "requested.labelIds[0]"]]);
  });
});
