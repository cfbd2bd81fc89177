/** Jobs that are made to do harm: refused with a path, or answered within bounds. */
import { inTurns } from "@tl-engine/shared";
import { watchTurns } from "@tl-engine/shared/testing/longest-turn";
import { describe, expect, test, vi } from "vitest";
import { RecipientsInput, RecipientsOutput } from "../schemas/recipients.ts";
import { CEILINGS } from "../schemas/vocabulary.ts";
import { answer, isLong, MOST_TOLD } from "./answer.ts";
import { ask, entryOf, inApp, mention } from "./told.fixture.ts";

vi.setConfig({ testTimeout: 60_000 });

const good = { type: "issue.activity.updated", issue: { id: "i" }, actorId: "actor" };
const list = <It>(length: number, of: (n: number) => It) => Array.from({ length }, (_, n) => of(n));
const ids = (length: number) => list(length, (n) => `u${n}`);

test.each<[string, object, string]>([
  ["no type", { type: undefined }, "type"],
  ["an item without an id", { issue: {} }, "issue.id"],
  ["an empty id", { actorId: "" }, "actorId"],
  ["an id with NUL", { actorId: "a\0" }, "actorId"],
  ["an id of 256", { actorId: "a".repeat(256) }, "actorId"],
  ["an id that is a list", { actorId: ["a"] }, "actorId"],
  ["a title of 1,001", { issue: { id: "i", name: "x".repeat(1_001) } }, "issue.name"],
  ["5,001 subscribers", { subscribers: ids(CEILINGS.peoplePerItem + 1) }, "subscribers"],
  ["5,001 assignees", { assignees: ids(CEILINGS.peoplePerItem + 1) }, "assignees"],
  ["10,001 members", { members: list(10_001, (n) => ({ id: `u${n}` })) }, "members"],
  ["1,001 entries", { activities: list(1_001, (n) => ({ id: `e${n}` })) }, "activities"],
  ["5,001 states", { completedStateIds: ids(5_001) }, "completedStateIds"],
  ["a description of 2,000,001", { requestedHtml: "x".repeat(2_000_001) }, "requestedHtml"],
  ["a level of another's", { members: [{ id: "a", level: "loud" }] }, "members.0.level"],
  [
    "a switch that is a word",
    { members: [{ id: "a", prefs: { comment: "no" } }] },
    "members.0.switches.comment",
  ],
  ["an epoch beyond time", { activities: [{ id: "e", epoch: 1e15 }] }, "activities.0.epoch"],
  [
    "a date that is none",
    { activities: [{ id: "e", createdAt: "yesterday" }] },
    "activities.0.createdAt",
  ],
  [
    "a date in the year 9999",
    { activities: [{ id: "e", createdAt: "9999-01-01T00:00:00Z" }] },
    "activities.0.createdAt",
  ],
])("%s is refused, with the path", (_what, part, path) => {
  const { error } = RecipientsInput.safeParse({ ...good, ...part });
  expect(error?.issues.map((issue) => issue.path.join("."))).toContain(path);
});

describe("answered, within bounds", () => {
  /** As a worker does it. */
  async function timed(job: object) {
    const input = RecipientsInput.parse({ ...good, ...job });
    expect(isLong(input)).toBe(true);
    const longestMs = watchTurns();
    const output = await inTurns(answer(input), new AbortController().signal);
    expect(longestMs()).toBeLessThan(250);
    return RecipientsOutput.parse(output);
  }
  const members = (length: number, more: object = {}) => ids(length).map((id) => ({ id, ...more }));

  test("5,000 subscribers of 1,000 entries: some are told, the others counted", async () => {
    const before = process.memoryUsage().heapUsed;
    const told = await timed({
      ...{ subscribers: ids(5_000), members: members(5_000) },
      activities: list(1_000, (n) => ({ id: `e${n}`, field: "name" })),
    });
    expect([told.inApp.length, told.email.length]).toEqual([MOST_TOLD, MOST_TOLD]);
    expect(told.warnings.map(({ code, message }) => [code, message])).toEqual([
      ["too_many_notifications", expect.stringMatching(/^5000000 notifications and 5000000 mails/)],
    ]);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(150 * 1_048_576);
  });

  test("10,000 who watch 1,000 entries", async () => {
    const told = await timed({
      members: members(10_000, { level: "watch" }),
      activities: list(1_000, (n) => ({ id: `e${n}`, field: "name" })),
    });
    expect(told.inApp).toHaveLength(MOST_TOLD);
  });

  test("1,000 mentions in the description of a change of 1,000 entries", async () => {
    const told = await timed({
      ...{
        members: members(1_000),
        requestedHtml: ids(1_000)
          .map((id) => mention(id))
          .join(""),
      },
      activities: list(1_000, (n) => ({ id: `e${n}`, field: "name" })),
    });
    expect(told.inApp).toHaveLength(MOST_TOLD);
  });

  test("10,000 mentions: the first thousand are told, with a warning", async () => {
    const told = await timed({
      ...{ members: members(10_000), activities: [{ id: "e", field: "description" }] },
      requestedHtml: ids(10_000)
        .map((id) => mention(id))
        .join(""),
    });
    expect(told.inApp).toHaveLength(CEILINGS.mentionsPerText);
    expect(told.warnings).toMatchObject([{ code: "too_many_mentions", field: "requestedHtml" }]);
  });

  test("10,000 mentions in a comment", async () => {
    const newValue = ids(10_000)
      .map((id) => mention(id))
      .join("");
    const activities = [{ id: "e", field: "comment", newValue }];
    const told = await timed({ members: members(10_000), activities });
    expect(told.warnings).toMatchObject([{ code: "too_many_mentions", field: "activities" }]);
  });

  test("1,000 comments of the same thousand mentions are read once", async () => {
    const newValue = ids(1_000)
      .map((id) => mention(id))
      .join("");
    const told = await timed({
      members: members(100),
      activities: list(1_000, (n) => ({ id: `e${n}`, field: "comment", newValue })),
    });
    expect(told.inApp).toHaveLength(MOST_TOLD);
  });
});

test.each([
  "__proto__",
  "constructor",
  "toString",
  "\u202eana",
  "💥".repeat(60),
  "\ud800",
  "a\r\nb",
])("%j is an id as others are", (id) => {
  const people = [{ id }];
  expect(inApp(ask({ people, subscribers: [id], assignees: [id] }))).toEqual([
    `${id} assigned e-priority`,
  ]);
});

test.each(["__proto__", "constructor", "x".repeat(255), "", "STATE"])(
  "the field %j is a property as others are",
  (field) => {
    const activities = [entryOf(field, { id: "e" })];
    expect(ask({ people: ["ana"], subscribers: ["ana"], activities }).email).toMatchObject([
      { kind: "property_change", field },
    ]);
  },
);
