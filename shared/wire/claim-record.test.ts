/** The record of a claim, written and read on both sides: TypeScript and the scripts. */
import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readConfig } from "../process/config.ts";
import { type ClaimRecord, RECORD_LUA, readRecord, writeRecord } from "./claim-record.ts";

let redis: Redis;
beforeAll(() => {
  redis = new Redis(readConfig(process.env).REDIS_URL);
});
afterAll(() => redis?.disconnect());

const records: fc.Arbitrary<ClaimRecord> = fc.record({
  token: fc.option(fc.stringMatching(/^[a-z0-9]{1,8}:[a-z0-9]{1,6}$/), { nil: undefined }),
  generation: fc.nat(1_000),
  attempt: fc.nat(1_000),
  crashes: fc.nat(1_000),
  done: fc.boolean(),
  cancelled: fc.boolean(),
  leaseEndMs: fc.integer({ min: 0, max: 9_999_999_999_999 }),
  progress: fc.oneof(fc.constant(""), fc.json()),
  failure: fc.oneof(fc.constant(""), fc.json()),
});

test("a record comes back as it was written, by TypeScript and by the scripts", async () => {
  await fc.assert(
    fc.asyncProperty(records, async (record) => {
      const written = writeRecord(record);
      expect(readRecord(written)).toEqual(record);
      const byScript = await redis.eval(`${RECORD_LUA} return text(read(ARGV[1]))`, 0, written);
      expect(byScript).toBe(written);
    }),
  );
});

test("what is absent or was not written by us is no record", async () => {
  const foreign = ["", "{}", "a 1 2", "a 1 2 3 4 5 6 ", "a 1 2 3 0 0 x "];
  expect(readRecord(null)).toBeUndefined();
  for (const text of foreign) {
    expect(readRecord(text)).toBeUndefined();
    expect(await redis.eval(`${RECORD_LUA} return read(ARGV[1]) and 1 or 0`, 0, text)).toBe(0);
  }
});
