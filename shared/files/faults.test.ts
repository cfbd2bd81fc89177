/** What S3 and the way to it may do to a job, through a proxy before a real server: each a clear error, and none an attempt that is not one. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { BadEnvironment } from "../process/config.ts";
import { StartFailure } from "../process/start-failure.ts";
import { STRANGER } from "../services/swift.ts";
import { filesEngine } from "../testing/files-engine.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { type OwnBucket, openOwnBucket } from "../testing/own-bucket.ts";
import { type S3Proxy, s3ProxyBefore } from "../testing/s3-proxy.ts";

let bucket: OwnBucket;
let fleet: TestFleet;
let proxy: S3Proxy;
beforeAll(async () => {
  bucket = await openOwnBucket();
  proxy = await s3ProxyBefore(String(bucket.env.S3_ENDPOINT));
  fleet = await openTestFleet([filesEngine]);
  await fleet.start(filesEngine, { ...bucket.env, S3_ENDPOINT: proxy.url });
});
afterEach(() => proxy.heal());
afterAll(async () => {
  await fleet?.close();
  await proxy?.close();
  await bucket?.end();
});

async function run(action: string, input: unknown) {
  return (await fleet.reply(await fleet.publish("keeper", action, input))).reply;
}
const written = async (input: unknown = {}) =>
  ((await run("write", input)) as unknown as { output: { $file: string } }).output;

const isUpload = ({ method }: { method: string }) => method === "PUT" || method === "POST";
const ERROR_500 = { kind: "answer", status: 500, code: "InternalError" } as const;

describe("in passing", () => {
  test.each([
    ["a 500", ERROR_500],
    ["a 503 SlowDown", { kind: "answer", status: 503, code: "SlowDown" }],
    ["a cut in the middle of a part", { kind: "cut", direction: "up", afterBytes: 1_000_000 }],
    ["a lost answer", { kind: "cut", direction: "down", afterBytes: 0 }],
    ["a slow one", { kind: "delay", ms: 1_000 }],
  ] as const)("%s costs no attempt", async (_, fault) => {
    let isDone = false;
    proxy.set((request) => {
      if (isDone || !isUpload(request) || !request.url.includes("partNumber=1")) return undefined;
      isDone = true;
      return fault;
    });
    const reply = await run("write", { bytes: 9 * 1024 * 1024, failures: 0 });
    expect(isDone).toBe(true);
    expect(reply).toMatchObject({ status: "succeeded", output: { bytes: 9 * 1024 * 1024 } });
    proxy.heal();
    expect(await run("read", { file: (reply as unknown as { output: unknown }).output })).toEqual({
      status: "succeeded",
      output: 9 * 1024 * 1024,
    });
  });

  test("a read that is cut is told, and the next attempt reads it", async () => {
    const file = await written({ bytes: 3_000_000 });
    proxy.set(({ method, url }, nth) =>
      method === "GET" && url.includes("/out/") && nth === 1
        ? { kind: "cut", direction: "down", afterBytes: 1_000_000 }
        : undefined,
    );
    expect(await run("read", { file })).toEqual({ status: "succeeded", output: 3_000_000 });
    expect(proxy.seen.filter((line) => line.includes("/out/"))).toHaveLength(2);
  });
});

/** Whether S3 stays away from everybody. */
const hasAsked = () => proxy.seen.some((line) => line.includes("list-type=2")) || undefined;

test("an outage is no attempt, also where it lasts longer than all attempts would", async () => {
  proxy.set(() => ERROR_500);
  const id = await fleet.publish("keeper", "write", {});
  await fleet.until("its first run", hasAsked);
  await sleep(1_000);
  expect(fleet.replies.filter(({ correlationId }) => correlationId === id)).toEqual([]);
  proxy.heal();
  const { reply, headers } = await fleet.reply(id);
  expect(reply).toMatchObject({ status: "succeeded" });
  expect(headers["x-attempt"]).toBe(1);
}, 90_000);

test("a batch waits as one", async () => {
  proxy.set(() => ({ kind: "answer", status: 503, code: "SlowDown" }));
  const ids = await Promise.all(
    ["a", "b", "c"].map((value) => fleet.publish("keeper", "many", { value })),
  );
  await fleet.until("their first run", hasAsked);
  await sleep(1_000);
  proxy.heal();
  for (const id of ids) expect((await fleet.reply(id)).headers["x-attempt"]).toBe(1);
}, 90_000);

test.each([
  [500, "InternalError", /does not answer.*500 InternalError/],
  [503, "SlowDown", /slow down/],
  [403, "AccessDenied", /refuses access: S3_ACCESS_KEY_ID needs/],
  [403, "SignatureDoesNotMatch", /S3_SECRET_ACCESS_KEY, S3_REGION and the clock/],
  [403, "RequestTimeTooSkewed", /the clock/],
  [404, "NoSuchBucket", /S3_BUCKET/],
  [400, "EntityTooLarge", /refuses the request \(400 EntityTooLarge\)/],
])(
  "where S3 answers %d %s to this job alone, its attempts are counted and it says why",
  async (status, code, message) => {
    proxy.set((request) => (isUpload(request) ? { kind: "answer", status, code } : undefined));
    expect(await run("write", {})).toMatchObject({
      error: { code: "attempts_exhausted", message: expect.stringMatching(message) },
    });
  },
);

test("silence ends with the job's own time", async () => {
  proxy.set((request) => (isUpload(request) ? { kind: "delay", ms: 8_000 } : undefined));
  expect(await run("write", {})).toMatchObject({
    error: { code: "attempts_exhausted", message: expect.stringMatching(/longer than 5000 ms/) },
  });
}, 60_000);

describe("a start", () => {
  const failing = async (env: Record<string, string>) => {
    const error = await fleet.start(filesEngine, { ...bucket.env, ...env }).then(
      () => undefined,
      (failure: Error) => failure,
    );
    expect(error).toBeInstanceOf(StartFailure);
    expect(error?.message).not.toContain("secret");
    return error as StartFailure;
  };

  test("without S3 says all that is missing, with what else is wrong", async () => {
    const none = {
      S3_ENDPOINT: "",
      S3_REGION: "",
      S3_BUCKET: "x",
      S3_ACCESS_KEY_ID: "",
      S3_SECRET_ACCESS_KEY: "",
    };
    const error = await fleet.start(filesEngine, { ...none, LEASE_MS: "1" }).then(
      () => undefined,
      (failure: Error) => failure,
    );
    expect(error).toBeInstanceOf(BadEnvironment);
    expect(error?.message.match(/^ {2}(\w+): /gm)).toEqual(
      [
        "LEASE_MS",
        "S3_ENDPOINT",
        "S3_REGION",
        "S3_BUCKET",
        "S3_ACCESS_KEY_ID",
        "S3_SECRET_ACCESS_KEY",
      ].map((name) => `  ${name}: `),
    );
    expect(error?.message).toContain("S3_ENDPOINT: is not set");
  });

  test.each([
    [
      "a wrong secret",
      { S3_SECRET_ACCESS_KEY: "another-secret" },
      false,
      /does not take our signature/,
    ],
    ["an unknown key", { S3_ACCESS_KEY_ID: "files:nobody" }, false, /signature|refuses access/],
    ["a user without rights", STRANGER, false, /refuses access/],
    ["a bucket that is not there", { S3_BUCKET: "nowhere" }, false, /has no such bucket/],
    [
      "a port where nobody listens",
      { S3_ENDPOINT: "http://127.0.0.1:1" },
      true,
      /does not answer: start it/,
    ],
    ["a host that is not there", { S3_ENDPOINT: "http://s3.invalid" }, true, /unknown host name/],
    ["TLS where there is none", {}, false, /does not speak TLS/],
  ] as const)("with %s says so", async (what, env, temporary, message) => {
    const tls = String(bucket.env.S3_ENDPOINT).replace("http:", "https:");
    const failure = await failing(what.startsWith("TLS") ? { S3_ENDPOINT: tls } : env);
    expect(failure.message).toMatch(message);
    expect(failure.temporary).toBe(temporary);
    expect(failure.variable).toBe("S3_ENDPOINT");
  });
});
