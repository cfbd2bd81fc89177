/** What a recorded change does, by what is kept: who is told, who follows from then on, and what is mailed. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { mention } from "../recipients/told.fixture.ts";
import { type Job, type Kept, openKept } from "./kept.fixture.ts";
import { MAX_EVENT_NOTIFICATIONS } from "./schemas.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const databaseUrl = process.env.DATABASE_URL;
const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
const epochOf = (minute: number) => Date.UTC(2026, 0, 1, 0, minute) / 1_000;

interface Created {
  notifications: { id: string; receiverId: string; reason: string; activityId: string }[];
  newSubscribers: string[];
}

describe.skipIf(!databaseUrl)("on Postgres", () => {
  let kept: Kept;
  beforeAll(async () => {
    kept = await openKept(String(databaseUrl));
  });
  afterAll(() => kept?.close());

  /** A workspace in which every id is its own; what comes out is shown without that. */
  function workspace() {
    const own = kept.newWorkspace();
    const id = (name: string) => `${name}-${own}`;
    const run = (action: Job["action"], input: object, env?: object) =>
      kept.run(own, { action, input }, env);
    return {
      ...{ own, id },
      members: (names: string[], more: object = {}) =>
        run("members", {
          projectId: id("p"),
          put: names.map((name) => ({
            ...{ id: id(name), address: `${name}@x.example`, updatedAt: at(0), ...more },
          })),
        }),
      leave: (name: string, more: object = { projectId: id("p") }) =>
        run("members", { ...more, remove: [{ id: id(name), updatedAt: at(1) }] }),
      follow: (more: object) =>
        run("subscriptions", {
          put: [{ issueId: id("i"), projectId: id("p"), updatedAt: at(0), ...more }],
        }),
      unfollow: (more: object) =>
        run("subscriptions", { remove: [{ issueId: id("i"), updatedAt: at(5), ...more }] }),
      prefer: (name: string, more: object) =>
        run("preferences", { memberId: id(name), updatedAt: at(0), ...more }),
      async change(
        entries: object[],
        more: { minute?: number; [key: string]: unknown } = {},
        env?: object,
      ) {
        const { minute = 10, ...rest } = more;
        const common = { actorId: id("actor"), issueId: id("i"), epoch: epochOf(minute) };
        const { output, job } = await run(
          "notify",
          {
            ...{ projectId: id("p"), type: "issue.activity.updated", ...common },
            activities: entries.map((entry, n) => ({ id: `e${minute}-${n}`, ...common, ...entry })),
            ...rest,
          },
          env,
        );
        const events = job.emitted.map(({ data }) => data as Created);
        const told = events
          .flatMap(({ notifications }) => notifications)
          .map(({ receiverId, reason }) => `${receiverId.replace(`-${own}`, "")} ${reason}`);
        return { output, events, told, timers: job.kept };
      },
    };
  }
  const priority = { field: "priority", newValue: "high" };

  test("of two changes of one item in a batch the second tells who made the first", async () => {
    const w = workspace();
    await w.members(["ana", "luis"]);
    const change = (actorId: string, n: number) => ({
      ...{ workspaceId: w.own, projectId: w.id("p"), issueId: w.id("i"), actorId },
      ...{ type: "issue.activity.updated", epoch: epochOf(n) },
      activities: [{ id: `b${n}`, issueId: w.id("i"), actorId, epoch: epochOf(n), ...priority }],
    });
    const { outputs } = await kept.runTogether([change(w.id("ana"), 1), change(w.id("luis"), 2)]);
    expect(outputs).toMatchObject([
      { inApp: 0, newSubscribers: [w.id("ana")] },
      { inApp: 1, newSubscribers: [w.id("luis")] },
    ]);
  });

  test("followers who are members are told, with ids of the receiver and the entry", async () => {
    const w = workspace();
    await w.members(["ana", "luis", "eva"]);
    const { ana, luis, stranger } = { ana: w.id("ana"), luis: w.id("luis"), stranger: w.id("no") };
    await w.follow({ createdBy: ana, subscribers: [ana, luis, stranger], assignees: [luis] });
    const first = await w.change([priority]);
    expect(first.told).toEqual(["ana created", "luis assigned"]);
    expect(first.output).toMatchObject({ inApp: 2, mails: 2, warnings: [] });
    // The same change under another job's id: the same ids.
    const again = await w.change([priority]);
    const idsOf = ({ events }: typeof first) => events[0]?.notifications.map(({ id }) => id);
    expect(idsOf(again)).toEqual(idsOf(first));
    expect(new Set(idsOf(first)).size).toBe(2);
    // And mailed once.
    expect([first.timers.length, again.timers.length]).toEqual([2, 0]);
    expect(first.timers[0]).toMatchObject({ action: "digest", input: { receiverId: ana } });
  });

  test("who acts, is assigned or is mentioned follows the item from then on", async () => {
    const w = workspace();
    await w.members(["actor", "luis", "eva"]);
    const [actorId, luis, eva] = ["actor", "luis", "eva"].map(w.id) as [string, string, string];
    const assigned = { field: "assignees", newIdentifier: luis };
    expect((await w.change([assigned], { minute: 1 })).told).toEqual(["luis assigned"]);
    const comment = { field: "comment", newValue: mention(eva) };
    const { told, output } = await w.change([comment], { minute: 2 });
    expect(told).toEqual(["luis assigned", "eva mentioned"]);
    expect(output.newSubscribers).toEqual([eva]);
    const after = await w.change([priority], { minute: 3, actorId: w.id("other") });
    expect(after.told.toSorted()).toEqual(["actor subscribed", "eva subscribed", "luis assigned"]);
    expect(actorId).toContain("actor");
    // Taken from the item, luis still follows it.
    await w.change([{ field: "assignees", oldIdentifier: luis }], { minute: 4 });
    expect((await w.change([priority], { minute: 5 })).told).toContain("luis subscribed");
  });

  test("who creates an item is its creator", async () => {
    const w = workspace();
    await w.members(["actor"]);
    const created = { type: "issue.activity.created", isCreation: true, minute: 1 };
    await w.change([{ field: null, verb: "created" }], created);
    expect((await w.change([priority], { actorId: w.id("other") })).told).toEqual([
      "actor created",
    ]);
  });

  test("who unfollows, leaves or is gone is told no more, until they act again", async () => {
    const w = workspace();
    await w.members(["ana", "luis", "eva"]);
    await w.follow({ subscribers: ["ana", "luis", "eva"].map(w.id) });
    await w.unfollow({ memberId: w.id("ana") });
    await w.leave("luis");
    await w.leave("eva", {});
    expect((await w.change([priority])).told).toEqual([]);
    await w.change([priority], { minute: 11, actorId: w.id("ana") });
    expect((await w.change([priority], { minute: 12 })).told).toEqual(["ana subscribed"]);
    await w.unfollow({ updatedAt: at(13) });
    expect((await w.change([priority], { minute: 14 })).told).toEqual([]);
  });

  test("followers that are put anew replace those of before; left out, they stay", async () => {
    const w = workspace();
    await w.members(["ana", "luis"]);
    await w.follow({ subscribers: [w.id("ana")] });
    await w.follow({ subscribers: [w.id("luis")], updatedAt: at(2) });
    await w.follow({ name: "Another title", updatedAt: at(3) });
    expect((await w.change([priority])).told).toEqual(["luis subscribed"]);
    await w.follow({ subscribers: [], updatedAt: at(20) });
    expect((await w.change([priority], { minute: 21 })).told).toEqual([]);
  });

  test("levels and switches are those that were put, before or after the person", async () => {
    const w = workspace();
    await w.prefer("ana", { level: "watch", prefs: { property_change: false } });
    await w.members(["ana", "luis"]);
    await w.follow({ subscribers: [w.id("luis")] });
    await w.prefer("luis", { level: "off" });
    const change = await w.change([priority]);
    expect([change.told, change.output.mails]).toEqual([["ana watching"], 0]);
  });

  test("a key that is misspelt is told of by the jobs that keep: its value would be the default", async () => {
    const { members, follow, prefer } = workspace();
    const said = await Promise.all([
      members(["ana"], { time_zon: "Europe/Madrid" }),
      follow({ subscribrs: [] }),
      prefer("ana", { quietFron: 0 }),
    ]);
    expect(said.map(({ output }) => output.warnings)).toMatchObject([
      [{ code: "unknown_key", field: "put[0].time_zon" }],
      [{ code: "unknown_key", field: "put[0].subscribrs" }],
      [{ code: "unknown_key", field: "quietFron" }],
    ]);
  });

  test("entries on other items, and silent changes, tell nobody and subscribe nobody", async () => {
    const w = workspace();
    await w.members(["ana", "actor"]);
    await w.follow({ subscribers: [w.id("ana")] });
    const elsewhere = await w.change([{ field: "relates_to", issueId: w.id("other") }]);
    expect(elsewhere.told).toEqual([]);
    await w.unfollow({ updatedAt: at(15) });
    const vote = await w.change([{ field: "vote" }], {
      ...{ type: "issue_vote.activity.created", minute: 16 },
    });
    expect(vote.told).toEqual([]);
    expect((await w.change([priority], { minute: 17, actorId: w.id("x") })).told).toEqual([]);
  });

  test("without a mail server nothing is kept to be mailed, and all is told", async () => {
    const w = workspace();
    await w.members(["ana"]);
    await w.follow({ subscribers: [w.id("ana")] });
    const { told, timers } = await w.change([priority], {}, {});
    expect([told, timers]).toEqual([["ana subscribed"], []]);
  });

  test("3,000 followers of a comment of a million characters: in several events, each mailed", async () => {
    const w = workspace();
    const names = Array.from({ length: 1_000 }, (_, n) => `m${n}`);
    const all = ["a", "b", "c"].map((group) => names.map((name) => `${group}${name}`));
    for (const group of all) await w.members(group);
    await w.follow({ subscribers: all.flat().map(w.id) });
    const newValue = `${mention(w.id("am0"))}${"<p>hello</p>".repeat(80_000)}`;
    const { events, output, timers } = await w.change([{ field: "comment", newValue }]);
    expect(events.map(({ notifications }) => notifications.length)).toEqual([
      ...[MAX_EVENT_NOTIFICATIONS, MAX_EVENT_NOTIFICATIONS, MAX_EVENT_NOTIFICATIONS],
    ]);
    expect([output.inApp, output.mails, timers.length]).toEqual([3_000, 3_000, 3_000]);
  });

  test("texts and ids that Postgres refuses cost nobody their word", async () => {
    const w = workspace();
    await w.members(["ana"]);
    await w.follow({ subscribers: [w.id("ana")] });
    const { told } = await w.change([
      { field: "name", newValue: "a\0b\ud800" },
      { field: "assignees", newIdentifier: "x\0", oldIdentifier: "y".repeat(300) },
      { field: "comment", newValue: `${mention("z\0")}\0` },
    ]);
    expect(told).toHaveLength(3);
  });
});
