import { expect, test } from "vitest";
import { type Category, check, type Finding } from "./checker.ts";
import { type EndState, type ResultRow, toldJobs } from "./evidence.ts";
import type { ActionName, Entry, PlannedJob, Stamped } from "./history.ts";

/** A made-up run: what was published and seen, and what the services held in the end. */
class Story {
  readonly entries: Stamped[] = [];
  readonly end: EndState = {
    rows: [],
    ledger: [],
    deadLetters: [],
    queues: [{ name: "engine.crash", ready: 0, unacked: 0 }],
    openTransactions: [],
    heldClaims: [],
    deadlocks: 0,
  };

  constructor() {
    this.tell({ kind: "run", seed: 1, faults: 1, jobs: 1, maxAttempts: 3 });
  }

  tell(entry: Entry): void {
    this.entries.push({ at: this.entries.length + 1, ...entry });
  }

  publish(id: string, action: ActionName, extra: Partial<PlannedJob> = {}): PlannedJob {
    const job: PlannedJob = { id, action, input: { n: 4 }, hasReplyTo: true, ...extra };
    this.tell({ kind: "publish", copy: `${id}#1`, job });
    this.tell({ kind: "confirm", copy: `${id}#1`, jobId: id });
    return job;
  }

  row(jobId: string, row: Partial<ResultRow> = {}): ResultRow {
    const reply = `{"status":"succeeded","output":{"job":"${jobId}","doubled":8}}`;
    const full = { jobId, status: "succeeded", code: null, attempt: 1, reply, events: [], ...row };
    this.end.rows.push(full);
    return full;
  }

  reply(row: ResultRow, body = row.reply, id = `crash/${row.jobId}/0/${row.status}`): void {
    const type = `crash.x.v1.${row.status === "succeeded" ? "result" : "error"}`;
    this.tell({ kind: "reply", id, jobId: row.jobId, type, body });
  }

  effect(jobId: string, attempt = 1): void {
    this.end.ledger.push({ jobId, attempt, worker: "w1" });
  }

  /** A job of `action` that succeeded as it should. */
  succeed(id: string, action: ActionName): ResultRow {
    this.publish(id, action);
    const row = this.row(id);
    this.reply(row);
    if (action !== "plain" && action !== "slow") this.effect(id);
    return row;
  }

  /** A job that failed as it should. */
  fail(id: string, action: ActionName, code: string, attempt = 1, input = {}): ResultRow {
    this.publish(id, action, { input: { n: 4, ...input } });
    const row = this.row(id, {
      status: "failed",
      code,
      attempt,
      reply: `{"status":"failed","error":{"code":"${code}"}}`,
    });
    this.reply(row);
    this.end.deadLetters.push({ jobId: id });
    return row;
  }

  check(): Finding[] {
    return check(this.entries, this.end);
  }
}

function expectOne(story: Story, rule: Finding["rule"], category: Category, about: RegExp): void {
  const findings = story.check();
  expect(findings).toHaveLength(1);
  expect(findings[0]).toMatchObject({ rule, category });
  expect(findings[0]?.message).toMatch(about);
}

test("a right run has no finding", () => {
  const story = new Story();
  story.succeed("p", "plain");
  story.succeed("l", "ledger");
  story.fail("r", "rejects", "rejected");
  story.fail("f", "flaky", "attempts_exhausted", 3, { failures: 3 });
  story.fail("o", "oom", "quarantined", 0);
  story.publish("fl", "flaky", { input: { n: 4, failures: 2 } });
  story.reply(story.row("fl", { attempt: 3 }));
  story.effect("fl", 3);
  expect(story.check()).toEqual([]);
});

test("a: a confirmed job without a row is lost", () => {
  const story = new Story();
  story.publish("gone", "plain");
  expectOne(story, "a", "lost", /no row/);
});

test("a: an unconfirmed publish owes nothing, and may have a row", () => {
  const story = new Story();
  for (const id of ["absent", "present"]) {
    story.tell({
      kind: "publish",
      copy: `${id}#1`,
      job: { id, action: "plain", input: { n: 4 }, hasReplyTo: false },
    });
    story.tell({ kind: "unconfirmed", copy: `${id}#1`, jobId: id, why: "connection lost" });
  }
  story.row("present");
  expect(story.check()).toEqual([]);
});

test("a: what a deleted queue swallowed is declared lost, what came later is owed", () => {
  const story = new Story();
  story.publish("before", "plain");
  story.tell({ kind: "queue-deleted" });
  expect(story.check()).toEqual([]);
  story.publish("after", "plain");
  expectOne(story, "a", "lost", /no row/);
});

test("a: a failed row without a dead letter is lost", () => {
  const story = new Story();
  story.fail("r", "rejects", "rejected");
  story.end.deadLetters = [];
  expectOne(story, "a", "lost", /no dead letter/);
});

test("a: a job that succeeded has no dead letter", () => {
  const story = new Story();
  story.succeed("p", "plain");
  story.end.deadLetters.push({ jobId: "p" });
  expectOne(story, "a", "other", /has a dead letter/);
});

test("b: two effects of one job", () => {
  const story = new Story();
  story.succeed("l", "ledger");
  story.effect("l");
  expectOne(story, "b", "double_effects", /2 effects/);
});

test("b: an effect of a job that failed, or has no row", () => {
  const story = new Story();
  story.fail("r", "rejects", "rejected");
  story.effect("r");
  expectOne(story, "b", "double_effects", /row is rejected/);
  const other = new Story();
  other.tell({
    kind: "publish",
    copy: "u#1",
    job: { id: "u", action: "ledger", input: { n: 4 }, hasReplyTo: false },
  });
  other.effect("u");
  expectOne(other, "b", "double_effects", /absent/);
});

test("b: a success without its effect", () => {
  const story = new Story();
  story.succeed("l", "ledger");
  story.end.ledger = [];
  expectOne(story, "b", "lost", /without its effect/);
});

test("c: a row whose caller got no reply", () => {
  const story = new Story();
  story.publish("p", "plain");
  story.row("p");
  expectOne(story, "c", "lost", /no reply/);
});

test("c: nobody waits for the reply of a job without reply-to", () => {
  const story = new Story();
  story.publish("p", "plain", { hasReplyTo: false });
  story.row("p");
  expect(story.check()).toEqual([]);
});

test("c: the same reply twice is fine, another body is not", () => {
  const story = new Story();
  const row = story.succeed("p", "plain");
  story.reply(row);
  expect(story.check()).toEqual([]);
  story.reply(row, row.reply.replace("8", "9"));
  expect(story.check().map(({ rule }) => rule)).toEqual(["c", "c"]);
});

test("c: replies of one ending carry one id", () => {
  const story = new Story();
  story.reply(story.succeed("p", "plain"), undefined, "another-id");
  expectOne(story, "c", "other", /2 ids/);
});

test("c: a reply of a job that has no row", () => {
  const story = new Story();
  const row = story.succeed("p", "plain");
  story.end.rows = [];
  story.entries.splice(2, 1); // not confirmed, so not owed
  expect(story.check().filter(({ rule }) => rule === "c")).toHaveLength(1);
  expect(row.jobId).toBe("p");
});

test("c: an output that belongs to another job", () => {
  const story = new Story();
  story.publish("p", "plain");
  story.reply(story.row("p", { reply: `{"status":"succeeded","output":{"job":"q","doubled":8}}` }));
  expectOne(story, "c", "other", /wrong output/);
});

const EVENT = { id: "e1", type: "crash.done", body: '{"job":"l"}' };

test("d: events that were announced are events of rows, and the other way round", () => {
  const story = new Story();
  story.succeed("l", "ledger").events.push(EVENT);
  expectOne(story, "d", "lost", /never announced/);
  story.tell({ kind: "event", ...EVENT });
  story.tell({ kind: "event", ...EVENT });
  expect(story.check()).toEqual([]);
  story.tell({ kind: "event", ...EVENT, id: "e2" });
  expectOne(story, "d", "double_effects", /in no row/);
});

test("d: an event whose body is not the stored one", () => {
  const story = new Story();
  story.succeed("l", "ledger").events.push(EVENT);
  story.tell({ kind: "event", ...EVENT, body: "{}" });
  expectOne(story, "d", "other", /differs/);
});

test("d: a chained event is owed as a job of its own", () => {
  const story = new Story();
  const chained = { ...EVENT, type: "crash.chained" };
  story.succeed("l", "ledger").events.push(chained);
  story.tell({ kind: "event", ...chained });
  expectOne(story, "a", "lost", /no row/);
  story.row("e1", { reply: `{"status":"succeeded","output":{"job":"e1"}}` });
  story.effect("e1");
  expect(story.check()).toEqual([]);
});

test("e: an id that nobody published", () => {
  const story = new Story();
  story.row("ghost");
  expectOne(story, "e", "double_effects", /unknown job/);
});

test("f: whatever is not at rest", () => {
  const rest = (change: (end: EndState) => void) => {
    const story = new Story();
    change(story.end);
    return story;
  };
  expectOne(
    rest((end) => end.queues.push({ name: "q", ready: 1, unacked: 0 })),
    "f",
    "stuck",
    /1 ready/,
  );
  expectOne(
    rest((end) => end.queues.push({ name: "q", ready: 0, unacked: 1 })),
    "f",
    "stuck",
    /1 unacked/,
  );
  expectOne(
    rest((end) => end.openTransactions.push("INSERT")),
    "f",
    "stuck",
    /open transaction/,
  );
  expectOne(
    rest((end) => end.heldClaims.push("engine:claim:x")),
    "f",
    "stuck",
    /claim still held/,
  );
  expectOne(
    rest((end) => {
      end.restless = "2 workers not ready";
    }),
    "f",
    "stuck",
    /never came to rest/,
  );
});

test("g: an attempt that an outage burned", () => {
  const story = new Story();
  story.publish("l", "ledger");
  story.reply(story.row("l", { attempt: 2 }));
  story.effect("l", 2);
  expectOne(story, "g", "attempts_burned", /attempt 2, earned 1/);
});

test("g: an outage that ended a job as exhausted", () => {
  const story = new Story();
  story.fail("p", "plain", "attempts_exhausted", 3);
  expect(story.check().map(({ category }) => category)).toEqual([
    "attempts_burned",
    "attempts_burned",
  ]);
});

test("g: an innocent job in quarantine", () => {
  const story = new Story();
  story.fail("p", "plain", "quarantined");
  expectOne(story, "g", "quarantined_wrongly", /no culprit/);
});

test("g: a retry that was skipped", () => {
  const story = new Story();
  story.fail("f", "flaky", "attempts_exhausted", 2, { failures: 3 });
  expectOne(story, "g", "other", /instead of 3/);
});

test("g: only a job with a deadline may expire", () => {
  const story = new Story();
  story.fail("p", "plain", "expired", 0);
  expect(story.check().some(({ rule }) => rule === "g")).toBe(true);
  const timely = new Story();
  timely.publish("d", "plain", { deadlineMs: 1 });
  timely.reply(timely.row("d", { status: "failed", code: "expired", attempt: 0, reply: "{}" }));
  timely.end.deadLetters.push({ jobId: "d" });
  expect(timely.check()).toEqual([]);
});

test("h: the outside saw another key than the job's id, or nothing", () => {
  const story = new Story();
  story.succeed("x", "external");
  expectOne(story, "h", "lost", /never seen outside/);
  story.tell({ kind: "external", nonce: "x", key: "x" });
  story.tell({ kind: "fault", fault: "kill-any", phase: "inject" });
  story.tell({ kind: "external", nonce: "x", key: "x" });
  expect(story.check()).toEqual([]);
  story.tell({ kind: "external", nonce: "x", key: "x-retry" });
  expectOne(story, "h", "double_effects", /x-retry/);
});

test("h: without a fault the claims let one worker alone run a job", () => {
  const story = new Story();
  story.succeed("x", "external");
  story.tell({ kind: "external", nonce: "x", key: "x" });
  expect(story.check()).toEqual([]);
  story.tell({ kind: "external", nonce: "x", key: "x" });
  expectOne(story, "h", "other", /2 times/);
  story.tell({ kind: "fault", fault: "redis-flushed", phase: "inject" });
  expect(story.check()).toEqual([]);
});

test("transactions that lock each other's rows", () => {
  const story = new Story();
  story.end.deadlocks = 1;
  expectOne(story, "f", "other", /deadlock/);
});

test("a worker that dies of itself", () => {
  const story = new Story();
  story.tell({ kind: "exit", worker: "w1", code: null, signal: "SIGKILL", reason: "kill-at-step" });
  expect(story.check()).toEqual([]);
  story.tell({ kind: "exit", worker: "w1", code: 1, signal: null });
  expectOne(story, "exit", "other", /exit 1/);
});

test("sent again after a loss: what has no row, no reply, an event that nobody saw, or a failure that nobody hears of", () => {
  const story = new Story();
  story.succeed("replied", "plain");
  story.publish("no-row", "plain");
  story.publish("no-reply", "rejects");
  story.row("no-reply", { status: "failed", code: "rejected" });
  for (const id of ["announced", "unheard"]) {
    story.publish(id, "plain", { hasReplyTo: false });
    story.row(id, { events: [{ id: `event-of-${id}`, type: "e", body: "{}" }] });
  }
  story.tell({ kind: "event", id: "event-of-announced", type: "e", body: "{}" });
  for (const [id, code] of [
    ["failed", "rejected"],
    ["culprit", "quarantined"],
  ] as const) {
    story.publish(id, "rejects", { hasReplyTo: false });
    story.row(id, { status: "failed", code });
  }
  expect(toldJobs(story.end.rows, story.entries)).toEqual(
    new Set(["replied", "announced", "culprit"]),
  );
});
