import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { generateHistory } from "./generator.ts";
import { HistoryError, type Issue, parseHistory, readHistory } from "./history.ts";

const issue: Issue = {
  key: "P1-1",
  project: "P1",
  type: "Bug",
  priority: "Minor",
  createdAt: "2011-01-01T10:00:00.000Z",
  createdBy: "u1",
  firstStatus: "Open",
  lastStatus: "Closed",
  changes: [
    {
      at: "2011-01-02T10:00:00.000Z",
      by: null,
      items: [{ field: "status", from: "Open", to: "Closed" }],
    },
  ],
};
const line = (change: Partial<Record<keyof Issue, unknown>> = {}) =>
  JSON.stringify({ ...issue, ...change });
const parse = (...lines: string[]) => parseHistory(Readable.from([lines.join("\n")]), "a.ndjson");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "history-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a text may hold what ends a line elsewhere", async () => {
  const odd = line({ type: "a\u2028b\u2029c" });
  expect(await parse(odd, `${line({ key: "P1-2" })}\r`)).toHaveLength(2);
});

test("reads issues and skips empty lines", async () => {
  expect(await parse(line(), "", line({ key: "P1-2" }), "")).toEqual([
    issue,
    { ...issue, key: "P1-2" },
  ]);
});

test.each([
  ["no JSON", ["{"], 1, /not JSON/],
  ["no object", [line(), "7"], 2, /\(line\): .*expected object/],
  ["a missing field", [line({ project: undefined })], 1, /project: /],
  [
    "a time without zone",
    [line({ createdAt: "2011-01-01 10:00" })],
    1,
    /createdAt: must be a UTC time/,
  ],
  ["a key that comes twice", [line(), "", line()], 3, /P1-1 was already on line 1/],
  [
    "a status out of the blue",
    [line({ firstStatus: "Received" })],
    1,
    /changes\.0: .* it was Received/,
  ],
  ["another last status", [line({ lastStatus: "Open" })], 1, /lastStatus: /],
  [
    "a change before the creation",
    [line({ createdAt: "2012-01-01T00:00:00.000Z" })],
    1,
    /changes\.0\.at/,
  ],
  ["nothing", [""], 1, /holds no issue/],
])("refuses %s and names the line", async (_, lines, number, message) => {
  const refused = await parse(...lines).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(HistoryError);
  expect((refused as HistoryError).message).toMatch(message);
  expect((refused as HistoryError).message).toContain(`a.ndjson, line ${number}: `);
});

test("unpacks .gz, and what the generator makes is a history", async () => {
  const history = generateHistory({ seed: "gz", months: 3 });
  const path = join(folder, "history.ndjson.gz");
  writeFileSync(path, gzipSync(history.map((one) => JSON.stringify(one)).join("\n")));
  expect(await readHistory(path)).toEqual(history);
});

test("a missing or broken file rejects instead of hanging", async () => {
  await expect(readHistory(join(folder, "none.ndjson"))).rejects.toThrow(/ENOENT/);
  await expect(readHistory(join(folder, "none.ndjson.gz"))).rejects.toThrow(/ENOENT/);
  const path = join(folder, "broken.ndjson.gz");
  writeFileSync(path, "no gzip");
  await expect(readHistory(path)).rejects.toThrow(/incorrect header/);
});
