/** The bucket, as the doctor sees it: not configured, half configured, well, and refused. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { STRANGER } from "../../../shared/services/swift.ts";
import { type OwnBucket, openOwnBucket } from "../../../shared/testing/own-bucket.ts";
import { s3 } from "./s3.ts";
import { examine, told } from "./testing/findings.ts";

let bucket: OwnBucket;
beforeAll(async () => {
  bucket = await openOwnBucket();
});
afterAll(() => bucket?.end());

const needed = {
  AMQP_URL: "amqp://127.0.0.1/",
  DATABASE_URL: "postgres://127.0.0.1/enginedb",
  REDIS_URL: "redis://127.0.0.1",
};
const reach = async (env: Record<string, string>) =>
  told(await examine(s3, { env: { ...needed, ...env }, limitMs: 20_000 }), "s3.reach");

test("one that is well is left as it was", async () => {
  expect(await reach(bucket.env)).toMatch(/^ok: keeps files, \d+ ms/);
  expect(await bucket.keys("engine/")).toEqual([]);
});

test.each([
  ["none", { S3_ENDPOINT: "" }, /^skipped: not configured/],
  [
    "a half",
    { S3_REGION: "", S3_BUCKET: "" },
    /^failure: configured in part: S3_REGION, S3_BUCKET empty/,
  ],
  ["another bucket", { S3_BUCKET: "nowhere" }, /^failure: .*has no such bucket: check S3_BUCKET/],
  [
    "another's secret",
    { S3_SECRET_ACCESS_KEY: "hunter2-and-more" },
    /^failure: .*does not take our signature/,
  ],
  ["a user without rights", STRANGER, /^failure: .*refuses access/],
  ["nobody there", { S3_ENDPOINT: "http://127.0.0.1:1" }, /^failure: .*does not answer/],
])("%s", async (_, env, message) => {
  const found = await reach({ ...bucket.env, ...env });
  expect(found).toMatch(message);
  expect(found).not.toContain("hunter2");
});
