import { expect, test } from "vitest";
import { generateHistory } from "./generator.ts";
import type { Issue } from "./history.ts";
import { recordHere } from "./pass-without-fleet.ts";
import { planJobs, publishOrder } from "./plan.ts";
import type { ChangeInput } from "./plan-issue.ts";
import { planeState } from "./plane.ts";

const issue: Issue = {
  key: "ABC-7",
  project: "ABC",
  type: "Story",
  priority: "Major",
  createdAt: "2011-01-01T10:00:00.500Z",
  createdBy: "u1",
  firstStatus: "Open",
  lastStatus: "Closed",
  changes: [
    {
      at: "2011-01-02T10:00:00.000Z",
      by: "u2",
      items: [
        { field: "component", from: null, to: "core" },
        { field: "component", from: "web", to: null },
        { field: "type", from: "Bug", to: "Story" },
        { field: "priority", from: "Blocker", to: "Major" },
        { field: "assignee", from: null, to: "u3" },
      ],
    },
    {
      at: "2011-01-03T10:00:00.000Z",
      by: null,
      items: [
        { field: "status", from: "Open", to: "Closed" },
        { field: "resolution", from: null, to: "Won't Fix" },
        { field: "duedate", from: "2011-05-10 00:00:00.0", to: null },
        { field: "parent", from: null, to: "ABC-1" },
        { field: "Story Points", from: "3", to: "5" },
        { field: "timeestimate", from: null, to: "3600" },
      ],
    },
  ],
};
const options = { runId: "r1", seed: "s" };
const entriesOf = (input: ChangeInput | undefined) =>
  recordHere(input as ChangeInput, "job-1").activities.map(
    ({ verb, field, oldValue, newValue }) => [verb, field, oldValue, newValue] as const,
  );

test("a creation carries what the first changes took away", () => {
  const plan = planJobs([issue], options);
  const [created] = plan.jobs;
  expect(created?.id).toBe("demo.r1.ABC-7.0");
  const { input } = created ?? expect.fail();
  expect(input).toMatchObject({
    type: "issue.activity.created",
    epoch: Date.parse(issue.createdAt) / 1_000,
    current: null,
    requested: { priority: "urgent", assignee_ids: [], target_date: "2011-05-10", parent_id: null },
  });
  const labels = Object.values(input.lookups.labels).map(({ name }) => name);
  expect(labels.sort()).toEqual(["Bug", "web"]);
  expect(Object.values(input.lookups.states)).toEqual([{ name: "Open", group: "unstarted" }]);
  expect(Object.values(input.lookups.estimates)).toEqual([{ name: "3" }]);
  expect(entriesOf(input)).toEqual([["created", null, null, null]]);
});

test("a change set makes the entries that Plane shows", () => {
  const [, edited, closed] = planJobs([issue], options).jobs;
  expect(entriesOf(edited?.input)).toEqual(
    expect.arrayContaining([
      ["updated", "priority", "urgent", "medium"],
      ["updated", "labels", "", "core"],
      ["updated", "labels", "web", ""],
      ["updated", "labels", "", "Story"],
      ["updated", "labels", "Bug", ""],
      ["updated", "assignees", "", "u3"],
    ]),
  );
  expect(entriesOf(closed?.input)).toEqual(
    expect.arrayContaining([
      ["updated", "state", "Open", "Cancelled"],
      ["updated", "target_date", "2011-05-10", ""],
      ["updated", "parent", "", "ABC-1"],
    ]),
  );
  expect(closed?.input.requested).toMatchObject({ timeestimate: "3600" });
});

test("no look-up is missing: a generated tracker is recorded without a warning", () => {
  const history = generateHistory({ seed: "plan", months: 12 });
  const { jobs } = planJobs(history, options);
  expect(jobs.length).toBe(history.length + history.flatMap(({ changes }) => changes).length);
  for (const { input } of jobs) expect(recordHere(input, "job-1").warnings).toEqual([]);
});

test("ids are the same in a repeat, all different in another run", () => {
  const history = generateHistory({ seed: "ids", months: 2 });
  const plan = planJobs(history, options);
  expect(planJobs(history, options)).toEqual(plan);
  const other = planJobs(history, { ...options, runId: "r2" });
  expect(new Set(plan.jobs.map(({ id }) => id)).size).toBe(plan.jobs.length);
  expect(other.workspaceId).not.toBe(plan.workspaceId);
  const issueIds = new Set(plan.keyOfItem.keys());
  for (const id of other.keyOfItem.keys()) expect(issueIds.has(id)).toBe(false);
});

test("odd keys still make job ids", () => {
  const [job] = planJobs([{ ...issue, key: "ÄÖ 7/x" }], options).jobs;
  expect(job?.id).toBe("demo.r1.line-1.0");
});

test("publishing is shuffled within the window, and 2 % come twice", () => {
  const order = publishOrder(5_000, "s", 300, 0.02);
  expect(order.length).toBe(5_100);
  expect(new Set(order).size).toBe(5_000);
  expect(order).not.toEqual(order.toSorted((a, b) => a - b));
  // A job can be overtaken by, and overtake, at most the window and the copies in it.
  for (const [place, job] of order.entries())
    expect(Math.abs(place - job * 1.02)).toBeLessThan(300 + 100);
  expect(publishOrder(5_000, "s", 300, 0.02)).toEqual(order);
});

test("the last day leaves out stragglers, not the end of the work", () => {
  expect(planJobs([issue], options).lastDay).toBe("2011-01-03");
  const busy = generateHistory({ seed: "last", months: 3 });
  const [first] = busy;
  if (!first) return expect.fail();
  const at = "2015-01-01T00:00:00.000Z";
  const late = { ...first, changes: [...first.changes, { at, by: null, items: [] }] };
  expect(planJobs([late, ...busy.slice(1)], options).lastDay).toBe(planJobs(busy, options).lastDay);
});

test.each([
  ["Received", null, "Received", "backlog"],
  ["In Review", null, "In Review", "started"],
  ["Closed", "Fixed", "Closed", "completed"],
  ["Resolved", "Duplicate", "Cancelled", "cancelled"],
  ["Open", "Won't Fix", "Open", "unstarted"],
  ["Whatever", null, "Whatever", "unstarted"],
])("%s with resolution %s is the state %s of the group %s", (status, resolution, name, group) => {
  expect(planeState(status, resolution)).toEqual({ name, group });
});
