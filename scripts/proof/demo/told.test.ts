import { describe, expect, test } from "vitest";
import type { Audience } from "./audience.ts";
import { generateHistory } from "./generator.ts";
import { introduce } from "./introduce.ts";
import { htmlOf, openMailCatcher } from "./mail-catcher.ts";
import { recordHere } from "./pass-without-fleet.ts";
import { type PlannedJob, planJobs } from "./plan.ts";
import { breachedHere, firedHere, statesOfItems, sweptHere } from "./rules.ts";
import { tellHere } from "./told.ts";

const plan = planJobs(generateHistory({ seed: "told", months: 12 }), {
  ...{ runId: "r", seed: "told", comments: true },
});
const outputs = new Map(plan.jobs.map(({ id, input }) => [id, recordHere(input, id)] as const));
const DAY_S = 86_400;

describe("the audience", () => {
  test("follows all items, is mailed of early ones, and is mentioned in comments", () => {
    const { readers, items, comments, mentions } = plan.audience;
    expect(items.size).toBe(plan.keyOfItem.size);
    const isRead = new Set(readers.map(({ id }) => id));
    const mailed = [...items.values()].filter((it) => it.subscribers.some((id) => isRead.has(id)));
    expect(mailed.length).toBeGreaterThan(0);
    expect(mailed.length).toBeLessThan(items.size / 2);
    expect(comments.length).toBeGreaterThan(0);
    expect([...mentions.keys()]).toEqual(comments.map(({ id }) => id));
    expect(plan.jobs).toEqual(expect.arrayContaining(comments));
  });

  test("is made known as members of each project where it follows something", () => {
    const { members, subscriptions } = introduce(plan);
    const membersOf = new Map(
      plan.projects.map(({ id }) => [
        id,
        new Set(
          members.flatMap((it) => (it.projectId === id ? (it.put ?? []) : [])).map((it) => it.id),
        ),
      ]),
    );
    for (const { projectId, subscribers = [] } of subscriptions.flatMap(({ put }) => put ?? []))
      for (const id of subscribers) expect(membersOf.get(projectId)?.has(id)).toBe(true);
  });
});

describe("who is told, by one pass", () => {
  const reader = { name: "", address: "", locale: "en", timeZone: "UTC" } as const;
  const audience: Audience = {
    readers: [
      { ...reader, id: "all", level: "global", propertyChange: true },
      { ...reader, id: "states", level: "global", propertyChange: false },
      { ...reader, id: "mentions", level: "mention", propertyChange: true },
    ],
    items: new Map([
      [
        "i",
        {
          projectId: "p",
          createdBy: "ana",
          subscribers: ["ana", "luis", "all", "states", "mentions"],
        },
      ],
    ]),
    ...{ mentions: new Map([["comment", "mentions"]]), comments: [] },
  };
  const told = (id: string, field: string, issueId = "i") => {
    const job = { id, projectId: "p", input: { issueId: "i", actorId: "luis" } } as PlannedJob;
    const output = { activities: [{ id: "e", issueId, field }] };
    return tellHere([job], new Map([[id, output as never]]), audience);
  };

  test("a property: followers but its author, and by mail who wants properties", () => {
    const { inApp, mailed } = told("job", "priority");
    expect([...inApp]).toEqual(["ana e created", "all e subscribed", "states e subscribed"]);
    expect([...mailed]).toEqual(["all e"]);
  });
  test("a state: by mail, too, who wants no properties", () => {
    expect([...told("job", "state").mailed]).toEqual(["all e", "states e"]);
  });
  test("a mention: whoever is mentioned as that, and once", () => {
    const { inApp, mailed } = told("comment", "comment");
    expect([...inApp]).toContain("mentions e mentioned");
    expect([...mailed]).toEqual(["mentions e", "all e", "states e"]);
  });
  test("what stands on another item is told of by its own change", () => {
    expect(told("job", "state", "j").inApp.size).toBe(0);
  });
});

describe("rules, deadlines and a sweep, by one pass", () => {
  test("each creation fires, and some changes do", () => {
    const rules = [...firedHere(plan.jobs, outputs)].map((fired) => fired.split(" ", 1)[0]);
    expect(rules.filter((rule) => rule === "created").length).toBe(plan.keyOfItem.size);
    expect(new Set(rules)).toEqual(new Set(["created", "done", "urgent"]));
  });

  const created = Date.UTC(2010, 0);
  const job = (day: number, state: string, group: string) =>
    ({
      projectId: plan.projects[0]?.id,
      input: {
        ...{ issueId: "i", epoch: created / 1_000 + day * DAY_S, requested: { state_id: state } },
        lookups: { states: { [state]: { name: state, group } } },
      },
    }) as unknown as PlannedJob;
  const at = (...jobs: PlannedJob[]) => ({ ...plan, jobs, lastDay: "2011-12-31" });
  const open = job(0, "open", "unstarted");

  test.each<[string, PlannedJob[], number | undefined]>([
    ["done on day 90", [open, job(90, "done", "completed")], undefined],
    ["done on day 91", [open, job(91, "done", "completed")], 90],
    ["never done", [open], 90],
    [
      "open again on day 100 after 50 days",
      [open, job(50, "done", "completed"), job(100, "open", "unstarted")],
      140,
    ],
  ])("%s", (_, jobs, day) => {
    const breached = breachedHere(at(...jobs), created + 1_000 * DAY_S * 1_000);
    expect(breached.get("i")).toBe(day === undefined ? undefined : created + day * DAY_S * 1_000);
  });

  test("old items are archived when done, and closed when open", () => {
    expect([...sweptHere(at(open))]).toEqual(["close i"]);
    expect([...sweptHere(at(open, job(1, "done", "completed")))]).toEqual(["archive i"]);
    expect([...sweptHere({ ...at(open), lastDay: "2010-12-01" })]).toEqual([]);
    expect(statesOfItems([open]).get("i")?.changes.length).toBe(1);
  });
});

test("the HTML of a mail is read in whatever way it was encoded", async () => {
  const mail = (encoding: string, body: string) =>
    `Content-Type: multipart/alternative; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHi\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${body}\r\n--b--\r\n`;
  expect(htmlOf(mail("quoted-printable", "<p>ma=C3=B1ana, =\r\nya</p>"))).toBe("<p>mañana, ya</p>");
  expect(htmlOf(mail("base64", Buffer.from("<p>ñ</p>").toString("base64")))).toBe("<p>ñ</p>");
  expect(htmlOf("Subject: x\r\n\r\nplain")).toBeUndefined();
  await using catcher = await openMailCatcher();
  expect(catcher.url).toMatch(/^smtp:\/\/127\.0\.0\.1:\d+$/);
});
