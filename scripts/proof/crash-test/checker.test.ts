/** Every rule of the checker bites: a made-up run that is right has no finding, one with a flaw has just that one. */
import { expect, test } from "vitest";
import { type EndState, toldJobs } from "./evidence.ts";
import type { Category, Finding } from "./finding.ts";
import { ADA, BOB, MadeUpRun } from "./made-up-run.ts";
import { isRefused } from "./run.ts";

function expectOne(run: MadeUpRun, rule: Finding["rule"], category: Category, about: RegExp): void {
  const findings = run.check();
  expect(findings).toHaveLength(1);
  expect(findings[0]).toMatchObject({ rule, category });
  expect(findings[0]?.message).toMatch(about);
}

const rulesOf = (run: MadeUpRun) => run.check().map(({ rule }) => rule);

test("a right run has no finding", () => {
  const run = new MadeUpRun();
  run.succeed("p", "plain");
  run.succeed("l", "ledger");
  run.fail("r", "rejects", "rejected");
  run.fail("f", "flaky", "attempts_exhausted", 3, { failures: 3 });
  run.fail("o", "oom", "quarantined", 0);
  run.fail("i", "plain", "invalid_input", 0, { n: "four" });
  run.publish("fl", "flaky", { input: { n: 4, text: "t", failures: 2 } });
  run.reply(run.row("fl", { attempt: 3 }), "flaky");
  run.effect("fl", 3);
  expect(run.check()).toEqual([]);
});

test("a: a confirmed job without a row is lost; an unconfirmed one owes nothing, and may have a row", () => {
  const run = new MadeUpRun();
  for (const id of ["p", "q"]) run.succeed(id, "plain");
  for (const id of ["absent", "present"]) run.publish(id, "plain", {}, {}, false);
  run.row("present");
  expect(run.check()).toEqual([]);
  run.publish("gone", "plain");
  expectOne(run, "a", "lost", /no row/);
});

test("a: what a deleted queue swallowed is declared lost, what came later is owed", () => {
  const run = new MadeUpRun();
  run.publish("before", "plain");
  run.tell({ kind: "queue-deleted" });
  expect(run.check()).toEqual([]);
  run.publish("after", "plain");
  expectOne(run, "a", "lost", /no row/);
});

test("b: two effects of one job, an effect of a failure or of nothing, a success without its effect", () => {
  const run = new MadeUpRun();
  run.succeed("l", "ledger");
  run.effect("l");
  expectOne(run, "b", "double_effects", /2 effects/);
  const failed = new MadeUpRun();
  failed.fail("r", "rejects", "rejected");
  failed.effect("r");
  expectOne(failed, "b", "double_effects", /row is rejected/);
  const without = new MadeUpRun();
  without.succeed("l", "ledger");
  without.end.ledger = [];
  expectOne(without, "b", "lost", /without its effect/);
});

test("c: a caller that asked got no reply", () => {
  const run = new MadeUpRun();
  run.publish("p", "plain");
  run.row("p");
  expectOne(run, "c", "lost", /ada .* got no reply/);
});

test("c: each copy is answered to who asked, under its own correlation id", () => {
  const run = new MadeUpRun();
  const row = run.succeed("p", "plain");
  run.publish("p", "plain", {}, { copy: "p#2", caller: "bob", replyTo: BOB });
  expectOne(run, "c", "lost", /bob .* got no reply/);
  run.reply(row, "plain", { queue: BOB, correlationId: "c-p#2" });
  expect(run.check()).toEqual([]);
  run.reply(row, "plain", { queue: ADA, correlationId: "c-p#2" });
  expectOne(run, "c", "misdirected", /nobody waits/);
});

test("c: without a correlation id the job's own is the one", () => {
  const run = new MadeUpRun();
  run.publish("p", "plain", {}, { correlationId: undefined } as never);
  const row = run.row("p");
  run.reply(row, "plain", { correlationId: "p" });
  expect(run.check()).toEqual([]);
  run.reply(row, "plain", { correlationId: "made-up" });
  expectOne(run, "c", "misdirected", /nobody gave/);
});

test("c: the same reply twice is fine; another body, type, attempt or id is not", () => {
  const flawed = (more: Parameters<MadeUpRun["reply"]>[2]) => {
    const run = new MadeUpRun();
    const row = run.succeed("p", "plain");
    run.reply(row, "plain", more);
    return run;
  };
  expect(flawed({}).check()).toEqual([]);
  const reply = new MadeUpRun().row("p").reply;
  expect(new Set(rulesOf(flawed({ body: reply.replace("8", "9") })))).toEqual(new Set(["c"]));
  expectOne(flawed({ type: "crash.plain.v1.error" }), "c", "double_effects", /type/);
  expectOne(flawed({ attempt: 2 }), "c", "double_effects", /attempt 2/);
  expectOne(flawed({ id: "another" }), "c", "other", /2 ids/);
});

test("c: a reply of a job that has no row", () => {
  const run = new MadeUpRun();
  run.succeed("p", "plain");
  run.end.rows = [];
  expect(rulesOf(run)).toEqual(["a", "c"]);
});

test("c: an output that belongs to another job", () => {
  const run = new MadeUpRun();
  run.publish("p", "plain");
  const reply = `{"status":"succeeded","output":{"job":"p","doubled":8,"text":"another's"}}`;
  run.reply(run.row("p", { reply }), "plain");
  expectOne(run, "c", "other", /wrong output/);
});

/** A job of ada's that succeeded, and bob's with the same id and another input. */
function conflict() {
  const run = new MadeUpRun();
  const row = run.succeed("p", "plain");
  const input = { n: 5, text: "t" };
  const copy = { copy: "p#2", caller: "bob", replyTo: BOB };
  const job = run.publish("p", "plain", { input }, copy);
  const letter = () =>
    run.letter(job, "idempotency_conflict", 1, { correlationId: "c-p#2", replyTo: BOB });
  const told = (body: string) =>
    run.reply(row, "plain", { queue: BOB, correlationId: "c-p#2", body, id: body, attempt: 0 });
  return { run, row, letter, told };
}
const CONFLICT = '{"status":"failed","error":{"code":"idempotency_conflict"}}';

test("c, i: a conflict is told to who made it, and has a dead letter of its own", () => {
  const { run, letter, told } = conflict();
  expect(rulesOf(run)).toEqual(["c", "i"]);
  told(CONFLICT);
  expectOne(run, "i", "lost", /conflict .* no dead letter/);
  letter();
  expect(run.check()).toEqual([]);
});

test("c: a conflict is not answered with the result of the other input, nor told to its owner", () => {
  const { run, row, letter, told } = conflict();
  letter();
  told(row.reply);
  const messages = run.check().map(({ message }) => message);
  expect(messages.some((message) => /an answer to another input/.test(message))).toBe(true);
  expect(messages.some((message) => /was not told of the conflict/.test(message))).toBe(true);
  const other = conflict();
  other.letter();
  other.told(CONFLICT);
  other.run.reply(other.row, "plain", { body: CONFLICT, id: "x", attempt: 0 });
  expect(other.run.check()).toContainEqual(
    expect.objectContaining({
      rule: "c",
      message: expect.stringMatching(/its input is the row's/),
    }),
  );
});

/** A job that failed, and its replay. */
function replay() {
  const run = new MadeUpRun();
  const input = { n: 4, text: "t", mendsAtMs: 5 };
  const job = run.publish("r", "rejects", { input });
  run.reply(run.failedRow("r", "rejected"), "rejects");
  run.letter(job, "rejected");
  run.end.rows = [];
  const replayed = { copy: "r#2", caller: "operator", generation: 1, correlationId: "c-r#1" };
  run.publish("r", "rejects", { input }, replayed);
  const row = run.row("r", { generation: 1 });
  run.effect("r");
  return { run, row };
}

test("c: a replay is answered with what it came to, and its success stays the only one", () => {
  const { run, row } = replay();
  expectOne(run, "c", "lost", /what the replay came to/);
  run.reply(row, "rejects");
  expect(run.check()).toEqual([]);
  run.reply(row, "rejects", { body: row.reply.replace("w/1", "w/2"), id: "x" });
  expect(run.check()).toContainEqual(
    expect.objectContaining({ rule: "c", message: "told of two different successes" }),
  );
});

const eventOf = (index: number) => ({
  id: `e${index}`,
  type: "crash.done",
  body: JSON.stringify({ job: "l", index, text: "t", run: "w/1" }),
});

/** A job that emits, and its row with `stored` events of them. */
function emitter(events: number, stored = events) {
  const run = new MadeUpRun();
  const row = run.succeed("l", "ledger", { input: { n: 4, text: "t", events } });
  row.events = Array.from({ length: stored }, (_, index) => eventOf(index));
  return run;
}
const announced = (run: MadeUpRun, index: number, more = {}) =>
  run.tell({ kind: "event", correlationId: "c-l#1", ...eventOf(index), ...more });

test("d: all events of a job are announced, as the row has them, and no others", () => {
  const run = emitter(2);
  announced(run, 0);
  expectOne(run, "d", "lost", /e1 was never announced/);
  announced(run, 1);
  announced(run, 1);
  expect(run.check()).toEqual([]);
  announced(run, 1, { id: "e9" });
  expectOne(run, "d", "double_effects", /in no row/);
});

test("d: an event differs from its row, or goes under another's correlation id", () => {
  const run = emitter(1);
  announced(run, 0);
  announced(run, 0, { body: "{}" });
  expectOne(run, "d", "other", /differs/);
  const misdirected = emitter(1);
  announced(misdirected, 0);
  announced(misdirected, 0, { correlationId: "another" });
  expectOne(misdirected, "d", "misdirected", /correlation id another/);
});

test("d: a row holds what its job emitted", () => {
  const run = emitter(2, 1);
  announced(run, 0);
  expectOne(run, "d", "other", /1 events, 2 are right/);
  const wrong = emitter(1);
  const [row] = wrong.end.rows;
  const event = { ...eventOf(0), body: eventOf(0).body.replace('"index":0', '"index":1') };
  if (row) row.events = [event];
  wrong.tell({ kind: "event", correlationId: "c-l#1", ...event });
  expectOne(wrong, "d", "other", /event 0 says/);
});

test("d: a chained event is owed as a job of its own", () => {
  const run = emitter(1);
  const [row] = run.end.rows;
  if (row) row.events = [{ ...eventOf(0), type: "crash.chained" }];
  announced(run, 0, { type: "crash.chained" });
  expectOne(run, "a", "lost", /no row/);
  run.row("e0", { reply: `{"status":"succeeded","output":{"job":"e0"}}` });
  run.effect("e0");
  expect(run.check()).toEqual([]);
});

test("e: an id that nobody published", () => {
  const run = new MadeUpRun();
  run.row("ghost");
  expectOne(run, "e", "double_effects", /a row of an unknown job/);
  const running = new MadeUpRun();
  running.ran("ghost", "w1", 1, 2);
  expectOne(running, "e", "double_effects", /a run of an unknown job/);
});

test.for<[string, (end: EndState) => void, RegExp]>([
  ["ready", (end) => end.queues.push({ name: "q", ready: 1, unacked: 0 }), /1 ready/],
  ["unacked", (end) => end.queues.push({ name: "q", ready: 0, unacked: 1 }), /1 unacked/],
  ["open", (end) => end.openTransactions.push("INSERT"), /open transaction/],
  ["held", (end) => end.heldClaims.push("engine:claim:x"), /claim still held/],
  ["restless", (end) => Object.assign(end, { restless: "jobs move" }), /never came to rest/],
])("f: what is not at rest: %s", ([, change, about]) => {
  const run = new MadeUpRun();
  change(run.end);
  expectOne(run, "f", "stuck", about);
});

test("f: transactions that lock each other's rows", () => {
  const run = new MadeUpRun();
  run.end.deadlocks = 1;
  expectOne(run, "f", "other", /deadlock/);
});

test("g: an attempt that an outage burned, or that was skipped", () => {
  const run = new MadeUpRun();
  run.publish("l", "ledger");
  run.reply(run.row("l", { attempt: 2 }), "ledger");
  run.effect("l", 2);
  expectOne(run, "g", "attempts_burned", /attempt 2, earned 1/);
  const exhausted = new MadeUpRun();
  exhausted.fail("p", "plain", "attempts_exhausted", 3);
  expectOne(exhausted, "g", "attempts_burned", /ended as attempts_exhausted/);
  const skipped = new MadeUpRun();
  skipped.fail("f", "flaky", "attempts_exhausted", 2, { failures: 3 });
  expectOne(skipped, "g", "other", /instead of 3/);
});

test("g: only a job with a deadline may expire, and only a cancelled one is cancelled", () => {
  for (const code of ["expired", "cancelled"]) {
    const run = new MadeUpRun();
    run.fail("p", "plain", code, 0);
    expect(rulesOf(run)).toContain("g");
  }
  const timely = new MadeUpRun();
  const job = timely.publish("d", "plain", { deadlineMs: 1 });
  timely.reply(timely.failedRow("d", "expired", 0), "plain");
  timely.letter(job, "expired", 0);
  expect(timely.check()).toEqual([]);
});

test("g: a row of a generation that nobody replayed", () => {
  const run = new MadeUpRun();
  run.succeed("p", "plain").generation = 1;
  expectOne(run, "g", "other", /generation 1/);
});

test("g: an innocent job in quarantine; a job whose process was killed under it as often as a culprit's is none", () => {
  const quarantined = (crashes: number, hasNeighbour: boolean) => {
    const run = new MadeUpRun();
    run.fail("p", "slow", "quarantined", 0);
    run.succeed("n", "slow");
    for (let crash = 0; crash < crashes; crash++) {
      const worker = `w${crash}`;
      const startMs = run.later(10);
      run.ran("p", worker, startMs);
      if (hasNeighbour) run.ran("n", worker, startMs);
      run.later(100);
      run.exit(worker);
      if (hasNeighbour) break;
    }
    return run;
  };
  expectOne(quarantined(3, false), "g", "quarantined_wrongly", /under it 3 times/);
  expect(quarantined(4, false).check()).toEqual([]);
  expect(
    quarantined(4, true)
      .check()
      .map(({ category }) => category),
  ).toEqual(["quarantined_wrongly"]);
});

test("h: the outside saw another key than the job's id, or nothing", () => {
  const run = new MadeUpRun();
  run.succeed("x", "external");
  expectOne(run, "h", "lost", /never seen outside/);
  run.tell({ kind: "external", nonce: "x", key: "x" });
  expect(run.check()).toEqual([]);
  run.tell({ kind: "external", nonce: "x", key: "x" });
  expectOne(run, "h", "other", /2 times/);
  const faulty = new MadeUpRun();
  faulty.publish("x", "external");
  faulty.fault("kill-any");
  faulty.reply(faulty.row("x"), "external");
  faulty.effect("x");
  for (const key of ["x", "x"]) faulty.tell({ kind: "external", nonce: "x", key });
  expect(faulty.check()).toEqual([]);
  faulty.tell({ kind: "external", nonce: "x", key: "x-retry" });
  expectOne(faulty, "h", "double_effects", /x-retry/);
});

test("i: a failure without a dead letter, and a success with one", () => {
  const run = new MadeUpRun();
  run.fail("r", "rejects", "rejected");
  run.entries.pop();
  expectOne(run, "i", "lost", /no dead letter/);
  const success = new MadeUpRun();
  success.publish("p", "plain");
  success.reply(success.row("p"), "plain");
  success.letter({ id: "p", action: "plain", input: { n: 4, text: "t" } }, "rejected");
  expectOne(success, "i", "other", /yet the row is succeeded/);
});

test.for<[string, Parameters<MadeUpRun["letter"]>[3], RegExp]>([
  ["body", { body: "" }, /with the body/],
  ["type", { type: "crash.plain.v1" }, /of the type/],
  ["correlation id", { correlationId: "another" }, /under the correlation id/],
  ["reply_to", { replyTo: BOB }, /reply_to/],
  ["content type", { contentType: "text/plain" }, /content type/],
  ["timestamp", { timestamp: 8 }, /timestamp/],
  ["generation", { headers: { "x-replay": 1 } }, /generation/],
  ["error code", { headers: { "x-error-code": undefined } }, /without an error code/],
  ["error message", { headers: { "x-error": "" } }, /without an error message/],
  ["attempt", { headers: { "x-attempt": 2 } }, /of attempt 2/],
  ["other error", { headers: { "x-error-code": "expired" } }, /of a expired/],
  ["conflict", { headers: { "x-error-code": "idempotency_conflict" } }, /that was none/],
])("i: a dead letter with a wrong %s", ([, flaw, about]) => {
  const run = new MadeUpRun();
  run.fail("r", "rejects", "rejected");
  run.letter({ id: "r", action: "rejects", input: { n: 4, text: "t" } }, "rejected", 1, flaw);
  expectOne(run, "i", "other", about);
});

/** Two runs of one job, the second one before the first has ended. */
function twoRuns(): MadeUpRun {
  const run = new MadeUpRun();
  run.publish("s", "slow");
  const fromMs = run.later(10_000);
  run.ran("s", "w1", fromMs, fromMs + 3_000);
  run.ran("s", "w2", fromMs + 1_000, fromMs + 2_000);
  run.later(4_000);
  run.reply(run.row("s"), "slow");
  return run;
}

test("j: two runs of a job at once", () => {
  expectOne(twoRuns(), "j", "double_effects", /w2 began to run it 1000 ms after w1/);
});

test("j: two runs at once are right where the first lost its lease", () => {
  const stalled = twoRuns();
  stalled.end.runs.push({ kind: "stall", worker: "w1", from: 11_100, at: 11_900 });
  expect(stalled.check()).toEqual([]);
  const flushed = twoRuns();
  flushed.entries.unshift(
    { at: 10_500, kind: "fault", fault: "redis-flushed", phase: "inject", touches: ["redis"] },
    { at: 10_600, kind: "fault", fault: "redis-flushed", phase: "heal", touches: ["redis"] },
  );
  expect(flushed.check().filter(({ rule }) => rule === "j")).toEqual([]);
  const elsewhere = twoRuns();
  elsewhere.end.runs.push({ kind: "stall", worker: "w3", from: 11_100, at: 11_900 });
  expect(rulesOf(elsewhere)).toEqual(["j"]);
});

test("j: two runs at once are right where the crash test itself stood still, and Redis with it", () => {
  const run = new MadeUpRun();
  run.succeed("p", "plain");
  run.ran("p", "w1", 2_000, 5_000);
  run.ran("p", "w2", 2_500, 4_000);
  expectOne(run, "j", "double_effects", /w2 began to run it/);
  run.entries.push({ at: 2_100, kind: "stall", fromMs: 1_500 });
  expect(run.check()).toEqual([]);
});

test("j: a job that succeeded in a run that began after its deadline, or expired before it", () => {
  const late = new MadeUpRun();
  late.publish("d", "ledger", { deadlineMs: 2_000 });
  late.ran("d", "w1", 2_500, 2_600);
  late.later(3_000);
  late.reply(late.row("d"), "ledger");
  late.effect("d");
  expectOne(late, "j", "other", /500 ms after its deadline/);
  const early = new MadeUpRun();
  const job = early.publish("d", "ledger", { deadlineMs: 9_000 });
  early.ran("d", "w1", 1_500, 1_600, "threw");
  early.reply(early.failedRow("d", "expired", 1), "ledger");
  early.letter(job, "expired", 1);
  expectOne(early, "j", "other", /before its deadline/);
});

/** A job that was cancelled before it was published, or while it ran, and ran to its end. */
function cancelled(isBeforePublish: boolean, requested = true): MadeUpRun {
  const run = new MadeUpRun();
  run.tell({ kind: "cancel", jobId: "s", requested, isBeforePublish });
  run.publish("s", "slow");
  const fromMs = isBeforePublish ? run.later(100) : 500;
  run.ran("s", "w1", fromMs, fromMs + 5_000);
  run.later(6_000);
  run.reply(run.row("s"), "slow");
  return run;
}

test("j: a cancelled job that began, or went on", () => {
  expectOne(cancelled(true), "j", "other", /cancelled, yet w1/);
  expectOne(cancelled(false), "j", "other", /cancelled, yet w1/);
  expect(cancelled(true, false).check()).toEqual([]);
  const flushed = cancelled(true);
  flushed.entries.unshift(
    { at: 900, kind: "fault", fault: "redis-flushed", phase: "inject", touches: ["redis"] },
    { at: 1_001, kind: "fault", fault: "redis-flushed", phase: "heal", touches: ["redis"] },
  );
  expect(flushed.check().filter(({ rule }) => rule === "j")).toEqual([]);
});

test("j: a job whose worker died is taken over in bounded time", () => {
  const run = new MadeUpRun();
  run.publish("s", "slow");
  run.ran("s", "w1", run.later(10));
  const diedMs = run.exit("w1");
  run.later(120_000);
  run.ran("s", "w2", diedMs + 120_000, diedMs + 120_100);
  run.later(1_000);
  run.reply(run.row("s"), "slow");
  expectOne(run, "j", "stuck", /nobody took it over for 120000 ms/);
});

test("j: a refused job did not run", () => {
  const run = new MadeUpRun();
  run.fail("i", "plain", "invalid_input", 0, { n: "four" });
  run.ran("i", "w1", 1_500, 1_600);
  expectOne(run, "j", "other", /it ran, yet it ended as invalid_input/);
});

test("load: a run of which less than half was confirmed, and a fault that met no job, prove nothing", () => {
  const run = new MadeUpRun();
  for (const id of ["a", "b", "c"]) run.publish(id, "plain", {}, {}, id === "a");
  run.reply(run.row("a"), "plain");
  expectOne(run, "load", "no_load", /only 1 of 3/);
  expect(isRefused({ findings: run.check() })).toBe(true);
  const idle = new MadeUpRun();
  idle.succeed("p", "plain");
  idle.later(100);
  idle.fault("broker-killed", ["broker"]);
  expectOne(idle, "load", "no_load", /broker-killed met no job/);
  const busy = new MadeUpRun();
  busy.publish("p", "plain");
  busy.fault("broker-killed", ["broker"]);
  busy.reply(busy.row("p"), "plain");
  expect(busy.check()).toEqual([]);
  expect(isRefused({ findings: busy.check() })).toBe(false);
});

test("a worker that dies of itself", () => {
  const run = new MadeUpRun();
  run.exit("w1", "kill-at-step");
  expect(run.check()).toEqual([]);
  run.tell({ kind: "exit", worker: "w1", code: 1, signal: null });
  expectOne(run, "exit", "other", /exit 1/);
});

test("sent again after a loss: what has no row, a copy without its reply, an event that nobody saw, or a failure that nobody hears of", () => {
  const run = new MadeUpRun();
  run.succeed("replied", "plain");
  run.succeed("half-replied", "plain");
  run.publish("half-replied", "plain", {}, { copy: "half#2", replyTo: BOB });
  run.publish("no-row", "plain");
  run.publish("no-reply", "rejects");
  run.failedRow("no-reply", "rejected");
  const silent = { replyTo: undefined } as never;
  for (const id of ["announced", "unheard"]) {
    run.publish(id, "plain", {}, silent);
    run.row(id, { events: [{ id: `event-of-${id}`, type: "e", body: "{}" }] });
  }
  run.tell({ kind: "event", id: "event-of-announced", type: "e", body: "{}", correlationId: "" });
  for (const [id, code] of [
    ["failed", "rejected"],
    ["culprit", "quarantined"],
  ] as const) {
    run.publish(id, "rejects", {}, silent);
    run.failedRow(id, code);
  }
  expect(toldJobs(run.end.rows, run.entries)).toEqual(new Set(["replied", "announced", "culprit"]));
});
