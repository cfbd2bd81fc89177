/** Log lines for people: one line each, whatever a worker writes. */
import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { prettyLine } from "./log-lines.ts";

const pretty = (entry: unknown) =>
  stripVTControlCharacters(
    prettyLine("activities", typeof entry === "string" ? entry : JSON.stringify(entry)),
  ).replace(/^\d\d:\d\d:\d\d\.\d{3} /, "");

test("level, message and fields, without what is the same on every line", () => {
  const time = "2024-01-01T12:00:00.000Z";
  const common = { time, engine: "activities", env: "dev", worker: "host-1" };
  expect(pretty({ ...common, level: "info", msg: "ready", prefetch: 64 })).toBe(
    "activities   info  ready prefetch=64",
  );
});

test("an error is its message and the first place in the project's own code", () => {
  const stack = [
    "Error: two",
    "    at query (/r/node_modules/pg/lib/client.js:1:2)",
    "    at handle (file:///r/workers/activities/index.ts:12:3)",
  ].join("\n");
  expect(pretty({ level: "error", msg: "failed", err: { message: "two\nlines", stack } })).toBe(
    "activities   error failed two ⏎ lines at workers/activities/index.ts:12:3",
  );
});

test("what a message brought along does nothing to the terminal", () => {
  const evil = "\u001b]0;x\u0007\u009b2J\u202e";
  const spelt = "\\u001b]0;x\\u0007\\u009b2J\\u202e";
  const stack = `Error\n    at workers/${evil}.ts:1:2`;
  const entry = { level: "error", msg: evil, [evil]: evil, err: { message: evil, stack } };
  const line = prettyLine("activities", JSON.stringify(entry));
  expect(stripVTControlCharacters(line)).not.toMatch(/\p{Cc}|\p{Cf}/u);
  expect(pretty(entry)).toBe(
    `activities   error ${spelt} ${spelt}=${spelt} ${spelt} at workers/${spelt}.ts:1:2`,
  );
  expect(pretty(evil)).toBe(`activities   ${spelt}`);
});

test("what is no log line stays as it is", () => {
  expect(pretty("plain text")).toBe("activities   plain text");
  expect(pretty("{ not json")).toBe("activities   { not json");
});
