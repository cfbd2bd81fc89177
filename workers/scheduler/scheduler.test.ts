/** The scheduler on real services: jobs that wait, schedules, and who may do what with them. */
import { openTestFleet, type TestFleet } from "@tl-engine/shared/testing/fleet";
import { type OwnDatabase, useOwnDatabase } from "@tl-engine/shared/testing/own-database";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { defineScheduler } from "./define-scheduler.ts";
import { ScheduleInput, specOf } from "./spec.ts";
import { type EchoRun, echoEngine } from "./testing/echo-engine.ts";

const runs: EchoRun[] = [];
let healthPort = 0;
const busy: { until?: Promise<unknown> } = {};
const scheduler = defineScheduler();
let database: OwnDatabase;
let fleet: TestFleet;
let names = 0;

beforeAll(async () => {
  database = await useOwnDatabase();
  fleet = await openTestFleet([scheduler, echoEngine()], [import.meta.dirname]);
  await fleet.start(echoEngine(runs, busy));
  const worker = await fleet.start(scheduler);
  healthPort = worker.healthPort;
});
afterAll(async () => {
  await fleet?.close();
  await database?.drop();
});
afterEach(async () => {
  delete busy.until;
  await fleet.pool.query("delete from engine_scheduler.schedules");
});

const whenTrue = (what: string, look: () => boolean | Promise<boolean>) =>
  fleet.until(what, async () => (await look()) || undefined);
const newName = () => `echo.s${++names}`;
const runOf = (id: string) =>
  fleet.until(`a run of ${id}`, () => runs.find((run) => run.id === id));
const runsOf = (name: string) => runs.filter(({ id }) => id.startsWith(`${name}:`));
async function ask(action: string, input: unknown, properties: object = {}) {
  const id = await fleet.publish("scheduler", action, input, properties);
  return (await fleet.reply(id)).reply;
}
const done = async (action: string, input: unknown) => {
  const reply = await ask(action, input);
  expect(reply).toMatchObject({ status: "succeeded" });
  return (reply as { output: Record<string, unknown> }).output;
};
const refusal = async (action: string, input: unknown) => {
  const reply = await ask(action, input);
  expect(reply).toMatchObject({ status: "failed" });
  return (reply as { error: { code: string; message: string } }).error;
};
const publishAt = (atMs: number, properties: object = {}) =>
  fleet.publish("echo", "echo", {}, { headers: { "x-run-at": atMs }, ...properties });
const pending = async (id: string) =>
  (
    await fleet.pool.query(
      "select *, run_at_ms::float8 run_at_ms from engine_scheduler.pending where job_id = $1",
      [id],
    )
  ).rows[0];
const isHeld = (id: string) => fleet.until(`${id} held`, () => pending(id));
const inS = (seconds: number) => Date.now() + seconds * 1_000;
const GOOD = { type: "echo.echo.v1", overlap: "allow" };

describe("a job with x-run-at", () => {
  test("runs at its time, once, as its publisher's, and its caller hears of it", async () => {
    const atMs = inS(1.5);
    const id = await publishAt(atMs);
    const run = await runOf(id);
    expect(run.atMs).toBeGreaterThanOrEqual(atMs - 20);
    expect(run.atMs - atMs).toBeLessThan(1_000);
    expect(run.publisher).toBe(decodeURIComponent(new URL(fleet.config.AMQP_URL).username));
    expect((await fleet.reply(id)).reply).toMatchObject({ status: "succeeded" });
    // Its engine may be quicker than the commit that takes it away.
    await whenTrue("its row gone", async () => (await pending(id)) === undefined);
  });

  test("waits for its time, and is cancelled: its caller hears that, and it never runs", async () => {
    const id = await publishAt(inS(3_600));
    await isHeld(id);
    expect(await done("cancel", { engine: "echo", id })).toEqual({ done: true });
    expect((await fleet.reply(id)).reply).toMatchObject({ error: { code: "cancelled" } });
    expect(await done("cancel", { engine: "echo", id })).toEqual({ done: false });
    expect(runs.filter((run) => run.id === id)).toEqual([]);
  });

  test("is changed before it fires, and by being sent again", async () => {
    const id = await publishAt(inS(3_600));
    await isHeld(id);
    const again = inS(7_200);
    await publishAt(again, { messageId: id });
    await whenTrue("the new time", async () => (await pending(id))?.run_at_ms === again);
    const runAt = new Date(inS(0.8)).toISOString();
    expect(await done("change", { engine: "echo", id, runAt })).toEqual({ done: true });
    const { atMs } = await runOf(id);
    expect(atMs).toBeGreaterThanOrEqual(Date.parse(runAt) - 20);
  });

  test("with another input under its id is a conflict, and the first stays", async () => {
    const id = await publishAt(inS(3_600));
    await isHeld(id);
    await publishAt(inS(60), { messageId: id, body: Buffer.from('{"other":1}') });
    const { reply } = await fleet.reply(id);
    expect(reply).toMatchObject({ error: { code: "rejected" } });
    expect((await pending(id)).body).toBe("{}");
  });

  test("of an engine that is gone goes to the unrouted", async () => {
    const id = fleet.newId();
    fleet.channel.publish(fleet.names.later, "gone", Buffer.from("{}"), {
      ...{ messageId: id, type: "gone.x.v1", contentType: "application/json", persistent: true },
      headers: { "x-run-at": inS(0.5) },
    });
    const message = await fleet.until(
      "it among the unrouted",
      async () => (await fleet.channel.get(fleet.names.unrouted, { noAck: true })) || undefined,
    );
    expect(message).toMatchObject({ properties: { messageId: id } });
    await whenTrue("its row gone", async () => (await pending(id)) === undefined);
  });

  test("is nobody else's to cancel or change", async () => {
    const id = await publishAt(inS(3_600));
    await isHeld(id);
    await fleet.pool.query(
      "update engine_scheduler.pending set publisher = 'other' where job_id = $1",
      [id],
    );
    const runAt = new Date().toISOString();
    expect(await done("cancel", { engine: "echo", id })).toEqual({ done: false });
    expect(await done("change", { engine: "echo", id, runAt })).toEqual({ done: false });
    await fleet.pool.query("delete from engine_scheduler.pending where job_id = $1", [id]);
  });

  test("whoever sends hold itself is refused: it could speak for others", async () => {
    const error = await refusal("hold", {
      ...{ engine: "echo", lane: "interactive", id: "forged", type: "echo.echo.v1", runAtMs: 0 },
      ...{
        publisher: "other",
        inputHash: "x",
        body: "{}",
        seal: "00000000-0000-0000-0000-000000000000",
      },
    });
    expect(error.code).toBe("invalid_input");
  });
});

describe("a schedule", () => {
  test("fires each slot once, under the slot's id, as the job of who put it", async () => {
    const name = newName();
    const { nextRuns } = (await done("put", { ...GOOD, name, everySeconds: 1 })) as {
      nextRuns: string[];
    };
    for (const slot of nextRuns) {
      const run = await runOf(`${name}:${slot}`);
      expect(run.atMs - Date.parse(slot)).toBeLessThan(1_000);
      expect(run.publisher).toBe(decodeURIComponent(new URL(fleet.config.AMQP_URL).username));
    }
    expect(await done("remove", { name })).toEqual({ done: true });
    const ids = runsOf(name).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(await done("remove", { name })).toEqual({ done: false });
  });

  test("with a key that is misspelt is put without it, and says so", async () => {
    const name = newName();
    const put = await done("put", { ...GOOD, name, cron: "0 3 * * *", timeZon: "Europe/Madrid" });
    expect(put.warnings).toMatchObject([
      { code: "unknown_key", path: "timeZon", message: expect.stringContaining("timeZone") },
    ]);
  });

  test("stands still while it is paused, and misses nothing then", async () => {
    const name = newName();
    await done("put", { ...GOOD, name, everySeconds: 1 });
    await whenTrue("two runs", () => runsOf(name).length >= 2);
    expect(await done("pause", { name })).toEqual({ done: true });
    expect(await done("pause", { name })).toEqual({ done: false });
    const listed = (await done("list", { engine: "echo" })) as { schedules: object[] };
    expect(listed.schedules).toMatchObject([{ name, paused: true, nextRuns: [] }]);
    const before = runsOf(name).length;
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(runsOf(name).length).toBeLessThanOrEqual(before + 1);
    expect(await done("resume", { name })).toEqual({ done: true });
    const resumed = runsOf(name).length;
    await whenTrue("runs again", () => runsOf(name).length > resumed);
    const { rows } = await fleet.pool.query(
      "select state, count(*)::int from engine_scheduler.slots where schedule = $1 group by 1",
      [name],
    );
    expect(rows.map(({ state }) => state)).toEqual(["fired"]);
  });

  test("runs now, once for one request, and backfills what did not run", async () => {
    const name = newName();
    await done("put", { ...GOOD, name, cron: "0 3 * * *" });
    const messageId = fleet.newId();
    const first = await ask("run", { name }, { messageId });
    await ask("run", { name }, { messageId });
    const { id } = (first as unknown as { output: { id: string } }).output;
    await runOf(id);
    const input = { name, from: "2026-03-01T00:00:00Z", to: "2026-03-05T12:00:00Z" };
    expect(await done("backfill", input)).toEqual({ slots: 5, put: 5 });
    await runOf(`${name}:2026-03-05T03:00:00.000Z`);
    expect(await done("backfill", input)).toEqual({ slots: 5, put: 0 });
    expect(runsOf(name)).toHaveLength(6);
    const far = { name, from: "1990-01-01T00:00:00Z", to: "2026-01-01T00:00:00Z" };
    expect((await refusal("backfill", far)).message).toMatch(/more than 1000/);
    expect((await refusal("backfill", { ...input, to: "2099-01-01T00:00:00Z" })).message).toMatch(
      /passed/,
    );
  });

  test("whose run goes on skips its slots, and one that queues runs one after it", async () => {
    const [skips, queues] = [newName(), newName()];
    let end = () => {};
    busy.until = new Promise<void>((resolve) => {
      end = resolve;
    });
    await done("put", { type: "echo.echo.v1", name: skips, everySeconds: 1 });
    await done("put", {
      type: "echo.echo.v1",
      name: queues,
      everySeconds: 1,
      overlap: "queue-one",
    });
    const states = async (name: string) =>
      (
        await fleet.pool.query(
          "select state from engine_scheduler.slots where schedule = $1 order by slot_ms",
          [name],
        )
      ).rows.map(({ state }) => state);
    await whenTrue(
      "four slots",
      async () => (await states(queues)).length >= 4 && (await states(skips)).length >= 4,
    );
    expect((await states(skips)).slice(0, 4)).toEqual(["fired", "skipped", "skipped", "skipped"]);
    expect((await states(queues)).slice(0, 4)).toEqual(["fired", "queued", "skipped", "skipped"]);
    expect(runsOf(queues)).toHaveLength(1);
    delete busy.until;
    end();
    await whenTrue("the queued one", () => runsOf(queues).length >= 2);
    await whenTrue("the skipping one again", () => runsOf(skips).length >= 2);
  });

  test("of another's, or of the file, is not to be touched", async () => {
    const name = newName();
    await done("put", { ...GOOD, name, cron: "0 3 * * *" });
    await fleet.pool.query("update engine_scheduler.schedules set publisher = 'other'");
    for (const action of ["pause", "resume", "run", "remove"])
      expect((await refusal(action, { name })).message).toMatch(/of yours/);
    expect((await refusal("put", { ...GOOD, name, cron: "0 4 * * *" })).message).toMatch(
      /of yours/,
    );
    expect(await done("list", {})).toMatchObject({ schedules: [] });
    await fleet.pool.query(
      "update engine_scheduler.schedules set publisher = null, source = 'file'",
    );
    expect((await refusal("put", { ...GOOD, name, cron: "0 4 * * *" })).message).toMatch(/file/);
    expect((await refusal("run", { name })).message).toMatch(/of yours/);
  });

  test("with an input that only JSON can hold is kept and fired", async () => {
    const name = newName();
    await done("put", { ...GOOD, name, everySeconds: 1, input: { text: "\0 \ud83d\ude00" } });
    await whenTrue("a run", () => runsOf(name).length > 0);
  });
});

test("its metrics tell what was missed, how exact it fires, and how late it is", async () => {
  const text = await (await fetch(`http://127.0.0.1:${healthPort}/metrics`)).text();
  expect(text).toMatch(/engine_scheduler_slots_not_run_total\{why="missed",engine="scheduler"\} 0/);
  expect(text).toMatch(
    /engine_scheduler_slots_not_run_total\{why="skipped",engine="scheduler"\} [1-9]/,
  );
  expect(text).toMatch(/engine_scheduler_fire_error_seconds_count\{engine="scheduler"\} [1-9]/);
  expect(text).toMatch(/engine_scheduler_overdue_seconds\{engine="scheduler"\} \d/);
});

describe("for its admins", () => {
  test("what is the file's, and others', can be run, paused and listed, and stays as it is", async () => {
    const admin = decodeURIComponent(new URL(fleet.config.AMQP_URL).username);
    const own = await openTestFleet([defineScheduler()], [import.meta.dirname]);
    try {
      await own.start(defineScheduler(), { SCHEDULER_ADMINS: `somebody, ${admin}` });
      const name = newName();
      await own.pool.query(
        `insert into engine_scheduler.schedules (name, spec, source, next_ms) values ($1, $2, 'file', null)`,
        [
          name,
          JSON.stringify(
            specOf(ScheduleInput.parse({ ...GOOD, name, cron: "0 3 * * *" } as never)),
          ),
        ],
      );
      const replyTo = async (action: string) =>
        (await own.reply(await own.publish("scheduler", action, { name }))).reply;
      for (const action of ["pause", "resume", "run"])
        expect(await replyTo(action)).toMatchObject({ status: "succeeded" });
      expect(await replyTo("list")).toMatchObject({
        output: { schedules: [{ name, source: "file" }] },
      });
      expect(await replyTo("remove")).toMatchObject({ error: { code: "rejected" } });
    } finally {
      await own.close();
    }
  });
});
