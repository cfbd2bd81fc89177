/** The handler, called directly: what it returns and what it announces. */
import { runAction } from "@tl-engine/shared/testing/test-job";
import { describe, expect, test } from "vitest";
import { ActivityRecorded } from "./activity-recorded.ts";
import worker from "./index.ts";
import { planeMessage, STATES } from "./sample-changes.fixture.ts";

const { record } = worker.actions;

async function run(...message: Parameters<typeof planeMessage>) {
  const { output, job } = await runAction(record, planeMessage(...message) as never);
  const events = job.emitted.map(({ type, data }) => {
    expect(type).toBe("activity.recorded");
    return ActivityRecorded.parse(data);
  });
  return { output, events };
}

test("the definition is data", () => {
  expect(worker).toMatchObject({ name: "activities", concurrency: 64, timeoutMs: 10_000 });
});

test("a state change is announced with the states that occur in it", async () => {
  const { output, events } = await run(
    "issue.activity.updated",
    { state_id: "state-done" },
    { state_id: "state-doing" },
    { epoch: 1_760_000_000.25 },
  );
  expect(events).toEqual([
    {
      workspaceId: "workspace-1",
      projectId: "project-1",
      issueId: "item-1",
      type: "issue.activity.updated",
      actorId: "ana",
      epoch: 1_760_000_000.25,
      activities: output.activities,
      states: { "state-doing": STATES["state-doing"], "state-done": STATES["state-done"] },
    },
  ]);
});

test("nothing changed: nothing is announced", async () => {
  const { output, events } = await run("issue.activity.updated", { name: "a" }, { name: "a" });
  expect(output.activities).toEqual([]);
  expect(events).toEqual([]);
});

test("a refreshed entry alone is not announced", async () => {
  const lastActivity = {
    id: "activity-1",
    field: "description",
    actorId: "ana",
    epoch: 1_759_999_990,
  };
  const edit = [{ description_html: "b" }, { description_html: "a" }] as const;
  const { output, events } = await run("issue.activity.updated", ...edit, { lastActivity });
  expect(output.touched).toHaveLength(1);
  expect(events).toEqual([]);
});

describe("a creation carries the item", () => {
  test("with all that the change set says", async () => {
    const { events } = await run("issue.activity.created", {
      name: "Pay",
      created_at: "2026-01-02T03:04:05.678Z",
      state_id: "state-open",
      estimate_point: "estimate-5",
      label_ids: ["label-ios", "label-bug", "label-ios"],
      cycle_id: "cycle-1",
    });
    expect(events[0]).toMatchObject({
      item: {
        createdAtEpoch: 1_767_323_045.678,
        stateId: "state-open",
        points: 5,
        labels: ["label-bug", "label-ios"],
        cycleId: "cycle-1",
      },
      states: { "state-open": STATES["state-open"] },
    });
  });

  test("with an estimate that is no number as it is", async () => {
    const { events } = await run("issue.activity.created", { estimate_point: "estimate-xl" });
    expect(events[0]?.item?.points).toBe("XL");
  });

  test("with its time alone when it says no more, or nothing usable", async () => {
    for (const requested of [
      null,
      {},
      { created_at: "soon", state_id: 7, estimate_point: "gone", labels: "x" },
    ])
      expect((await run("issue.activity.created", requested)).events[0]?.item).toEqual({
        createdAtEpoch: 1_760_000_000,
      });
  });
});

test("a state of unknown group is left out of the event, and said", async () => {
  const { output, events } = await run(
    "issue.activity.updated",
    { state_id: "state-done" },
    { state_id: "state-open" },
    {
      lookups: {
        states: { "state-open": { name: "Open" }, "state-done": { name: "Done", group: "won" } },
      },
    },
  );
  expect(events[0]?.states).toEqual({});
  expect(output.activities).toMatchObject([{ oldValue: "Open", newValue: "Done" }]);
  expect(output.warnings.map(({ code }) => code)).toEqual([
    "unknown_state_group",
    "unknown_state_group",
  ]);
});

test("a change of a cycle is announced under its first item", async () => {
  const current = { created_cycle_issues: [{ issue_id: "item-2", cycle_id: "cycle-1" }] };
  const { events } = await run("cycle.activity.created", null, current, { issue_id: null });
  expect(events[0]).toMatchObject({ issueId: "item-2", states: {} });
});

test("the rules that led to a change are handed on, so that automations end their loops", async () => {
  const cause = { depth: 3, path: ["a", "b", "c"] };
  const change = [{ name: "New" }, { name: "Old" }] as const;
  const { events } = await run("issue.activity.updated", ...change, { cause });
  expect(events[0]?.cause).toEqual(cause);
  const { events: plain } = await run("issue.activity.updated", ...change, { cause: null });
  expect(plain[0]).not.toHaveProperty("cause");
  await expect(
    run("issue.activity.updated", ...change, { cause: { depth: -1 } }),
  ).rejects.toThrow();
});
