/** What the contract says that a job may hold is taken in, as one message. */
import { randomUUID } from "node:crypto";
import { readJson } from "@tl-engine/shared/job/json";
import { expect, test } from "vitest";
import { largestIngest } from "./largest-ingest.fixture.ts";
import { IngestInput } from "./schemas/ingest.ts";

test("an ingest job at its ceilings is taken", () => {
  const body = Buffer.from(JSON.stringify(largestIngest(randomUUID())));
  expect(body.length).toBeLessThan(8 * 1024 * 1024);
  expect(IngestInput.safeParse(readJson(body).value).success).toBe(true);
});

test.each([
  ["changes", { history: [{ at: "", field: "" }] }],
  ["labels and cycles", { cycles: ["c"] }],
  ["labels and cycles", { labels: ["l"] }],
])("more %s than a job may hold are refused, with a hint", (what, more) => {
  const { items, ...rest } = largestIngest(randomUUID());
  const [first, ...others] = items as Record<string, unknown>[];
  const joined = Object.entries(more).map(([key, list]) => [
    key,
    [...((first?.[key] as unknown[]) ?? []), ...list],
  ]);
  const input = { ...rest, items: [{ ...first, ...Object.fromEntries(joined) }, ...others] };
  const { error } = IngestInput.safeParse(input);
  expect(error?.issues[0]?.message).toMatch(`${what} together; send several jobs`);
});
