/** A made-up run for tests of the checker: what was published and seen, and what the services held in the end. */
import { check } from "./checker.ts";
import type { EndState, ResultRow } from "./evidence.ts";
import type { Finding } from "./finding.ts";
import type { ActionName, Copy, Entry, PlannedJob, Stamped } from "./history.ts";

/** The queue of the caller ada, who publishes where nobody else is named. */
export const ADA = "ada.replies";
export const BOB = "bob.replies";
const WRITES_NOTHING = new Set(["plain", "slow", "odd"]);

export class MadeUpRun {
  readonly entries: Stamped[] = [];
  readonly end: EndState = {
    rows: [],
    ledger: [],
    runs: [],
    queues: [{ name: "engine.crash", ready: 0, unacked: 0 }],
    openTransactions: [],
    heldClaims: [],
    deadlocks: 0,
  };
  #now = 1_000;

  constructor() {
    this.tell({
      kind: "run",
      seed: 1,
      faults: 1,
      jobs: 1,
      maxAttempts: 3,
      leaseMs: 2_000,
      maxHeldBytes: 8_000_000,
    });
  }

  /** Lets time pass. */
  later(ms: number): number {
    this.#now += ms;
    return this.#now;
  }

  tell(entry: Entry): void {
    this.entries.push({ at: this.later(1), ...entry });
  }

  fault(fault: string, touches: string[] = []): void {
    this.tell({ kind: "fault", fault, phase: "inject", touches });
    this.tell({ kind: "fault", fault, phase: "heal", touches });
  }

  publish(
    id: string,
    action: ActionName,
    job: Partial<PlannedJob> = {},
    copy: Partial<Copy> = {},
    isConfirmed = true,
  ): PlannedJob {
    const planned: PlannedJob = { id, action, input: { n: 4, text: "t" }, ...job };
    const name = copy.copy ?? `${id}#1`;
    this.tell({
      kind: "publish",
      copy: name,
      caller: "ada",
      job: planned,
      correlationId: `c-${name}`,
      replyTo: ADA,
      generation: 0,
      timestamp: 7,
      ...copy,
    });
    if (isConfirmed) this.tell({ kind: "confirm", copy: name, jobId: id });
    return planned;
  }

  row(jobId: string, row: Partial<ResultRow> = {}): ResultRow {
    const output = JSON.stringify({ job: jobId, doubled: 8, text: "t", run: "w/1" });
    const full: ResultRow = {
      jobId,
      generation: 0,
      status: "succeeded",
      code: null,
      attempt: 1,
      reply: `{"status":"succeeded","output":${output}}`,
      events: [],
      ...row,
    };
    this.end.rows.push(full);
    return full;
  }

  failedRow(jobId: string, code: string, attempt = 1, more: Partial<ResultRow> = {}): ResultRow {
    const reply = `{"status":"failed","error":{"code":"${code}"}}`;
    return this.row(jobId, { status: "failed", code, attempt, reply, ...more });
  }

  reply(
    row: ResultRow,
    action: ActionName,
    more: Partial<Extract<Entry, { kind: "reply" }>> = {},
  ): void {
    const body = more.body ?? row.reply;
    this.tell({
      kind: "reply",
      queue: ADA,
      id: `crash/${row.jobId}/${row.generation}/${row.code ?? "succeeded"}`,
      correlationId: `c-${row.jobId}#1`,
      type: `crash.${action}.v1.${body.includes('"error"') ? "error" : "result"}`,
      attempt: row.attempt,
      ...more,
      body,
    });
  }

  letter(
    job: PlannedJob,
    code: string,
    attempt = 1,
    more: Partial<Extract<Entry, { kind: "letter" }>> = {},
  ): void {
    this.tell({
      kind: "letter",
      id: job.id,
      type: `crash.${job.action}.v1`,
      body: JSON.stringify(job.input),
      correlationId: `c-${job.id}#1`,
      replyTo: ADA,
      contentType: "application/json",
      timestamp: 7,
      ...more,
      headers: {
        "x-error-code": code,
        "x-error": "why",
        "x-attempt": attempt,
        "x-replay": 0,
        ...more.headers,
      },
    });
  }

  effect(jobId: string, attempt = 1): void {
    this.end.ledger.push({ jobId, attempt, worker: "w1" });
  }

  /** A run of `jobId` in `worker`; without an end it is cut. */
  ran(
    jobId: string,
    worker: string,
    startMs: number,
    endMs?: number,
    ended: "returned" | "threw" = "returned",
  ): void {
    const run = `${worker}/${this.end.runs.length}`;
    this.end.runs.push({ kind: "start", at: startMs, worker, run, jobId, attempt: 1, skewMs: 0 });
    if (endMs !== undefined) this.end.runs.push({ kind: "end", at: endMs, run, ended });
  }

  exit(worker: string, reason = "killed"): number {
    this.tell({ kind: "exit", worker, code: null, signal: "SIGKILL", reason });
    return this.#now;
  }

  /** A job of `action` that succeeded as it should. */
  succeed(id: string, action: ActionName, job: Partial<PlannedJob> = {}): ResultRow {
    this.publish(id, action, job);
    const row = this.row(id);
    this.reply(row, action);
    if (!WRITES_NOTHING.has(action)) this.effect(id);
    return row;
  }

  /** A job of `action` that failed as it should. */
  fail(id: string, action: ActionName, code: string, attempt = 1, input = {}): ResultRow {
    const job = this.publish(id, action, { input: { n: 4, text: "t", ...input } });
    const row = this.failedRow(id, code, attempt);
    this.reply(row, action);
    this.letter(job, code, attempt);
    return row;
  }

  check(): Finding[] {
    return check(this.entries, this.end);
  }
}
