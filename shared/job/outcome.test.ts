/** The outcome is one pure function: every turn with every run and every answer of Postgres. */
import { describe, expect, test } from "vitest";
import type { Stored } from "./commit.ts";
import { Aborted } from "./job-context.ts";
import type { LiveJob } from "./live-jobs.ts";
import { outcomeOf, rowOf } from "./outcome.ts";
import type { Problem, Received } from "./receive.ts";
import type { ResultRow } from "./result-rows.ts";
import type { Ran } from "./run.ts";
import type { Turn } from "./turn.ts";

const MAX_ATTEMPTS = 3;

const received = (changes: Partial<Received> = {}) =>
  ({
    kind: "job",
    engine: "e",
    id: "j",
    type: "e.a.v1",
    inputHash: "h",
    generation: 0,
    attempt: 1,
    crashes: 0,
    ...changes,
  }) as Received;

const row = (changes: Partial<ResultRow> = {}): ResultRow => ({
  engine: "e",
  jobId: "j",
  generation: 0,
  status: "succeeded",
  code: null,
  attempt: 1,
  type: "e.a.v1",
  inputHash: "h",
  publisher: null,
  appId: null,
  reply: "{}",
  events: null,
  startedAtMs: 0,
  ...changes,
});

const fail = () => {
  throw new Error("a getter that throws");
};
const problem: Problem = { code: "invalid_input", message: "no" };
const common = { token: "t", startedAtMs: 5 };
const TURNS = {
  run: { ...common, kind: "run", live: {} as LiveJob, crashes: 2 },
  wait: { ...common, kind: "wait", delayMs: 700, mayBeEarly: true, attempt: 4 },
  ended: { ...common, kind: "ended", row: row(), tell: "repeat" },
  cancelled: { ...common, kind: "cancelled", crashes: 0 },
  quarantined: { ...common, kind: "quarantined", crashes: 4 },
  refused: { ...common, kind: "refused", problem },
  draining: { ...common, kind: "draining" },
} satisfies Record<Turn["kind"], Turn>;

const RANS = {
  unrun: { kind: "unrun" },
  output: { kind: "output", row: row() },
  stored: { kind: "stored", stored: { kind: "first", row: row() } },
  ended: { kind: "ended", problem: { code: "rejected", message: "amqp://u:p@h refused" } },
  threw: { kind: "threw", error: new Error("x".repeat(2_000)) },
  later: { kind: "later", delayMs: 3_000 },
  interrupted: { kind: "interrupted" },
} satisfies Record<Ran["kind"], Ran>;

describe("what Postgres said decides before all else", () => {
  test.each(Object.keys(TURNS) as Turn["kind"][])("after a turn to %s", (kind) => {
    const first: Stored = { kind: "first", row: row() };
    const outcome = outcomeOf(received(), TURNS[kind], RANS.unrun, first);
    expect(outcome).toEqual({ kind: "result", row: first.row });
  });

  test("a row of another input under the same id is a conflict, and shows nothing of it", () => {
    const stored: Stored = { kind: "before", row: row({ inputHash: "other", reply: "secret" }) };
    const outcome = outcomeOf(received(), TURNS.run, RANS.output, stored);
    expect(outcome).toMatchObject({
      kind: "unrecorded",
      problem: { code: "idempotency_conflict" },
    });
    expect(JSON.stringify(outcome)).not.toContain("secret");
  });

  test("a row of another publisher under the same id is a conflict, whatever its input", () => {
    const stored: Stored = { kind: "before", row: row({ publisher: "alice", reply: "secret" }) };
    for (const publisher of [undefined, "mallory"]) {
      const outcome = outcomeOf(received({ publisher }), TURNS.run, RANS.output, stored);
      expect(outcome).toMatchObject({ problem: { code: "idempotency_conflict" } });
      expect(JSON.stringify(outcome)).not.toMatch(/secret|alice/);
    }
    const own = outcomeOf(received({ publisher: "alice" }), TURNS.run, RANS.output, stored);
    expect(own.kind).toBe("result");
  });

  test("values that can't be stored are never told", () => {
    const stored: Stored = { kind: "unstorable", error: new Error("22P05") };
    expect(() => outcomeOf(received(), TURNS.run, RANS.output, stored)).toThrow("22P05");
  });
});

describe("where nothing was stored", () => {
  test("a throw before the last attempt is counted, and keeps its crashes", () => {
    expect(outcomeOf(received({ attempt: 2 }), TURNS.run, RANS.threw, undefined)).toEqual({
      kind: "retry",
      attempt: 3,
      crashes: 2,
      failure: { code: "Error", message: "x".repeat(300), attempt: 2 },
    });
  });

  test.each([
    [Object.assign(new Error("amqp://u:p@h is away"), { code: "ECONNREFUSED" }), "ECONNREFUSED"],
    [new TypeError("amqp://u:p@h is away"), "TypeError"],
    [new Aborted("timeout", "amqp://u:p@h is away"), "timeout"],
    [Object.defineProperty(new Error("amqp://u:p@h is away"), "code", { get: fail }), "Error"],
  ])("what is told of an attempt that failed is short and holds no secret: %s", (error, code) => {
    const ran: Ran = { kind: "threw", error };
    expect(outcomeOf(received(), TURNS.run, ran, undefined)).toMatchObject({
      failure: { code, message: "amqp://***@h is away", attempt: 1 },
    });
  });

  test("a handler that asked for later is not counted", () => {
    expect(outcomeOf(received({ attempt: 2 }), TURNS.run, RANS.later, undefined)).toEqual({
      kind: "wait",
      delayMs: 3_000,
      mayBeEarly: false,
      attempt: 2,
      crashes: 2,
    });
  });

  test("an interrupted job and one whose worker drains go back as they came", () => {
    for (const [turn, ran] of [
      [TURNS.run, RANS.interrupted],
      [TURNS.draining, RANS.unrun],
    ] as const)
      expect(outcomeOf(received(), turn, ran, undefined)).toEqual({ kind: "hand-back" });
  });

  test("a job that another worker holds waits for the attempt that it is told", () => {
    expect(outcomeOf(received({ crashes: 1 }), TURNS.wait, RANS.unrun, undefined)).toEqual({
      kind: "wait",
      delayMs: 700,
      mayBeEarly: true,
      attempt: 4,
      crashes: 1,
    });
  });

  test("one that ended before is repeated to its caller alone", () => {
    expect(outcomeOf(received(), TURNS.ended, RANS.unrun, undefined)).toEqual({
      kind: "repeat",
      row: TURNS.ended.row,
    });
  });

  test("a refused message without an id is answered unrecorded", () => {
    const message = received({ kind: "refused", id: undefined } as Partial<Received>);
    expect(outcomeOf(message, TURNS.refused, RANS.unrun, undefined)).toEqual({
      kind: "unrecorded",
      problem,
    });
  });

  test.each(["output", "stored", "ended", "unrun"] as const)(
    "a job that ran to %s can't have been told before it was stored",
    (kind) => {
      expect(() => outcomeOf(received(), TURNS.run, RANS[kind], undefined)).toThrow(/stored/);
    },
  );
});

describe("the row", () => {
  const leaves: [string, Turn["kind"], Ran["kind"], number, string | null | undefined][] = [
    ["a success", "run", "output", 1, null],
    ["a rejection", "run", "ended", 1, "rejected"],
    ["a throw with attempts left", "run", "threw", 2, undefined],
    ["a throw at the last attempt", "run", "threw", 3, "attempts_exhausted"],
    ["later", "run", "later", 3, undefined],
    ["a shutdown", "run", "interrupted", 3, undefined],
    ["a cancelled job", "cancelled", "unrun", 1, "cancelled"],
    ["a quarantined job", "quarantined", "unrun", 1, "quarantined"],
    ["a refused job", "refused", "unrun", 1, "invalid_input"],
    ["a job that waits", "wait", "unrun", 1, undefined],
    ["a job that ended before", "ended", "unrun", 1, undefined],
    ["a drain", "draining", "unrun", 1, undefined],
  ];
  test.each(leaves)("of %s", (_, turn, ran, attempt, code) => {
    const left = rowOf(received({ attempt }), TURNS[turn], RANS[ran], MAX_ATTEMPTS);
    expect(left?.code).toBe(code);
  });

  test("has no secret, a bounded message, and no attempt where nothing ran", () => {
    expect(rowOf(received(), TURNS.run, RANS.ended, MAX_ATTEMPTS)?.reply).toContain("amqp://***@h");
    const exhausted = rowOf(received({ attempt: 3 }), TURNS.run, RANS.threw, MAX_ATTEMPTS);
    expect(JSON.parse(exhausted?.reply ?? "").error.message).toHaveLength(1_000);
    expect(rowOf(received(), TURNS.quarantined, RANS.unrun, MAX_ATTEMPTS)?.attempt).toBe(0);
    expect(rowOf(received(), TURNS.refused, RANS.unrun, MAX_ATTEMPTS)?.attempt).toBe(0);
  });
});
