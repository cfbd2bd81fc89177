/** The comparison of Plane's rows with the engine's entries, run as make runs it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const SCRIPT = fileURLToPath(new URL("compare-activities.ts", import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "compare-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const row = (more: object = {}) => ({
  issue_id: "i1",
  ...{ verb: "updated", field: "priority", old_value: "low", new_value: "high" },
  ...{ old_identifier: null, new_identifier: null, issue_comment_id: null },
  ...{ actor_id: "ana", epoch: 1_700_000_000 },
  // Columns that only Plane's table has.
  ...{ id: "r1", created_at: "2026-01-01T00:00:00Z", attachments: [] },
  ...more,
});
const entry = (more: object = {}) => ({
  id: "a1",
  issueId: "i1",
  ...{ verb: "updated", field: "priority", oldValue: "low", newValue: "high" },
  ...{ oldIdentifier: null, newIdentifier: null, issueCommentId: null },
  ...{ actorId: "ana", epoch: 1_700_000_000 },
  ...more,
});
const change = (...activities: object[]) => ({ type: "issue.activity.updated", activities });

function run(plane: string | object[], engine: string | object[]) {
  const file = (name: string, lines: string | object[]) => {
    const text =
      typeof lines === "string" ? lines : lines.map((it) => JSON.stringify(it)).join("\n");
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  return runOn(file("plane.ndjson", plane), file("engine.ndjson", engine));
}

function runOn(PLANE: string, ENGINE: string) {
  const env = { ...process.env, PLANE, ENGINE };
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT], {
    env,
    encoding: "utf8",
  });
  const lines = stdout.trimEnd().split("\n");
  return { status, lines, last: lines.at(-1), stderr: stderr.replaceAll(`${folder}/`, "") };
}

test("equal as multisets: order, spelling and who holds several entries a line don't count", () => {
  const other = { epoch: 1_700_000_001 };
  const { status, last, lines } = run(
    [row(other), row(), row()],
    [change(entry(), entry(other)), { status: "succeeded", output: change(entry()) }],
  );
  expect(status).toBe(0);
  expect(last).toBe(
    "compare-activities: plane=3 engine=3 equal=3 only_plane=0 only_engine=0 different=0",
  );
  expect(lines.join("\n")).toMatch(/issue\.activity\.updated +priority +3 +0 +0 +0/);
});

test("differences by type and field, with examples", () => {
  const { status, last, lines } = run(
    [
      row({ new_value: "urgent" }),
      row({ field: "name", new_value: "x" }),
      row({ issue_id: "i2", field: "estimate_point" }),
      row({ issue_id: "i3", verb: "created", field: null, actor_id: "bot" }),
      row({ issue_id: "i4" }),
      row({ issue_id: "i4" }),
    ],
    [
      change(entry(), entry({ field: "name", newValue: "x" })),
      change(entry({ issueId: "i3", verb: "created", field: null })),
      change(entry({ issueId: "i4" })),
      change(entry({ issueId: "i5", field: "labels", oldValue: "", newValue: "\u001b[31mred" })),
    ],
  );
  expect(status).toBe(1);
  expect(last).toBe(
    "compare-activities: plane=6 engine=5 equal=2 only_plane=2 only_engine=1 different=2",
  );
  const text = lines.join("\n");
  expect(text).toContain('  new_value: Plane "urgent", engine "high" (item i1, epoch 1700000000)');
  expect(text).toContain('  actor_id: Plane "bot", engine "ana" (item i3, epoch 1700000000)');
  expect(text).toContain('  only Plane: updated "low" → "high" (item i4, epoch 1700000000)');
  expect(text).toMatch(/^\? +estimate_point +0 +1 +0 +0$/m);
  expect(text).toMatch(/^issue\.activity\.updated +– +0 +0 +0 +1$/m);
  expect(text).toMatch(/^issue\.activity\.updated +labels +0 +0 +1 +0$/m);
  expect(text).not.toContain("\u001b");
});

describe("what can't be read is told with file and line, and nothing is compared", () => {
  const good = [row()];
  const bad: [string, string | object[], string][] = [
    ["no JSON", '{"issue_id"', "plane.ndjson:1: is not JSON"],
    ["in a later line", `${JSON.stringify(row())}\n\n[]`, "plane.ndjson:3: must be an object"],
    ["no verb", [row({ verb: null })], "plane.ndjson:1: verb must be a text"],
    ["no item", [row({ issue_id: undefined })], "plane.ndjson:1: issue_id must be a text"],
    ["a number", [row({ new_value: 5 })], "plane.ndjson:1: new_value must be a text"],
    ["an epoch of text", [row({ epoch: "1" })], "plane.ndjson:1: epoch must be a number"],
    ["entries of another type", [{ activities: 7 }], "plane.ndjson:1: activities must be a list"],
    ["an entry that is none", [{ activities: [7] }], "plane.ndjson:1: activities[0] must be an"],
    ["nothing", "\n", "plane.ndjson: has no entries"],
  ];
  test.each(bad)("%s", (_, plane, message) => {
    const { status, stderr, last } = run(plane, good);
    expect([status, last]).toEqual([2, ""]);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("    at ");
  });

  test("no file, a folder, no name", () => {
    writeFileSync(join(folder, "good.ndjson"), JSON.stringify(row()));
    const file = join(folder, "good.ndjson");
    expect(runOn(file, join(folder, "none"))).toMatchObject({
      ...{ status: 2, stderr: expect.stringContaining("none: ENOENT") },
    });
    expect(runOn(folder, file)).toMatchObject({ status: 2 });
    expect(runOn("", file).stderr).toContain("usage: make compare-activities");
  });
});
