/** Each type of change makes the entries that Plane makes of it. */
import { describe, expect, test } from "vitest";
import type { Activity } from "./activity-entries.ts";
import { CHANGE_TYPES, ChangeSet } from "./change-set.ts";
import { recordActivities } from "./record-activities.ts";
import { planeMessage } from "./sample-changes.fixture.ts";

const record = (...message: Parameters<typeof planeMessage>) =>
  recordActivities(ChangeSet.parse(planeMessage(...message)), "job-1");

/** An entry with all that the case does not name at its default. */
const entry = (verb: string, field: string | null, rest: Partial<Activity> = {}) => ({
  id: expect.stringMatching(
    /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  ),
  issueId: "item-1",
  verb,
  field,
  oldValue: null,
  newValue: null,
  oldIdentifier: null,
  newIdentifier: null,
  issueCommentId: null,
  actorId: "ana",
  epoch: 1_760_000_000,
  ...rest,
});

const from = (oldValue: string | null, oldIdentifier: string | null = null) => ({
  oldValue,
  oldIdentifier,
});
const to = (newValue: string | null, newIdentifier: string | null = null) => ({
  newValue,
  newIdentifier,
});

describe("an item", () => {
  test("is created: one entry, and one for each assignee, who subscribes", () => {
    expect(record("issue.activity.created", { name: "Pay", assignee_ids: ["bo", "ana"] })).toEqual({
      activities: [
        entry("created", null),
        entry("updated", "assignees", { ...from(""), ...to("Ana", "ana") }),
        entry("updated", "assignees", { ...from(""), ...to("Bo", "bo") }),
      ],
      subscribersAdded: ["ana", "bo"],
      touched: [],
      warnings: [],
    });
  });

  test("is deleted", () => {
    expect(record("issue.activity.deleted", null).activities).toEqual([entry("deleted", "issue")]);
  });

  test.each<[string, object, object, Partial<Activity>]>([
    ["name", { name: "Pay by card" }, { name: "Pay" }, { ...from("Pay"), ...to("Pay by card") }],
    ["priority", { priority: "high" }, { priority: "none" }, { ...from("none"), ...to("high") }],
    [
      "start_date",
      { start_date: "2026-01-02" },
      { start_date: null },
      { ...from(""), ...to("2026-01-02") },
    ],
    [
      "target_date",
      { target_date: null },
      { target_date: "2026-01-02" },
      { ...from("2026-01-02"), ...to("") },
    ],
    [
      "state",
      { state_id: "state-done" },
      { state_id: "state-open" },
      { ...from("Open", "state-open"), ...to("Done", "state-done") },
    ],
    [
      "parent",
      { parent_id: "item-2" },
      { parent_id: null },
      { ...from(""), ...to("SHOP-2", "item-2") },
    ],
    [
      "parent",
      { parent_id: "item-3" },
      { parent_id: "item-2" },
      { ...from("SHOP-2", "item-2"), ...to("SHOP-3", "item-3") },
    ],
    [
      "parent",
      { parent_id: null },
      { parent_id: "item-2" },
      { ...from("SHOP-2", "item-2"), ...to("") },
    ],
    [
      "estimate_points",
      { estimate_point: "estimate-5" },
      { estimate_point: "estimate-3" },
      { ...from("3", "estimate-3"), ...to("5", "estimate-5") },
    ],
    [
      "estimate_categories",
      { estimate_point: "estimate-xl" },
      { estimate_point: null },
      to("XL", "estimate-xl"),
    ],
    [
      "description",
      { description_html: "<p>b</p>" },
      { description_html: "<p>a</p>" },
      { ...from("<p>a</p>"), ...to("<p>b</p>") },
    ],
    [
      "labels",
      { label_ids: ["label-bug"] },
      { label_ids: [] },
      { ...from(""), ...to("Bug", "label-bug") },
    ],
    [
      "labels",
      { label_ids: [] },
      { label_ids: ["label-bug"] },
      { ...from("Bug", "label-bug"), ...to("") },
    ],
    [
      "assignees",
      { assignee_ids: [] },
      { assignee_ids: ["bo"] },
      { ...from("Bo", "bo"), ...to("") },
    ],
    [
      "archived_at",
      { archived_at: "2026-01-01", automation: true },
      { archived_at: null },
      to("archive"),
    ],
    ["archived_at", { archived_at: "2026-01-01" }, { archived_at: null }, to("manual_archive")],
    [
      "archived_at",
      { archived_at: null },
      { archived_at: "2026-01-01" },
      { ...from("archive"), ...to("restore") },
    ],
    ["state", { closed_to: "state-done" }, {}, to("Done", "state-done")],
  ])("is updated: %s %j", (field, requested, current, expected) => {
    const { activities, warnings } = record("issue.activity.updated", requested, current);
    expect(activities).toEqual([entry("updated", field, expected)]);
    expect(warnings).toEqual([]);
  });

  test("only keys in `requested` count, and unknown ones are ignored", () => {
    const current = { name: "Pay", priority: "low", sort_order: 1 };
    const entries = record(
      "issue.activity.updated",
      { name: "Pay", sort_order: 2, foo: {} },
      current,
    );
    expect(entries).toEqual({ activities: [], subscribersAdded: [], touched: [], warnings: [] });
  });

  test("closing by automation needs no `current`", () => {
    const { activities, warnings } = record("issue.activity.updated", { closed_to: "state-done" });
    expect(activities).toEqual([entry("updated", "state", to("Done", "state-done"))]);
    expect(warnings).toEqual([]);
  });
});

describe("a comment", () => {
  const comment = { issueCommentId: "comment-1" };

  test("is created", () => {
    const { activities } = record("comment.activity.created", {
      id: "comment-1",
      comment_html: "<p>a</p>",
    });
    expect(activities).toEqual([
      entry("created", "comment", { ...to("<p>a</p>", "comment-1"), ...comment }),
    ]);
  });

  test("is updated", () => {
    const { activities } = record(
      "comment.activity.updated",
      { comment_html: "<p>b</p>" },
      { id: "comment-1", comment_html: "<p>a</p>" },
    );
    expect(activities).toEqual([
      entry("updated", "comment", {
        ...from("<p>a</p>", "comment-1"),
        ...to("<p>b</p>", "comment-1"),
        ...comment,
      }),
    ]);
  });

  test("is deleted", () => {
    const { activities } = record("comment.activity.deleted", { comment_id: "comment-1" });
    expect(activities).toEqual([entry("deleted", "comment", { issueCommentId: "comment-1" })]);
  });

  test("gets a reaction: the item stands in the data", () => {
    const { activities } = record(
      "comment_reaction.activity.created",
      { reaction: "128077", id: "reaction-1", comment_id: "comment-1", issue_id: "item-1" },
      null,
      { issue_id: null },
    );
    expect(activities).toEqual([
      entry("created", "reaction", { ...to("128077", "reaction-1"), ...comment }),
    ]);
  });

  test("loses a reaction", () => {
    const { activities } = record("comment_reaction.activity.deleted", null, {
      reaction: "128077",
      identifier: "reaction-1",
      comment_id: "comment-1",
    });
    expect(activities).toEqual([entry("deleted", "reaction", from("128077", "reaction-1"))]);
  });

  test("a reaction to a comment of no known item is a warning", () => {
    const { activities, warnings } = record(
      "comment_reaction.activity.created",
      { reaction: "128077", comment_id: "comment-1" },
      null,
      { issue_id: null },
    );
    expect(activities).toEqual([]);
    expect(warnings).toMatchObject([{ code: "missing_issue" }]);
  });
});

describe("links and attachments", () => {
  const link = { id: "link-1", url: "https://a.example" };

  test.each<[string, object | null, object | null, object[]]>([
    [
      "link.activity.created",
      link,
      null,
      [entry("created", "link", to("https://a.example", "link-1"))],
    ],
    [
      "link.activity.updated",
      { url: "https://b.example" },
      link,
      [
        entry("updated", "link", {
          ...from("https://a.example", "link-1"),
          ...to("https://b.example", "link-1"),
        }),
      ],
    ],
    ["link.activity.updated", { title: "A" }, link, []],
    [
      "link.activity.deleted",
      { link_id: "link-1" },
      link,
      [entry("deleted", "link", { ...from("https://a.example"), ...to("") })],
    ],
    [
      "attachment.activity.created",
      null,
      { id: "file-1", asset: "w/photo.png" },
      [entry("created", "attachment", to("w/photo.png", "file-1"))],
    ],
    ["attachment.activity.deleted", null, null, [entry("deleted", "attachment")]],
  ])("%s %j", (type, requested, current, expected) => {
    expect(record(type, requested, current).activities).toEqual(expected);
  });
});

describe("cycles and modules", () => {
  test("items move to a cycle from another one, and from none", () => {
    const { activities, warnings } = record(
      "cycle.activity.created",
      { cycles_list: ["item-2", "item-3"] },
      {
        updated_cycle_issues: [
          { issue_id: "item-2", old_cycle_id: "cycle-1", new_cycle_id: "cycle-2" },
        ],
        // Once more as a string, by Django's serializer.
        created_cycle_issues: JSON.stringify([
          { model: "db.cycleissue", pk: "x", fields: { issue: "item-3", cycle: "cycle-2" } },
        ]),
      },
      { issue_id: null },
    );
    expect(activities).toEqual([
      entry("updated", "cycles", {
        issueId: "item-2",
        ...from("Sprint 1", "cycle-1"),
        ...to("Sprint 2", "cycle-2"),
      }),
      entry("created", "cycles", { issueId: "item-3", ...from(""), ...to("Sprint 2", "cycle-2") }),
    ]);
    expect(warnings).toEqual([]);
  });

  test("a deleted cycle leaves its items, with the name from the message", () => {
    const { activities, warnings } = record("cycle.activity.deleted", {
      cycle_id: "cycle-gone",
      cycle_name: "Sprint 0",
      issues: ["item-3", "item-2"],
    });
    const expected = { ...from("Sprint 0", "cycle-gone"), ...to("") };
    expect(activities).toEqual([
      entry("deleted", "cycles", { issueId: "item-2", ...expected }),
      entry("deleted", "cycles", { issueId: "item-3", ...expected }),
    ]);
    expect(warnings).toEqual([]);
  });

  test("an item enters and leaves a module", () => {
    expect(record("module.activity.created", { module_id: "module-1" }).activities).toEqual([
      entry("created", "modules", { ...from(""), ...to("Checkout", "module-1") }),
    ]);
    const left = record(
      "module.activity.deleted",
      { module_id: "module-gone" },
      { module_name: "Old" },
    );
    expect(left.activities).toEqual([
      entry("deleted", "modules", { ...from("Old", "module-gone"), ...to("") }),
    ]);
    expect(left.warnings).toEqual([]);
  });
});

describe("relations", () => {
  test.each([
    ["blocked_by", "blocking"],
    ["blocking", "blocked_by"],
    ["start_before", "start_after"],
    ["start_after", "start_before"],
    ["finish_before", "finish_after"],
    ["finish_after", "finish_before"],
    ["implemented_by", "implements"],
    ["implements", "implemented_by"],
    ["relates_to", "relates_to"],
    ["duplicate", "duplicate"],
  ])("%s is %s on the other item", (relation_type, inverse) => {
    expect(
      record("issue_relation.activity.created", { relation_type, issues: ["item-2"] }).activities,
    ).toEqual([
      entry("updated", relation_type, { ...from("", "item-2"), ...to("SHOP-2") }),
      entry("updated", inverse, { issueId: "item-2", ...from("", "item-1"), ...to("SHOP-1") }),
    ]);
    const removed = record("issue_relation.activity.deleted", {
      relation_type,
      related_issue: "item-2",
    });
    expect(removed.activities).toEqual([
      entry("deleted", relation_type, { ...from("SHOP-2", "item-2"), ...to("") }),
      entry("deleted", inverse, { issueId: "item-2", ...from("SHOP-1", "item-1"), ...to("") }),
    ]);
  });
});

describe("reactions, votes, drafts, intake", () => {
  test.each<[string, object | null, object | null, object[]]>([
    [
      "issue_reaction.activity.created",
      { reaction: "128077", id: "reaction-1" },
      null,
      [entry("created", "reaction", to("128077", "reaction-1"))],
    ],
    [
      "issue_reaction.activity.deleted",
      null,
      { reaction: "128077", identifier: "reaction-1" },
      [entry("deleted", "reaction", from("128077", "reaction-1"))],
    ],
    ["issue_vote.activity.created", { vote: 1 }, null, [entry("updated", "vote", to("1"))]],
    [
      "issue_vote.activity.deleted",
      null,
      { vote: "-1", identifier: "vote-1" },
      [entry("deleted", "vote", from("-1", "vote-1"))],
    ],
    ["issue_draft.activity.created", { name: "Pay" }, null, [entry("created", "draft")]],
    ["issue_draft.activity.updated", { name: "Pay" }, {}, [entry("updated", "draft")]],
    ["issue_draft.activity.updated", { is_draft: false }, {}, [entry("updated", null)]],
    ["issue_draft.activity.deleted", null, {}, [entry("deleted", "draft")]],
    [
      "intake.activity.created",
      { status: 1 },
      { status: -2 },
      [entry("1", "intake", { ...from("Pending"), ...to("Accepted") })],
    ],
    ["intake.activity.created", { status: "2" }, null, [entry("2", "intake", to("Duplicate"))]],
    ["intake.activity.created", { source: "mail" }, { status: -2 }, []],
  ])("%s %j", (type, requested, current, expected) => {
    expect(record(type, requested, current).activities).toEqual(expected);
  });
});

test("there are 27 types, and each bears an empty change set", () => {
  expect(CHANGE_TYPES).toHaveLength(27);
  for (const type of CHANGE_TYPES) expect(() => record(type, null)).not.toThrow();
});

describe("beside Plane", () => {
  test("a cycle that held nothing leaves no entry", () => {
    const requested = { cycle_id: "c1", cycle_name: "Empty", issues: [] };
    expect(
      record("cycle.activity.deleted", requested, null, { issue_id: "c1" }).activities,
    ).toEqual([]);
  });

  test("the actor of a creation is whom the message names as its creator", () => {
    const requested = { name: "Pay", created_by: "eva", assignee_ids: ["bo"] };
    expect(record("issue.activity.created", requested).activities).toEqual([
      entry("created", null, { actorId: "eva" }),
      entry("updated", "assignees", { ...from(""), ...to("Bo", "bo") }),
    ]);
  });

  test("a text of null stays null, an absent one is empty", () => {
    const id = { id: "comment-1" };
    const newValueOf = (requested: object) =>
      record("comment.activity.created", requested).activities[0]?.newValue;
    expect(newValueOf({ ...id, comment_html: null })).toBeNull();
    expect(newValueOf(id)).toBe("");
    const link = record("link.activity.deleted", null, { url: null }).activities[0];
    expect(link?.oldValue).toBeNull();
  });

  test("items that the API puts into a module stand in records", () => {
    const created = [{ fields: { issue: "item-2", module: "module-1" } }, { fields: {} }];
    const { activities, warnings } = record(
      "module.activity.created",
      { modules: ["item-2"] },
      { created_module_issues: JSON.stringify(created) },
      { issue_id: null },
    );
    expect(activities).toEqual([
      entry("created", "modules", {
        issueId: "item-2",
        ...from(""),
        newIdentifier: "module-1",
        newValue: expect.any(String),
      }),
    ]);
    expect(warnings.map(({ code }) => code)).toContain("missing_issue");
  });

  test("two jobs with one content within one second make two entries, one job twice makes one", () => {
    const change = ChangeSet.parse(
      planeMessage("issue.activity.updated", { label_ids: ["label-bug"] }, { label_ids: [] }),
    );
    const idOf = (jobId: string) => recordActivities(change, jobId).activities[0]?.id;
    expect(idOf("on")).toBe(idOf("on"));
    expect(idOf("on")).not.toBe(idOf("on-again"));
  });
});
