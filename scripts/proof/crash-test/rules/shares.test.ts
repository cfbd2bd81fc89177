/** What messages can do is judged: who waited too long, what a worker held, and how what can't be taken ended. */
import { expect, test } from "vitest";
import type { Copy } from "../history.ts";
import { MadeUpRun } from "../made-up-run.ts";

const told = (run: MadeUpRun) =>
  run.check().map(({ rule, category, message }) => `${rule} ${category}: ${message}`);

test("k: a job with a promise is answered in time, counted from its confirm", () => {
  const waits = (ms: number, withinMs?: number) => {
    const run = new MadeUpRun();
    run.publish("p", "plain", withinMs === undefined ? {} : { withinMs });
    run.later(ms);
    run.reply(run.row("p"), "plain");
    return told(run);
  };
  expect(waits(900, 1_000)).toEqual([]);
  expect(waits(60_000)).toEqual([]);
  expect(waits(1_100, 1_000)).toEqual([
    expect.stringMatching(/^k stuck: answered after 11\d\d ms, 1000 ms is right/),
  ]);
});

test("k: what a worker holds at once is bounded; what is larger than all is held alone", () => {
  const holds = (...runs: [worker: string, startMs: number, endMs: number, padBytes: number][]) => {
    const run = new MadeUpRun();
    for (const [index, [worker, startMs, endMs, padBytes]] of runs.entries()) {
      run.succeed(`h${index}`, "heavy", { input: { n: 4, text: "t", padBytes } });
      run.ran(`h${index}`, worker, startMs, endMs);
    }
    return told(run);
  };
  expect(holds(["w1", 0, 100, 4e6], ["w1", 50, 150, 4e6], ["w2", 50, 150, 4e6])).toEqual([]);
  expect(holds(["w1", 0, 100, 5e6], ["w1", 100, 150, 5e6])).toEqual([]);
  expect(holds(["w1", 0, 100, 9e6])).toEqual([]);
  expect(holds(["w1", 0, 100, 5e6], ["w1", 50, 150, 5e6])).toEqual([
    "k other: w1 held 10000000 bytes at once, 8000000 is the most",
  ]);
});

const refuse = (run: MadeUpRun, copy: Partial<Copy>) => {
  const job = run.publish("r", "plain", {}, { isRefused: true, ...copy });
  return { job, row: run.failedRow("r", "invalid_input", 0) };
};

test("g: what can't be decoded, or was forged, ends as invalid_input and never runs", () => {
  const run = new MadeUpRun();
  const { job, row } = refuse(run, { oddity: "nested" });
  run.reply(row, "plain");
  run.letter(job, "invalid_input", 0);
  expect(told(run)).toEqual([]);
  const believed = new MadeUpRun();
  believed.publish("r", "plain", {}, { isRefused: true, headers: { "x-attempt": 3 } });
  believed.reply(believed.row("r", { attempt: 3 }), "plain");
  expect(told(believed)).toEqual([expect.stringMatching(/^g other: .*invalid_input is right/)]);
});

test("i: what says no id has no row, and a dead letter all the same", () => {
  const nameless = { isRefused: true, oddity: "message-id", replyTo: undefined } as never;
  const run = new MadeUpRun();
  const job = run.publish("?", "plain", {}, nameless);
  expect(told(run)).toEqual([expect.stringMatching(/^i lost: .*message-id.* no dead letter/)]);
  run.letter(job, "invalid_input", 1, { replyTo: undefined });
  expect(told(run)).toEqual([]);
  run.letter(job, "quarantined", 1, { replyTo: undefined });
  expect(told(run)).toEqual([expect.stringMatching(/^i other: .*of a quarantined/)]);
});

test("g: what the delivery limit took without a turn has its turn; what expired has not", () => {
  const ends = (burial: Copy["burial"] & string, isRun: boolean) => {
    const run = new MadeUpRun();
    const job = run.publish("b", "plain", {}, { burial });
    const row = isRun ? run.row("b") : run.failedRow("b", "quarantined", 0);
    run.reply(row, "plain");
    if (!isRun) run.letter(job, "quarantined", 0);
    return told(run);
  };
  expect(ends("delivery_limit", true)).toEqual([]);
  expect(ends("delivery_limit", false)).toEqual([
    expect.stringMatching(/^g quarantined_wrongly: plain is no culprit/),
  ]);
  expect(ends("expired", true)).toEqual([expect.stringMatching(/^g .*expired is right/)]);
});
