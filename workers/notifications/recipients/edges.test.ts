/** The edges of the design, and what goes beyond Plane, one by one. */
import { describe, expect, test } from "vitest";
import { LEVELS } from "../schemas/vocabulary.ts";
import { SILENT_TYPES } from "./change.ts";
import { ask, email, entryOf, inApp, mention } from "./told.fixture.ts";

const described = (by = "actor") => entryOf("description", { actorId: by, epoch: 1 });
const commented = (html: string, before: string | null = null) =>
  entryOf("comment", { newValue: html, oldValue: before });

describe("mentions", () => {
  test("of the actor tell nobody", () => {
    const told = ask({ people: ["actor"], activities: [commented(mention("actor"))] });
    expect([told.inApp, told.email, told.newSubscribers]).toEqual([[], [], []]);
  });

  test("of an inactive member, and of nobody's id, tell nobody and subscribe nobody", () => {
    const told = ask({
      people: [{ id: "away", active: false } as { id: string }],
      activities: [commented(mention("away") + mention("stranger"))],
      requestedHtml: mention("away") + mention("stranger"),
    });
    expect([told.inApp, told.newSubscribers, told.mentionsAdded]).toEqual([[], [], []]);
  });

  test("that are kept while they move are not new", () => {
    const told = ask({
      ...{ people: ["ana", "luis"], activities: [described()] },
      currentHtml: `<p>${mention("ana")}</p><p>${mention("luis")}</p>`,
      requestedHtml: `<p>${mention("luis")}</p><p>${mention("ana")}</p>`,
    });
    expect([told.inApp, told.mentionsAdded, told.mentionsRemoved]).toEqual([[], [], []]);
    // They follow the item, as Plane has it.
    expect(told.newSubscribers).toEqual(["luis", "ana"]);
  });

  test("in a description without subscribers are mailed to who is mentioned", () => {
    const told = ask({
      ...{ people: ["ana"], activities: [described()], subscribers: [] },
      requestedHtml: mention("ana"),
    });
    expect(inApp(told)).toEqual(["ana mentioned e-description"]);
    expect(email(told)).toEqual(["ana mention e-description"]);
    expect(told.mentionsAdded).toEqual(["ana"]);
  });

  test("in a description give one notification only if that edit is the latest", () => {
    const change = { people: ["ana"], requestedHtml: mention("ana") };
    const name = { epoch: 2 };
    const later = ask({ ...change, activities: [described(), entryOf("name", name)] });
    expect(inApp(later)).toEqual(["ana mentioned e-description", "ana mentioned e-name"]);
    const earlier = ask({ ...change, activities: [entryOf("name", { epoch: 0 }), described()] });
    expect(inApp(earlier)).toEqual(["ana mentioned e-description"]);
  });

  test("of an assignee and of the creator subscribe nobody", () => {
    const told = ask({
      ...{ people: ["ana", "luis", "eva"], issue: { id: "i", createdBy: "ana" } },
      ...{
        assignees: ["luis"],
        requestedHtml: ["ana", "luis", "eva"].map((id) => mention(id)).join(),
      },
    });
    expect(told.newSubscribers).toEqual(["eva"]);
  });

  test("that are taken out are told of to nobody", () => {
    const told = ask({
      ...{ people: ["ana"], activities: [described()] },
      ...{ currentHtml: mention("ana"), requestedHtml: "<p></p>" },
    });
    expect([told.mentionsRemoved, told.inApp]).toEqual([["ana"], []]);
  });
});

test("one person in three roles is told once, as the creator; mentioned, only of that", () => {
  const roles = {
    ...{ people: ["ana"], issue: { id: "i", createdBy: "ana" } },
    ...{ assignees: ["ana"], subscribers: ["ana", "ana"] },
  };
  expect(inApp(ask(roles))).toEqual(["ana created e-priority"]);
  const mentioned = ask({ ...roles, activities: [commented(mention("ana")), entryOf("priority")] });
  expect(inApp(mentioned)).toEqual(["ana mentioned e-comment"]);
});

test("with no subscriber left those who are mentioned still get their mail", () => {
  const told = ask({ people: ["ana", "gone"], activities: [commented(mention("ana"))] });
  expect(email(told)).toEqual(["ana mention e-comment"]);
});

test("who subscribed but is no member, or is the actor, is told of nothing", () => {
  expect(inApp(ask({ people: ["actor"], subscribers: ["actor", "stranger"] }))).toEqual([]);
});

test.each([...SILENT_TYPES, "issue.activity.deleted"])("%s is silent", (type) => {
  const told = ask({
    ...{ type, people: ["ana", "luis"], subscribers: ["ana"], subscriber: true },
    activities: [commented(mention("luis"))],
  });
  expect([told.inApp, told.email, told.newSubscribers]).toEqual([[], [], []]);
});

test("entries on another item, and descriptions, tell followers nothing", () => {
  const activities = [entryOf("relates_to", { issueId: "other" }), described()];
  expect(inApp(ask({ people: ["ana"], subscribers: ["ana"], activities }))).toEqual([]);
});

const state = entryOf("state", { newIdentifier: "done" });
test.each([
  [{}, ["ana state_change e-state"]],
  [{ stateChange: false }, ["ana issue_completed e-state"]],
  [{ stateChange: false, issueCompleted: false }, ["ana property_change e-state"]],
  [{ stateChange: false, issueCompleted: false, propertyChange: false }, []],
])("a completing state with %j is mailed as %j", (switches, expected) => {
  const people = [{ id: "ana", switches }];
  const told = ask({
    people,
    subscribers: ["ana"],
    activities: [state],
    completedStateIds: ["done"],
  });
  expect(email(told)).toEqual(expected);
  expect(inApp(told)).toEqual(["ana subscribed e-state"]);
});

describe("levels", () => {
  const toldAt = (level: string, more: object = {}) =>
    inApp(ask({ people: [{ id: "ana", level } as { id: string }], ...more }));
  const follows = { subscribers: ["ana"] };
  const mentioned = { activities: [commented(mention("ana"))] };

  test.each([
    ["global", true],
    ["watch", true],
    ["participate", false],
    ["mention", false],
    ["off", false],
    ["custom", true],
  ])("%s: who follows is told: %s", (level, isTold) => {
    expect(toldAt(level, follows)).toEqual(isTold ? ["ana subscribed e-priority"] : []);
  });

  test.each(LEVELS)("%s: who is mentioned is told, unless it is off", (level) => {
    expect(toldAt(level, mentioned)).toEqual(level === "off" ? [] : ["ana mentioned e-comment"]);
  });

  test("watch: every change, subscribed or not", () => {
    expect(toldAt("watch")).toEqual(["ana watching e-priority"]);
  });

  test("participate: by what is theirs, also where the reason says otherwise", () => {
    const isCreator = { ...follows, issue: { id: "i", createdBy: "ana" } };
    expect(toldAt("participate", isCreator)).toEqual(["ana created e-priority"]);
    expect(toldAt("participate", { ...follows, assignees: ["ana"] })).toEqual([
      "ana assigned e-priority",
    ]);
    const both = { ...follows, assignees: ["ana", "eva"], issue: { id: "i", createdBy: "eva" } };
    expect(toldAt("participate", both)).toEqual(["ana subscribed e-priority"]);
  });

  test("custom: what is switched off is not told in the application either", () => {
    const people = [{ id: "ana", level: "custom", switches: { propertyChange: false } }];
    expect(inApp(ask({ people, ...follows }))).toEqual([]);
  });

  test("custom with mentions off: who follows is told of the comment as others are", () => {
    const people = [{ id: "ana", level: "custom", switches: { mention: false } }];
    const told = ask({ people, ...follows, ...mentioned });
    expect(inApp(told)).toEqual(["ana subscribed e-comment"]);
    expect(email(told)).toEqual(["ana comment e-comment"]);
    expect(inApp(ask({ people, ...mentioned }))).toEqual([]);
  });
});

describe("what comes twice", () => {
  test("an entry is told once, as it came first", () => {
    const activities = [entryOf("priority"), entryOf("priority", { field: "state" })];
    const told = ask({ people: ["ana"], subscribers: ["ana"], activities });
    expect(email(told)).toEqual(["ana property_change e-priority"]);
  });

  test.each([{ active: false }, { level: "off" }])("of a member the last counts: %j", (last) => {
    const people = [
      { id: "ana", level: "watch" },
      { id: "ana", level: "watch", ...last },
    ];
    expect(inApp(ask({ people, subscribers: ["ana"] }))).toEqual([]);
  });

  test("ids that look alike when put together are two", () => {
    const activities = [
      { id: "e", field: "comment", newValue: mention("x\ny") },
      { id: "y\ne", field: "comment", newValue: mention("x") },
    ];
    expect(inApp(ask({ people: ["x\ny", "x"], activities }))).toEqual([
      "x\ny mentioned e",
      "x mentioned y\ne",
    ]);
  });
});
