/** The runtime on a real RabbitMQ, Postgres and Redis: how jobs end. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Links, linksThroughProxies } from "./testing/cut-links.ts";
import { openTestFleet, type TestFleet } from "./testing/fleet.ts";
import { PROBE_LEDGER, probe, runs } from "./testing/probe-engine.ts";
import { HEADERS } from "./wire/headers.ts";
import type { RunningWorker } from "./worker.ts";

let fleet: TestFleet;
let links: Links;
let worker: RunningWorker;

beforeAll(async () => {
  fleet = await openTestFleet([probe]);
  await fleet.pool.query(PROBE_LEDGER);
  links = await linksThroughProxies(fleet.config);
  worker = await fleet.start(probe, links.env);
});
beforeEach(() => runs.clear());
afterAll(async () => {
  await worker?.stop();
  await links?.close();
  await fleet?.close();
});

const run = (input: Record<string, unknown>, properties = {}) =>
  fleet.publish("probe", "run", input, properties);
const ledger = async (id: string) =>
  (await fleet.pool.query("select * from engine_probe.ledger where job_id = $1", [id])).rows;

describe("a job that runs well", () => {
  test("has one row, one reply with its output, and its event", async () => {
    const id = await run({ value: "hello" });
    const { reply, type, headers, properties } = await fleet.reply(id);
    expect(reply).toEqual({ status: "succeeded", output: { value: "hello", attempt: 1 } });
    expect(type).toBe("probe.run.v1.result");
    expect(headers[HEADERS.attempt]).toBe(1);
    expect(properties.contentType).toBe("application/json");
    const [row] = await fleet.rows(id);
    expect(row).toMatchObject({
      engine: "probe",
      status: "succeeded",
      code: null,
      attempt: 1,
      generation: 0,
    });
    // The event came back to the same engine as a job of its own, whose id is the event's.
    const [event] = JSON.parse(String(row?.events));
    const heard = await fleet.until("the event's row", async () => (await fleet.rows(event.id))[0]);
    expect(JSON.parse(String(heard.reply)).output).toEqual({ value: `heard ${id}` });
    expect(await ledger(event.id)).toHaveLength(1);
  });

  test("answers the same again, to the byte, when it is published again", async () => {
    const id = await run({ value: "once" });
    const first = await fleet.reply(id);
    // Another order of keys is the same input.
    await fleet.publish("probe", "run", undefined, {
      messageId: id,
      correlationId: id,
      body: Buffer.from('{ "failures": 0, "value": "once" }'),
    });
    const conflict = await fleet.reply(id, 2);
    expect(conflict.reply).toMatchObject({ error: { code: "idempotency_conflict" } });
    await run({ value: "once" }, { messageId: id, correlationId: id });
    const again = await fleet.reply(id, 3);
    expect([again.id, again.text]).toEqual([first.id, first.text]);
    expect(conflict.id).not.toBe(first.id);
    expect(await fleet.rows(id)).toHaveLength(1);
    expect(runs.get(id)).toBe(1);
  });

  test("runs once when it is published a hundred times at once", async () => {
    const id = fleet.newId();
    await Promise.all(
      Array.from({ length: 100 }, () =>
        run({ do: "own-writes", value: "w" }, { messageId: id, correlationId: id }),
      ),
    );
    await fleet.reply(id, 100);
    expect(await ledger(id)).toHaveLength(1);
    const answers = new Set(
      fleet.replies.filter((r) => r.correlationId === id).map((r) => `${r.id} ${r.text}`),
    );
    expect(answers.size).toBe(1);
  });

  test("commits its own writes with its result", async () => {
    const id = await run({ do: "own-writes", value: "w1" });
    expect((await fleet.reply(id)).reply.status).toBe("succeeded");
    expect(await ledger(id)).toEqual([{ job_id: id, worker: "w1" }]);
  });
});

describe("a job that fails", () => {
  test("is retried, counted, and succeeds", async () => {
    const id = await run({ failures: 1, value: "second" });
    expect((await fleet.reply(id)).reply).toEqual({
      status: "succeeded",
      output: { value: "second", attempt: 2 },
    });
    expect(runs.get(id)).toBe(2);
  });

  test("ends as attempts_exhausted with a row, a reply and a dead letter, and can be replayed", async () => {
    const id = await run({ failures: 3, value: "third" });
    const failed = await fleet.reply(id);
    expect(failed.reply).toMatchObject({
      status: "failed",
      error: { code: "attempts_exhausted", attempt: 3, retriable: true },
    });
    const dead = (await fleet.deadLetters("probe")).find((letter) => letter.id === id);
    expect(dead).toMatchObject({
      headers: { "x-error-code": "attempts_exhausted", [HEADERS.replay]: 0 },
    });

    // Without a generation the stored failure answers; with one it runs again, and may replace the failure.
    await run({ failures: 3, value: "third" }, { messageId: id, correlationId: id });
    expect((await fleet.reply(id, 2)).id).toBe(failed.id);
    await run(
      { failures: 3, value: "third" },
      { messageId: id, correlationId: id, headers: { [HEADERS.replay]: 1, [HEADERS.attempt]: 4 } },
    );
    const replayed = await fleet.reply(id, 3);
    expect(replayed.reply.status).toBe("succeeded");
    expect(replayed.id).not.toBe(failed.id);
    expect(await fleet.rows(id)).toMatchObject([{ status: "succeeded", generation: 1 }]);
  });

  test.each([
    ["reject", "rejected"],
    ["big", "result_too_large"],
    ["bad-output", "invalid_output"],
  ])("%s ends at once as %s", async (told, code) => {
    const id = await run({ do: told });
    expect((await fleet.reply(id)).reply).toMatchObject({
      error: { code, attempt: 1, retriable: false },
    });
    expect(await fleet.rows(id)).toMatchObject([{ status: "failed", code }]);
    expect((await fleet.deadLetters("probe")).filter((letter) => letter.id === id)).toHaveLength(1);
    expect(runs.get(id)).toBe(1);
  });

  test("that asks for later comes again without counting an attempt", async () => {
    const id = await run({ do: "later" });
    expect((await fleet.reply(id)).reply).toMatchObject({ output: { attempt: 1 } });
    expect(runs.get(id)).toBe(2);
  });

  test("is aborted at its deadline and ends as expired", async () => {
    const id = await run({ do: "hang" }, { headers: { [HEADERS.deadline]: Date.now() + 500 } });
    expect((await fleet.reply(id)).reply).toMatchObject({ error: { code: "expired" } });
    expect((await fleet.deadLetters("probe")).filter((letter) => letter.id === id)).toHaveLength(1);
  });

  test("past its deadline never runs", async () => {
    const id = await run({}, { headers: { [HEADERS.deadline]: Date.now() - 1 } });
    expect((await fleet.reply(id)).reply).toMatchObject({ error: { code: "expired", attempt: 0 } });
    expect(runs.get(id)).toBeUndefined();
    await fleet.deadLetters("probe");
  });
});

describe("a batch", () => {
  test("commits many jobs in one transaction, each with its reply", async () => {
    const ids = await Promise.all(
      Array.from({ length: 40 }, (_, i) => fleet.publish("probe", "batch", { value: `v${i}` })),
    );
    for (const id of ids) expect((await fleet.reply(id)).reply.status).toBe("succeeded");
    for (const id of ids) expect(await ledger(id)).toHaveLength(1);
  });

  test("is split when one job spoils it: only that one fails", async () => {
    const good = await Promise.all(
      Array.from({ length: 10 }, (_, i) => fleet.publish("probe", "batch", { value: `g${i}` })),
    );
    const bad = await fleet.publish(
      "probe",
      "batch",
      { value: "bad", spoil: true },
      { headers: { [HEADERS.attempt]: 3 } },
    );
    for (const id of good) expect((await fleet.reply(id)).reply.status).toBe("succeeded");
    expect((await fleet.reply(bad)).reply).toMatchObject({ error: { code: "attempts_exhausted" } });
    for (const id of good) expect(await ledger(id)).toHaveLength(1);
    expect(await ledger(bad)).toHaveLength(0);
    await fleet.deadLetters("probe");
  });
});

describe("the worker", () => {
  test("loses and doubles nothing when each of its connections is cut in the middle", async () => {
    const uncut = links.cutInTheMiddle();
    const ids = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        run({ do: i % 4 === 0 ? "own-writes" : "return", value: `${i}` }),
      ),
    );
    await fleet.until("the cuts", () => (uncut().length === 0 ? true : undefined));
    for (const id of ids) expect((await fleet.reply(id)).reply.status).toBe("succeeded");
    for (const [i, id] of ids.entries()) expect(await ledger(id)).toHaveLength(i % 4 === 0 ? 1 : 0);
    await fleet.until("the worker is ready again", () => (worker.notReady() ? undefined : true));
    // The old ones were cut, so these are new.
    expect(links.broker.connections()).toBe(2);
  });

  test("serves health and metrics without labels from messages", async () => {
    const get = async (path: string) => fetch(`http://127.0.0.1:${worker.healthPort}${path}`);
    expect((await get("/healthz")).status).toBe(200);
    expect((await get("/readyz")).status).toBe(200);
    const metrics = await (await get("/metrics")).text();
    expect(metrics).toMatch(
      /engine_deliveries_total\{action="run",outcome="succeeded",engine="probe"\} \d+/,
    );
    expect(metrics).toContain("engine_jobs_in_flight");
  });
});
