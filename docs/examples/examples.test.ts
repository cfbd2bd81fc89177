/** Every example of this folder runs on real services, and does what it says. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../shared/client/client.ts";
import { contractOf } from "../../shared/client/contract-of.ts";
import { openTestFleet, type TestFleet } from "../../shared/testing/fleet.ts";
import { type OwnDatabase, useOwnDatabase } from "../../shared/testing/own-database.ts";
import activities from "../../workers/activities/index.ts";
import scheduler from "../../workers/scheduler/index.ts";
import visits, { MIGRATION as VISITS } from "./handle-batch.ts";
import rates from "./http-call.ts";
import heard from "./on.ts";
import reports from "./retry-later.ts";
import counters, { MIGRATION as COUNTERS } from "./tx.ts";

const ENGINES = [counters, visits, heard, reports, rates, activities, scheduler];
const SCHEDULER = new URL("../../workers/scheduler", import.meta.url).pathname;
const CALLERS = ["on-reply", "events", "resend-unanswered", "later"];
const CALLERS_QUEUES = ["tl-plane.replies.example", "tl-plane.activity-feed.example"];

let database: OwnDatabase;
let fleet: TestFleet;

beforeAll(async () => {
  // A scheduler takes up all that its tables hold.
  database = await useOwnDatabase();
  fleet = await openTestFleet(ENGINES, [SCHEDULER]);
  await fleet.pool.query(`create schema if not exists engine_example; ${COUNTERS}; ${VISITS}`);
});
afterAll(async () => {
  await fleet?.pool.query("drop schema if exists engine_example cascade");
  for (const queue of CALLERS_QUEUES) await fleet?.channel.deleteQueue(queue);
  await fleet?.close();
  await database?.drop();
});

const answer = async (id: string) => (await fleet.reply(id)).reply;

test("each file of the folder is tried here, and told of", () => {
  const files = readdirSync(import.meta.dirname).filter((name) => /^[\w-]+\.ts$/.test(name));
  const tried = ["tx", "handle-batch", "on", "retry-later", "http-call", ...CALLERS];
  expect(files.toSorted()).toEqual(tried.map((name) => `${name}.ts`).toSorted());
  const told = readFileSync(`${import.meta.dirname}/README.md`, "utf8");
  for (const file of files) expect(told).toContain(`| [${file}](${file}) |`);
});

test("tx: writes land once however often the job comes, and not at all where it is rejected", async () => {
  await fleet.start(counters);
  const add = (by: number, properties = {}) =>
    fleet.publish("counters", "add", { counter: "c", by }, properties);
  const first = await add(400);
  expect(await answer(first)).toEqual({ status: "succeeded", output: { total: 400 } });
  await add(400, { messageId: first, correlationId: first });
  expect((await fleet.reply(first, 2)).reply).toEqual(await answer(first));
  expect(await answer(await add(500))).toEqual({ status: "succeeded", output: { total: 900 } });
  expect(await answer(await add(200))).toMatchObject({
    error: { code: "rejected", message: "c would pass 1000", attempt: 1 },
  });
  const { rows } = await fleet.pool.query("select total::int from engine_example.totals");
  expect(rows).toEqual([{ total: 900 }]);
});

test("handleBatch: many jobs share a transaction, and each has its row and its reply", async () => {
  const at = new Date().toISOString();
  const publish = (_: unknown, n: number) =>
    fleet.publish("visits", "record", { item: `i${n}`, at });
  const ids = await Promise.all(Array.from({ length: 50 }, publish));
  await fleet.start(visits);
  const together: number[] = [];
  for (const id of ids) {
    const reply = await answer(id);
    together.push((reply as { output: { together: number } }).output.together);
  }
  expect(Math.max(...together)).toBeGreaterThan(1);
  const { rows } = await fleet.pool.query(
    "select count(*)::int as rows, count(distinct item)::int as items, count(distinct xmin::text)::int as transactions from engine_example.seen",
  );
  expect(rows[0]).toMatchObject({ rows: 50, items: 50 });
  expect(rows[0].transactions).toBeLessThan(50);
});

const CHANGE = {
  type: "issue.activity.updated",
  ...{ workspaceId: "acme", projectId: "web", actorId: "ana", epoch: 1_760_000_000 },
  ...{ requested: { priority: "high" }, current: { priority: "low" } },
};

test("on: what one engine announces becomes a job of another", async () => {
  await Promise.all([fleet.start(heard), fleet.start(activities)]);
  await fleet.publish("activities", "record", { ...CHANGE, issueId: "WEB-8" });
  const row = await fleet.until("the row of the event's job", async () => {
    const { rows } = await fleet.pool.query(
      "select job_id, status, reply::text as reply from engine.results where engine = 'heard' and reply::text like '%WEB-8%'",
    );
    return rows[0];
  });
  expect(row).toMatchObject({ job_id: expect.stringMatching(/^ev-/), status: "succeeded" });
  expect(JSON.parse(row.reply).output).toEqual({ itemId: "WEB-8", changes: 1 });
});

test("RetryLater: the job comes back until what it waits for is there, and no attempt is counted", async () => {
  await fleet.start(reports);
  const id = await fleet.publish("reports", "collect", { report: "q3" });
  await using client = await connect({
    amqpUrl: fleet.config.AMQP_URL,
    redisUrl: fleet.config.REDIS_URL,
    prefix: fleet.names.prefix,
    contract: contractOf(reports),
  });
  const waiting = await fleet.until("its first look", async () => {
    const now = await client.status(id, "reports");
    return now.state === "waiting" ? now : undefined;
  });
  expect(waiting).toMatchObject({ attempt: 1, nextRunAt: expect.any(Date) });
  expect(await fleet.rows(id)).toEqual([]);
  await fleet.publish("reports", "prepare", { report: "q3", text: "all is well" });
  expect(await answer(id)).toEqual({ status: "succeeded", output: { text: "all is well" } });
  expect(await fleet.rows(id)).toMatchObject([{ attempt: 1 }]);
});

describe("an HTTP call", () => {
  /** What the other side answers, call by call; then 200. */
  const SCRIPTS: Record<string, (number | "nothing")[]> = {
    EUR: [429],
    USD: [503],
    GBP: ["nothing"],
    XXX: [404],
  };
  const calls: { currency: string; key: string | undefined }[] = [];
  let server: Server;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const currency = request.url?.split("/").at(-1) ?? "";
      calls.push({ currency, key: String(request.headers["idempotency-key"]) });
      const next = SCRIPTS[currency]?.shift() ?? 200;
      if (next === "nothing") return;
      if (next === 429) response.setHeader("retry-after", "1");
      response.writeHead(next).end(JSON.stringify({ rate: 1.25 }));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    process.env.RATES_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await fleet.start(rates);
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
    delete process.env.RATES_URL;
  });

  const rate = { status: "succeeded", output: { rate: 1.25 } };
  test.each([
    ["429 waits as long as it is told, uncounted", "EUR", 2, rate, 1],
    ["5xx is tried again, counted", "USD", 2, rate, 2],
    ["no answer is tried again, counted", "GBP", 2, rate, 2],
    ["4xx ends the job", "XXX", 1, { error: { code: "rejected" } }, 1],
  ] as const)("%s", async (_, currency, times, reply, attempt) => {
    const id = await fleet.publish("rates", "fetch", { currency });
    expect(await answer(id)).toMatchObject(reply);
    expect(await fleet.rows(id)).toMatchObject([{ attempt }]);
    const key = id;
    const mine = calls.filter((call) => call.currency === currency);
    expect(mine).toEqual(Array.from({ length: times }, () => ({ currency, key })));
  });
});

describe("callers", () => {
  beforeAll(async () => {
    await fleet.start(activities);
  });

  /** What it prints; it must end by itself, without a word of trouble. */
  async function runExample(name: string): Promise<string[]> {
    const child = spawn(process.execPath, [`docs/examples/${name}.ts`], {
      cwd: `${import.meta.dirname}/../..`,
      env: { ...process.env, ...fleet.env, DATABASE_URL: fleet.config.DATABASE_URL },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [out, errors, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "close"),
    ]);
    expect({ code, errors }).toEqual({ code: 0, errors: "" });
    return out.trimEnd().split("\n");
  }

  test("onReply: every job that was sent has its answer", async () => {
    const lines = await runExample("on-reply");
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(line).toMatch(/^[0-9a-f-]{36} succeeded$/);
  });

  test("events: what the engine announces is heard", async () => {
    expect(await runExample("events")).toEqual([
      expect.stringMatching(/^ev-\S+: priority low → high$/),
    ]);
  });

  test("later: a job is moved and taken back, a schedule is put and removed", async () => {
    await fleet.start(scheduler);
    expect(await runExample("later")).toEqual([
      ...["waits: true", "taken back: true", "next runs: 3", "put: activities.example"],
      "removed: true",
    ]);
  });

  test("resendUnanswered: only what has no result goes out again, and then has one", async () => {
    expect(await runExample("resend-unanswered")).toEqual([
      "sent again: the lost one",
      "still without a result: 0",
    ]);
  });
});

test("make example runs an engine's file, and says what became of its jobs", async () => {
  const { stdout, status } = spawnSync(process.execPath, ["scripts/author/example.ts"], {
    cwd: `${import.meta.dirname}/../..`,
    env: { ...process.env, NAME: "tx" },
    encoding: "utf8",
  });
  expect(status).toBe(0);
  expect(stdout).toContain('add {"counter":"visits","by":500}\n  succeeded {"total":900}\n');
  expect(stdout).toContain("failed rejected: visits would pass 1000");
});
