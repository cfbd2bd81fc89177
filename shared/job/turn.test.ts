/** What may happen to a job between its reception and its turn. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { probe, runs } from "../testing/probe-engine.ts";
import { HEADERS } from "../wire/headers.ts";

let fleet: TestFleet;
let claimMs = 0;

beforeAll(async () => {
  fleet = await openTestFleet([probe]);
  await fleet.start(
    probe,
    {},
    {
      parts: (parts) => ({
        ...parts,
        claims: {
          ...parts.claims,
          async claim(job, ...how) {
            await sleep(claimMs);
            return parts.claims.claim(job, ...how);
          },
        },
      }),
    },
  );
});
afterAll(() => fleet?.close());

test("a deadline that passes while the job waits for its turn ends it unrun", async () => {
  claimMs = 600;
  const headers = { [HEADERS.deadline]: Date.now() + 300 };
  const id = await fleet.publish("probe", "run", {}, { headers });
  expect((await fleet.reply(id)).reply).toMatchObject({ error: { code: "expired", attempt: 0 } });
  expect(runs.has(id)).toBe(false);
  claimMs = 0;
  const next = await fleet.publish("probe", "run", {});
  expect((await fleet.reply(next)).reply).toMatchObject({ status: "succeeded" });
});
