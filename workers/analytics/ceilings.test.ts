/** What the contract says that a job may hold is taken in, as one message. */
import { BadJson, readJson } from "@tl-engine/shared/job/json";
import { expect, test } from "vitest";
import { IngestInput } from "./schemas/ingest.ts";
import { CEILINGS } from "./schemas/vocabulary.ts";

/** A job with every key that it may have. */
function ingestOf(items: number, changes: number): Buffer {
  const at = "2026-01-01T00:00:00Z";
  const history = (item: number) =>
    Array.from({ length: Math.ceil(changes / items) }, (_, index) => ({
      ...{ id: `c${item}-${index}`, at, field: "state", from: `s${index}`, to: `s${index + 1}` },
    }));
  const states = Array.from({ length: CEILINGS.statesPerJob }, (_, state) => [
    `s${state}`,
    { name: `State ${state}`, group: "started" },
  ]);
  return Buffer.from(
    JSON.stringify({
      ...{ workspaceId: "w", projectId: "p", states: Object.fromEntries(states) },
      items: Array.from({ length: items }, (_, item) => ({
        ...{ id: `i${item}`, createdAt: at, history: history(item), state: "s1", points: 3 },
        ...{ labels: ["l"], cycle: "y", cycles: [] },
      })),
    }),
  );
}

test("an ingest job at its ceilings is taken", () => {
  const body = ingestOf(CEILINGS.itemsPerJob, CEILINGS.changesPerJob);
  expect(body.length).toBeLessThan(8 * 1024 * 1024);
  expect(IngestInput.safeParse(readJson(body).value).success).toBe(true);
});

test("one change more is refused by a word about changes, many keys more by one about keys", () => {
  const { items, states } = readJson(ingestOf(1, 1)).value as { items: object[]; states: object };
  const more = {
    ...{ projectId: "p", states, items: [...items] },
  };
  const item = { id: "i", history: Array(CEILINGS.historyPerItem).fill({ at: 0, field: "x" }) };
  more.items.push(...Array(CEILINGS.changesPerJob / CEILINGS.historyPerItem).fill(item));
  expect(IngestInput.safeParse(more).error?.issues[0]?.message).toContain("send several jobs");
  const keys = Array.from({ length: 400_001 }, (_, key) => `"k${key}":1`).join(",");
  expect(() => readJson(Buffer.from(`{${keys}}`))).toThrow(BadJson);
});
