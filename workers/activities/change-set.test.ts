/** What the schema takes, and what it refuses with a message that says where and why. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ActivityEntries } from "./activity-entries.ts";
import { ActivityRecorded } from "./activity-recorded.ts";
import { ChangeSet, MAX_LIST_ELEMENTS, MAX_LOOKUP_NAMES } from "./change-set.ts";
import { planeMessage } from "./sample-changes.fixture.ts";

const message = (more: object) =>
  planeMessage(
    "issue.activity.updated",
    { state_id: "state-done" },
    { state_id: "state-open" },
    more,
  );

function refusal(sent: unknown): string[] {
  const { error } = ChangeSet.safeParse(sent);
  return error?.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`) ?? [];
}

test("snake_case with JSON in strings and camelCase with objects are one", () => {
  const camel = {
    type: "issue.activity.updated",
    issueId: "item-1",
    projectId: "project-1",
    workspaceId: "workspace-1",
    actorId: "ana",
    epoch: 1_760_000_000,
    requested: { stateId: "state-done" },
    current: { stateId: "state-open" },
    lookups: {},
    lastActivity: { id: "a", field: "name", actorId: "bo", epoch: 1.5 },
    coalesceWindowMs: 5,
  };
  const snake = message({
    lookups: {},
    last_activity: { id: "a", field: "name", actor_id: "bo", epoch: 1.5 },
    coalesce_window_ms: 5,
  });
  expect(ChangeSet.parse(snake)).toEqual(camel);
  expect(ChangeSet.parse(camel)).toEqual(camel);
});

test("what Plane leaves out may be left out", () => {
  const { lookups: _lookups, workspace_id: _workspace, ...plain } = message({});
  expect(ChangeSet.parse(plain)).toMatchObject({
    workspaceId: null,
    lookups: {},
    lastActivity: null,
  });
  expect(
    ChangeSet.parse(message({ requested_data: "null", current_instance: "null" })),
  ).toMatchObject({
    requested: {},
    current: null,
  });
});

test("an epoch may have fractions", () => {
  expect(ChangeSet.parse(message({ epoch: 1_760_000_000.123 })).epoch).toBe(1_760_000_000.123);
});

describe("refused", () => {
  const tooMany = Array(MAX_LIST_ELEMENTS + 1).fill("x");
  const manyNames = Object.fromEntries(
    Array.from({ length: MAX_LOOKUP_NAMES + 1 }, (_, n) => [n, { name: "x" }]),
  );

  test.each<[string, unknown, RegExp]>([
    ["null", null, /^: /],
    ["a list", [], /^: /],
    ["an unknown type", message({ type: "page.activity.created" }), /^type: /],
    ["a type of Object.prototype", message({ type: "constructor" }), /^type: /],
    ["no item", message({ issue_id: null }), /^issueId: is required for issue\.activity\.updated/],
    ["no project", message({ project_id: undefined }), /^projectId: /],
    ["an empty actor", message({ actor_id: "" }), /^actorId: /],
    ["an id that is a number", message({ issue_id: 7 }), /^issueId: /],
    ["a long id", message({ issue_id: "x".repeat(256) }), /^issueId: /],
    ["epoch in milliseconds", message({ epoch: 1_760_000_000_000 }), /^epoch: must be in seconds/],
    ["epoch as text", message({ epoch: "1760000000" }), /^epoch: /],
    ["endless epoch", message({ epoch: Number.POSITIVE_INFINITY }), /^epoch: /],
    ["broken JSON", message({ requested_data: "{" }), /^requested: is a string that is not JSON/],
    [
      "broken JSON of old",
      message({ current_instance: "{'a'}" }),
      /^current: is a string that is not JSON/,
    ],
    ["data that is a list", message({ requested_data: [] }), /^requested: /],
    ["data that is JSON of a number", message({ requested_data: "7" }), /^requested: /],
    [
      "a long list",
      message({ requested_data: { labels: tooMany } }),
      /^requested\.labelIds: at most 5000 elements, got 5001/,
    ],
    [
      "a long list of old",
      message({ current_instance: JSON.stringify({ assignee_ids: tooMany }) }),
      /^current\.assigneeIds: at most 5000/,
    ],
    [
      "a long list inside a string",
      message({ current_instance: { created_cycle_issues: JSON.stringify(tooMany) } }),
      /^current\.createdCycleIssues: at most 5000/,
    ],
    [
      "many look-ups",
      message({ lookups: { users: manyNames } }),
      /^lookups\.users: at most 10000 names/,
    ],
    ["look-ups that are a list", message({ lookups: { users: [] } }), /^lookups\.users: /],
    ["a last entry without id", message({ last_activity: { epoch: 1 } }), /^lastActivity\.id: /],
    ["a window that is text", message({ coalesceWindowMs: "5" }), /^coalesceWindowMs: /],
  ])("%s", (_, sent, reason) => {
    expect(refusal(sent)).toEqual([expect.stringMatching(reason)]);
  });
});

test("deep data costs nothing", () => {
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  const parsed = ChangeSet.parse(
    message({ requested_data: `{"foo":${deep},"state":${deep},"state_id":${deep}}` }),
  );
  expect(Object.keys(parsed.requested)).toEqual(["stateId"]);
  expect(parsed.keyWarnings).toMatchObject([
    { code: "conflicting_keys", path: "requested.stateId" },
  ]);
});

test("__proto__ in the data is no prototype", () => {
  const sent = JSON.parse(
    '{"requested":{"__proto__":{"stateId":"x"},"name":"a"},"lookups":{"states":{"__proto__":{"name":"x"}}}}',
  );
  const parsed = ChangeSet.parse(message({ requested_data: undefined, ...sent }));
  expect(parsed.requested.stateId).toBeUndefined();
  expect(({} as { name?: string }).name).toBeUndefined();
});

test("the schemas have JSON Schemas, from which the contract is made", () => {
  for (const schema of [ChangeSet, ActivityEntries, ActivityRecorded])
    expect(z.toJSONSchema(schema, { io: "input" })).toMatchObject({ type: "object" });
  const required = z.toJSONSchema(ChangeSet, { io: "input" }).required;
  expect(required).toEqual(["type", "projectId", "actorId", "epoch"]);
});
