/** A job's life in one line: receive → claim → run → commit → publish → ack. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Delivery } from "../broker/consume.ts";
import type { Action, WorkerDefinition } from "../engine/define-worker.ts";
import { redactUrls } from "../process/log.ts";
import type { Metrics } from "../process/metrics.ts";
import { troubleOf } from "../stores/database.ts";
import { type Claim, type Claims, QUARANTINE_AFTER } from "./claim.ts";
import type { Commits, Committed } from "./commit.ts";
import type { Gate } from "./gate.ts";
import { type BatchJob, type BatchRan, createBatches } from "./handle-batch.ts";
import { Aborted, JobContext, type Tools } from "./job-context.ts";
import type { LiveJob, LiveJobs } from "./live-jobs.ts";
import type { Problem, Received, ReceivedJob, RefusedJob } from "./receive.ts";
import type { ResultRow } from "./result-rows.ts";
import { type RetryBudget, retryTier, waitTier } from "./retry.ts";
import { type Ran, runHandler } from "./run.ts";
import { failure, type Outcome, type Settle } from "./settle.ts";

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
  live: LiveJobs;
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
    try {
      const received = options.receive(delivery);
      if (received.kind === "refused") return await finish(received, refuse(received));
      if (!gate.tryEnter()) await gate.enter();
      let claim: Claim;
      try {
        if (options.draining()) return await finish(received, handBack());
        claim = await claims.claim(received, false);
        if (claim.kind !== "suspect") return await work(received, claim);
      } finally {
        gate.leave();
      }
      await runAlone(received, claim.crashes);
    } catch (error) {
      log.error({ err: error }, "a delivery was left to the broker");
    }
  }

  /** A job that was there at two crashes waits until nothing else runs: if it crashes again, it was alone. */
  async function runAlone(job: ReceivedJob, crashes: number): Promise<void> {
    await gate.enterAlone();
    try {
      if (options.draining()) return await finish(job, handBack());
      log.warn({ jobId: job.id, crashes }, "running a suspect of crashes alone");
      await work(job, await claims.claim(job, true));
    } finally {
      gate.leaveAlone();
    }
  }

  function work(job: ReceivedJob, claim: Claim): Promise<void> {
    const token = "token" in claim ? claim.token : undefined;
    const nowMs = Date.now();
    const context = new JobContext(job, tools);
    const me = live.add({ job, token, startedAtMs: nowMs, renewedAtMs: nowMs, context });
    return finish(job, act(me, claim), me);
  }

  /** Settles what the job comes to. Whatever goes wrong in our own code gives the delivery back. */
  async function finish(
    received: Received,
    deciding: Promise<Outcome> | Outcome,
    me?: LiveJob,
  ): Promise<void> {
    const startedAtMs = me?.startedAtMs ?? Date.now();
    let outcome: Outcome;
    try {
      outcome = await deciding;
      await settle(received, outcome, me?.token);
    } catch (error) {
      outcome = handBack();
      await giveBack(received, error, me?.token);
    }
    if (me !== undefined) live.delete(me);
    metrics.settled(received, outcome, Date.now() - startedAtMs);
  }

  async function giveBack(received: Received, error: unknown, token: string | undefined) {
    if (!options.signal.aborted) {
      log.error({ err: error, jobId: received.id }, "a job could not be settled, giving it back");
      await sleep(BUG_DELAY_MS, undefined, { signal: options.signal }).catch(() => {});
    }
    await settle(received, handBack(), token).catch(() => {});
  }

  function act(me: LiveJob, claim: Claim): Promise<Outcome> | Outcome {
    const { job } = me;
    switch (claim.kind) {
      case "busy":
        return { kind: "wait", tier: waitTier(claim.remainingMs), crashes: job.crashes };
      case "stale":
        return joinLater(me, claim.attempt);
      case "suspect":
        return handBack();
      case "cancelled":
        return fail(
          job,
          { code: "cancelled", message: "cancelled by the caller before it ran" },
          me,
        );
      case "done":
        return repeat(me);
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

  /** A copy with a lower attempt than the one on record. */
  async function joinLater({ job }: LiveJob, recordedAttempt: number): Promise<Outcome> {
    // It may be the copy that was left when its successor reached a tier, or another caller's, also where the
    // broker delivers it again: nothing tells them apart, so each waits for the end, and hears of it.
    // The end may have come while Redis was away and could not be told: without a look at
    // Postgres this copy would wait for ever.
    const row = await commits.read(job.engine, job.id);
    if (row !== undefined) return answer(job, row, "result");
    // It joins the attempt on record, so that it can take over should that copy be lost.
    const attempt = Math.max(job.attempt, recordedAttempt);
    return { kind: "wait", tier: waitTier(STALE_DELAY_MS), crashes: job.crashes, attempt };
  }

  /** Redis says that it is done, and Redis' word alone never ends a job. */
  async function repeat(me: LiveJob): Promise<Outcome> {
    const { job } = me;
    const row = await commits.read(job.engine, job.id);
    return row === undefined ? execute(me, job.crashes) : answer(job, row, "repeat");
  }

  async function execute(me: LiveJob, crashes: number): Promise<Outcome> {
    const { job } = me;
    if (job.attempt === 1) budget.earn();
    for (;;) {
      let ran: BatchRan | Committed;
      try {
        ran = await runOnce(me);
      } catch (error) {
        ran = readFailedCommit(error as Error);
      }
      switch (ran.kind) {
        case "committed":
          return { kind: "result", row: ran.row };
        case "stored":
          return answer(job, ran.row, "result");
        case "ended":
          return fail(job, ran.problem, me);
        case "unstorable": {
          const message = `Postgres refuses the result: ${ran.error.message}`;
          return fail(job, { code: "invalid_output", message }, me);
        }
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

  function runOnce(me: LiveJob): Promise<BatchRan | Committed> {
    const { job, context } = me;
    const batch = batches.get(job.action);
    if (batch !== undefined) return batch(batchJob(me));
    const ran = runHandler(job, context, tools.timeoutMs);
    // A handler that only computes has its result at once, and shares its commit with others.
    if (!(ran instanceof Promise) && ran.kind === "output" && context.transaction === undefined)
      return commits.commit(succeeded(me, ran.reply));
    return commitRan(me, ran);
  }

  async function commitRan(
    me: LiveJob,
    running: Ran | Promise<Ran>,
  ): Promise<BatchRan | Committed> {
    const { context } = me;
    let discard = true;
    try {
      const ran = await running;
      if (ran.kind !== "output") return ran;
      const row = succeeded(me, ran.reply);
      if (context.transaction === undefined) return await commits.commit(row);
      const own = await commits.commitIn(context.transaction.tx, [row]);
      discard = own.kind === "unknown";
      if (own.kind === "committed") return { kind: "committed", row };
      if (own.kind === "unknown") return { kind: "outage", error: own.error };
      const stored = own.stored.values().next().value;
      return stored === undefined
        ? { kind: "outage", error: new Error("the row is gone") }
        : { kind: "stored", row: stored };
    } finally {
      context.transaction?.release(discard);
    }
  }

  /** From the commit: the handler's own errors come as values. */
  function readFailedCommit(error: Error): BatchRan | Committed {
    if (options.signal.aborted) return { kind: "interrupted" };
    return { kind: troubleOf(error) === "bad-data" ? "unstorable" : "outage", error };
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
      engine: job.engine,
      jobId: job.id,
      generation: job.generation,
      status: "failed",
      code: problem.code,
      attempt,
      type: job.type,
      inputHash: job.inputHash,
      reply: failure(problem, attempt),
      events: null,
      startedAtMs: me?.startedAtMs ?? Date.now(),
    };
    const committed = await commits.commit(row);
    if (committed.kind === "unstorable") throw committed.error;
    return committed.kind === "committed"
      ? { kind: "result", row }
      : answer(job, committed.row, "result");
  }

  return lifeOf;
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

function batchJob(me: LiveJob): BatchJob {
  return { job: me.job, context: me.context, rowOf: (reply) => succeeded(me, reply) };
}

function succeeded({ job, context, startedAtMs }: LiveJob, reply: string): ResultRow {
  return {
    engine: job.engine,
    jobId: job.id,
    generation: job.generation,
    status: "succeeded",
    code: null,
    attempt: job.attempt,
    type: job.type,
    inputHash: job.inputHash,
    reply,
    events: context.events.length === 0 ? null : JSON.stringify(context.events),
    startedAtMs,
  };
}

export const shutdown = () => new Aborted("shutdown", "the worker stops");
