/** What holds for every change set, however odd. */
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { ActivityEntries } from "./activity-entries.ts";
import { ActivityRecorded, activityRecorded } from "./activity-recorded.ts";
import { CHANGE_TYPES, ChangeSet } from "./change-set.ts";
import { recordActivities } from "./record-activities.ts";
import { LOOKUPS } from "./sample-changes.fixture.ts";

// Many runs on a busy machine take their time.
vi.setConfig({ testTimeout: 60_000 });

const KEYS = [
  "id",
  "name",
  "priority",
  "start_date",
  "targetDate",
  "state_id",
  "state",
  "parent",
  "parent_id",
  "estimate_point",
  "label_ids",
  "labels",
  "assigneeIds",
  "description_html",
  "archived_at",
  "automation",
  "closed_to",
  "is_draft",
  "comment_html",
  "comment_id",
  "url",
  "asset",
  "reaction",
  "identifier",
  "vote",
  "status",
  "relation_type",
  "related_issue",
  "issues",
  "issue_id",
  "module_id",
  "module_name",
  "cycle_id",
  "cycle_name",
  "updated_cycle_issues",
  "created_cycle_issues",
  "points",
  "created_at",
  "__proto__",
  "constructor",
  "foo",
];
const IDS = [
  "ana",
  "bo",
  "label-bug",
  "label-ios",
  "state-open",
  "state-done",
  "estimate-5",
  "item-1",
  "item-2",
  "cycle-1",
  "module-1",
  "stranger",
  "__proto__",
  "constructor",
  "toString",
  "",
];

const id = fc.constantFrom(...IDS);
const value = fc.oneof(
  { weight: 4, arbitrary: id },
  { weight: 3, arbitrary: fc.array(id, { maxLength: 6 }) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
  {
    weight: 1,
    arbitrary: fc.array(fc.dictionary(fc.constantFrom(...KEYS), id, { maxKeys: 4 }), {
      maxLength: 3,
    }),
  },
);
const data = fc.dictionary(fc.constantFrom(...KEYS), value, { maxKeys: 8 });
const sentData = fc.oneof(
  data,
  data.map((sent) => JSON.stringify(sent)),
  fc.constant(null),
);
const message = fc.record({
  type: fc.constantFrom(...CHANGE_TYPES),
  issueId: fc.constantFrom("item-1", "item-3"),
  projectId: fc.constant("project-1"),
  actorId: fc.constantFrom("ana", "bo"),
  epoch: fc.double({ min: 0, max: 4e9, noNaN: true }),
  requested: sentData,
  current: sentData,
  lookups: fc.constantFrom(LOOKUPS, {}, { ...LOOKUPS, states: {} }),
  lastActivity: fc.option(
    fc.record({
      id: fc.constant("activity-1"),
      field: fc.constantFrom("description", "name", null),
      actorId: fc.constantFrom("ana", "bo", null),
      epoch: fc.double({ min: 0, max: 4e9, noNaN: true }),
    }),
  ),
});

test("no change set that the schema takes makes it throw, and what it makes fits the schemas", () => {
  fc.assert(
    fc.property(message, (sent) => {
      const change = ChangeSet.parse(sent);
      const entries = recordActivities(change, "job-1");
      const events = activityRecorded(change, entries);
      ActivityEntries.parse(entries);
      for (const event of events) ActivityRecorded.parse(event);
      expect(events).toHaveLength(entries.activities.length === 0 ? 0 : 1);
      const ids = entries.activities.map((activity) => activity.id);
      expect(new Set(ids).size).toBe(ids.length);
    }),
    { numRuns: 2_000 },
  );
});

test("no value at all makes the schema throw anything but a refusal", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.anything(), fc.record({ requested: fc.anything(), lookups: fc.anything() })),
      (sent) => {
        ChangeSet.safeParse(sent);
      },
    ),
  );
});

test("the same change set makes the same entries, whatever the order of its keys and look-ups", () => {
  const backwards = (sent: unknown): unknown =>
    sent !== null && typeof sent === "object" && !Array.isArray(sent)
      ? Object.fromEntries(
          Object.entries(sent)
            .reverse()
            .map(([key, inner]) => [key, backwards(inner)]),
        )
      : sent;
  fc.assert(
    fc.property(message, (sent) => {
      const once = recordActivities(ChangeSet.parse(sent), "job-1");
      expect(recordActivities(ChangeSet.parse(sent), "job-1")).toEqual(once);
      expect(recordActivities(ChangeSet.parse(backwards(sent)), "job-1")).toEqual(once);
    }),
    { numRuns: 500 },
  );
});

const KINDS = [
  { key: "label_ids", field: "labels" },
  { key: "assignee_ids", field: "assignees" },
];

test.each(KINDS)("$field are the differences of two sets", ({ key, field }) => {
  const ids = fc.array(fc.constantFrom(...IDS.filter((one) => one !== "")), { maxLength: 20 });
  fc.assert(
    fc.property(ids, ids, (before, after) => {
      const { activities, subscribersAdded } = recordActivities(
        ChangeSet.parse({
          type: "issue.activity.updated",
          issueId: "item-1",
          projectId: "project-1",
          actorId: "ana",
          epoch: 1,
          requested: { [key]: after },
          current: { [key]: before },
          lookups: LOOKUPS,
        }),
        "job-1",
      );
      // By brute force: each id that there is, looked for on both sides.
      const expected: string[] = [];
      for (const one of IDS) {
        if (after.includes(one) && !before.includes(one)) expected.push(`+${one}`);
        if (before.includes(one) && !after.includes(one)) expected.push(`-${one}`);
      }
      const made = activities.map(({ oldIdentifier, newIdentifier }) =>
        newIdentifier === null ? `-${oldIdentifier}` : `+${newIdentifier}`,
      );
      expect(made.sort()).toEqual(expected.sort());
      expect(activities.every((activity) => activity.field === field)).toBe(true);
      const added = expected.filter((one) => one.startsWith("+")).map((one) => one.slice(1));
      expect(subscribersAdded).toEqual(field === "assignees" ? added.sort() : []);
    }),
  );
});
