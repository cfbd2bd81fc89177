/** A job's life in one line: receive → claim → run → commit → publish → ack. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { type BatchRan, createBatches } from "./batch.ts";
import { type Claim, type Claims, QUARANTINE_AFTER } from "./claim.ts";
import type { Commits, Committed } from "./commit.ts";
import type { Delivery } from "./consume.ts";
import { troubleOf } from "./database.ts";
import type { Action, WorkerDefinition } from "./define-worker.ts";
import type { Gate } from "./gate.ts";
import { Aborted, JobContext, type Tools } from "./job-context.ts";
import { redactUrls } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { Problem, Received, ReceivedJob, RefusedJob } from "./receive.ts";
import type { ResultRow } from "./result-rows.ts";
import { type RetryBudget, retryTier, waitTier } from "./retry.ts";
import { type Ran, runHandler } from "./run.ts";
import { failure, type Outcome, type Settle } from "./settle.ts";

/** A job that this worker holds a claim on, for heartbeats, cancellation and the drain. */
export interface LiveJob {
  readonly job: ReceivedJob;
  readonly startedAtMs: number;
  /** When its lease was last set. */
  renewedAtMs: number;
  token: string | undefined;
  context: JobContext;
}

export interface LifeOptions {
  definition: WorkerDefinition;
  receive(delivery: Delivery): Received;
  claims: Claims;
  commits: Commits;
  settle: Settle;
  tools: Tools;
  gate: Gate;
  budget: RetryBudget;
  metrics: Metrics;
  log: Logger;
  live: Set<LiveJob>;
  /** Nothing new starts once this is true. */
  draining(): boolean;
  /** Aborts when the drain is over. */
  signal: AbortSignal;
}

const DEFAULT_MAX_ATTEMPTS = 5;
const CONTENTION_DELAY_MS = 500;
const STALE_DELAY_MS = 5_000;
/** After an error of our own a delivery goes back no faster than this, or it would spin. */
const BUG_DELAY_MS = 1_000;

export type Life = (delivery: Delivery) => Promise<void>;

/** Returns the function that takes one delivery from its arrival to its ack. It never rejects. */
export function createLife(options: LifeOptions): Life {
  const { definition, claims, commits, settle, tools, gate, budget, metrics, log, live } = options;
  const maxAttempts = definition.maxAttempts ?? DEFAULT_MAX_ATTEMPTS;
  const batches = new Map(
    Object.values(definition.actions)
      .filter((action) => action.handleBatch !== undefined)
      .map((action: Action) => [
        action,
        createBatches({
          action,
          tools,
          commits,
          max: definition.concurrency,
          log,
          signal: options.signal,
        }),
      ]),
  );

  async function lifeOf(delivery: Delivery): Promise<void> {
    const received = options.receive(delivery);
    if (received.kind === "refused") return finish(received, () => refuse(received));
    if (!gate.tryEnter()) await gate.enter();
    let claim: Claim;
    try {
      if (options.draining()) return await finish(received, handBack);
      claim = await claims.claim(received, false);
      if (claim.kind !== "suspect") return await work(received, claim);
    } finally {
      gate.leave();
    }
    // A job that was there at two crashes waits until nothing else runs: if it crashes again, it was alone.
    await gate.enterAlone();
    try {
      if (options.draining()) return await finish(received, handBack);
      log.warn(
        { jobId: received.id, crashes: claim.crashes },
        "running a suspect of crashes alone",
      );
      await work(received, await claims.claim(received, true));
    } finally {
      gate.leaveAlone();
    }
  }

  async function work(job: ReceivedJob, claim: Claim): Promise<void> {
    const token = "token" in claim ? claim.token : undefined;
    const nowMs = Date.now();
    const me: LiveJob = {
      job,
      token,
      startedAtMs: nowMs,
      renewedAtMs: nowMs,
      context: new JobContext(job, tools),
    };
    live.add(me);
    try {
      await finish(job, () => act(me, claim), me);
    } finally {
      live.delete(me);
    }
  }

  /** Settles what `decide` comes to. Whatever goes wrong in our own code gives the delivery back. */
  async function finish(
    received: Received,
    decide: () => Promise<Outcome> | Outcome,
    me?: LiveJob,
  ): Promise<void> {
    const startedAtMs = me?.startedAtMs ?? Date.now();
    let outcome: Outcome;
    try {
      outcome = await decide();
      await settle(received, outcome, me?.token);
    } catch (error) {
      outcome = handBack();
      if (!options.signal.aborted) {
        log.error({ err: error, jobId: received.id }, "a job could not be settled, giving it back");
        await sleep(BUG_DELAY_MS, undefined, { signal: options.signal }).catch(() => {});
      }
      await settle(received, outcome, me?.token).catch(() => {});
    }
    metrics.settled(received, outcome, Date.now() - startedAtMs);
  }

  async function act(me: LiveJob, claim: Claim): Promise<Outcome> {
    const { job } = me;
    switch (claim.kind) {
      case "busy":
        return { kind: "wait", tier: waitTier(claim.remainingMs), crashes: job.crashes };
      case "stale": {
        // What the broker delivers again is the copy that was left when its successor reached a tier.
        // Anything else was published anew, perhaps for another reply_to: it waits for the end.
        if (job.delivery.message.fields.redelivered) return { kind: "stale" };
        // The end may have come while Redis was away and could not be told: without a look at
        // Postgres this copy would wait for ever.
        const row = await commits.read(job.engine, job.id);
        if (row !== undefined) return answer(job, row, "result");
        // It joins the attempt on record, so that it can take over should that copy be lost.
        const attempt = Math.max(job.attempt, claim.attempt);
        return { kind: "wait", tier: waitTier(STALE_DELAY_MS), crashes: job.crashes, attempt };
      }
      case "suspect":
        return handBack();
      case "cancelled":
        return fail(
          job,
          { code: "cancelled", message: "cancelled by the caller before it ran" },
          me,
        );
      case "done": {
        const row = await commits.read(job.engine, job.id);
        // Redis' word alone never ends a job.
        return row === undefined ? execute(me, job.crashes) : answer(job, row, "repeat");
      }
      case "run":
        if (claim.crashes < QUARANTINE_AFTER) return execute(me, claim.crashes);
        log.error({ jobId: job.id, alert: "quarantined" }, "a job crashed its worker again, alone");
        return fail(
          job,
          { code: "quarantined", message: "the job crashed its worker repeatedly" },
          me,
        );
    }
  }

  async function execute(me: LiveJob, crashes: number): Promise<Outcome> {
    const { job } = me;
    if (job.attempt === 1) budget.earn();
    for (;;) {
      const ran = await runOnce(me);
      switch (ran.kind) {
        case "committed":
          return { kind: "result", row: ran.row };
        case "stored":
          return answer(job, ran.row, "result");
        case "ended":
          return fail(job, ran.problem, me);
        case "threw":
          return retryOrFail(me, ran.error, crashes);
        case "later":
          return { kind: "wait", tier: waitTier(ran.delayMs), crashes };
        case "interrupted":
          return handBack();
        case "outage": {
          if (options.signal.aborted) return handBack();
          // Waits until Postgres answers. Finding no row proves nothing: the job runs again and its INSERT decides.
          const row = await commits.read(job.engine, job.id);
          if (row !== undefined) return answer(job, row, "result");
          log.warn(
            { jobId: job.id, err: ran.error },
            "postgres was lost under a job, running it again",
          );
          await sleep(CONTENTION_DELAY_MS, undefined, { signal: options.signal });
          me.context = new JobContext(job, tools);
        }
      }
    }
  }

  async function runOnce(me: LiveJob): Promise<BatchRan> {
    const { job, context } = me;
    const rowOf = (reply: string) => succeeded(me, reply);
    const batch = batches.get(job.action);
    if (batch !== undefined) return batch({ job, context, rowOf });
    let ran: Ran;
    let discard = true;
    try {
      ran = await runHandler(job, context, tools.timeoutMs);
      if (ran.kind !== "output") return ran;
      const row = rowOf(ran.reply);
      if (context.transaction === undefined) return readCommitted(await commits.commit(row));
      const own = await commits.commitIn(context.transaction.client, [row]);
      discard = own.kind === "unknown";
      if (own.kind === "committed") return { kind: "committed", row };
      if (own.kind === "unknown") return { kind: "outage", error: own.error };
      const stored = own.stored.values().next().value;
      return stored === undefined
        ? { kind: "outage", error: new Error("the row is gone") }
        : { kind: "stored", row: stored };
    } catch (error) {
      // From commitIn: the handler's own errors come back as values.
      if (options.signal.aborted) return { kind: "interrupted" };
      if (troubleOf(error) === "bad-data") return unstorable(error as Error);
      return { kind: "outage", error: error as Error };
    } finally {
      context.transaction?.release(discard);
    }
  }

  function retryOrFail(me: LiveJob, error: Error, crashes: number): Outcome | Promise<Outcome> {
    const { job } = me;
    if (job.attempt >= maxAttempts) {
      log.error(
        { jobId: job.id, type: job.type, attempt: job.attempt, err: error },
        "the last attempt failed",
      );
      return fail(job, { code: "attempts_exhausted", message: error.message.slice(0, 1_000) }, me);
    }
    log.warn(
      { jobId: job.id, type: job.type, attempt: job.attempt, err: error },
      "an attempt failed, retrying",
    );
    const tier = retryTier(job.attempt);
    return { kind: "retry", tier, attempt: job.attempt + 1, crashes, holdMs: budget.spend() };
  }

  function refuse(refused: RefusedJob): Outcome | Promise<Outcome> {
    log.warn(
      { jobId: refused.id, type: refused.type, code: refused.problem.code },
      "a job was refused",
    );
    if (refused.id === undefined) return { kind: "unrecorded", problem: refused.problem };
    return fail({ ...refused, id: refused.id }, refused.problem);
  }

  async function fail(
    job: (ReceivedJob | RefusedJob) & { id: string },
    told: Problem,
    me?: LiveJob,
  ): Promise<Outcome> {
    const problem = { ...told, message: redactUrls(told.message) };
    const attempt = job.kind === "refused" || problem.code === "quarantined" ? 0 : job.attempt;
    const row: ResultRow = {
      ...rowBase(job, me?.startedAtMs ?? Date.now()),
      attempt,
      status: "failed",
      code: problem.code,
      reply: failure(problem, attempt),
      events: null,
    };
    const committed = await commits.commit(row);
    if (committed.kind === "unstorable") throw committed.error;
    return committed.kind === "committed"
      ? { kind: "result", row }
      : answer(job, committed.row, "result");
  }

  return (delivery) =>
    lifeOf(delivery).catch((error) => {
      log.error({ err: error }, "a delivery was left to the broker");
    });
}

const handBack = (): Outcome => ({ kind: "hand-back" });

/** A row that was there before: the same job again, or another one under its id. */
function answer(
  job: Pick<ReceivedJob, "inputHash">,
  row: ResultRow,
  kind: "result" | "repeat",
): Outcome {
  if (row.inputHash === job.inputHash) return { kind, row };
  const message = "this job id was used before with another input; use a new id";
  return { kind: "unrecorded", problem: { code: "idempotency_conflict", message } };
}

function rowBase(
  job: { engine: string; id: string; generation: number; type: string; inputHash: string },
  startedAtMs: number,
) {
  const { engine, id, generation, type, inputHash } = job;
  return { engine, jobId: id, generation, type, inputHash, startedAtMs };
}

function succeeded({ job, context, startedAtMs }: LiveJob, reply: string): ResultRow {
  return {
    ...rowBase(job, startedAtMs),
    attempt: job.attempt,
    status: "succeeded",
    code: null,
    reply,
    events: context.events.length === 0 ? null : JSON.stringify(context.events),
  };
}

function readCommitted(committed: Committed): BatchRan {
  return committed.kind === "unstorable" ? unstorable(committed.error) : committed;
}

function unstorable(error: Error): BatchRan {
  const message = `Postgres refuses the result: ${error.message}`;
  return { kind: "ended", problem: { code: "invalid_output", message } };
}

export const shutdown = () => new Aborted("shutdown", "the worker stops");
