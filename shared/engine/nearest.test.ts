/** What a slip of the hand is taken for. */
import { expect, test } from "vitest";
import { nearest } from "./nearest.ts";

const KNOWN = ["project_id", "projectId", "workspaceId", "epoch", "requested"];

test.each([
  ["project_d", "project_id"],
  ["PROJECT-ID", "project_id"],
  ["projectIds", "project_id"],
  ["epoc", "epoch"],
  ["epochs", "epoch"],
  ["requestet", "requested"],
])("%s is one edit from %s", (name, known) => {
  expect(nearest(name, KNOWN, 1)).toBe(known);
});

test("two edits are one too many for one, and the nearest of several counts", () => {
  expect(nearest("epcoh", KNOWN, 1)).toBeUndefined();
  expect(nearest("epcoh", KNOWN, 2)).toBe("epoch");
  expect(nearest("abd", ["abcde", "abc", "ab"], 2)).toBe("abc");
  expect(nearest("page", [], 2)).toBeUndefined();
});
