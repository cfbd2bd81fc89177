/**
 * A job's life, from its delivery to its ack. Each step is a file of this folder; what it keeps is cited there by number.
 *
 * Duties: every delivery ends (acked, with what its outcome says published) or comes back (handed back, or over a
 * tier), and no error of one job is another's. Boundary: no driver and no socket; `broker/` and `stores/` have those.
 *
 * I1. Postgres decides. The row's primary key is the fence: the first committer wins, and only a replay overwrites,
 *     and only a failure. What Redis calls done, or run by a later generation or attempt, is believed where a row or
 *     the message bears it out, and written over elsewhere (turn.ts); no lease is longer than leases are, and what is
 *     no record is as nothing (claim.lua, wire/claim-record.ts). What it calls cancelled or quarantined ends by a row
 *     like any other (result-rows.ts, commit.ts); a cancellation is the caller's own word, since rights end at the
 *     publisher's name in the key.
 * I2. What can have a row has it before anybody is told, and what it says is confirmed by the broker, or given up
 *     by rule, before the ack (outcome.ts, settle.ts, courier.ts).
 * I3. A job that comes back is confirmed on its tier, then on record in Redis, then acked (settle.ts).
 * I4. An attempt is a run of the handler that threw or took too long. Waiting, outages and shutdowns are none
 *     (handle.ts, handle-batch.ts, run.ts, transaction.ts). A bug of ours under a job that has its turn counts as
 *     one, so that the job ends (life.ts).
 * I5. The ack goes to the channel that delivered; a lost ack is only a repeated delivery (acks.ts, settle.ts).
 * I6. A crash counts against those jobs alone that were claimed, and never against what did not run (claim.lua).
 *     Each sends its message back to the queue, so no more are believed of Redis than the job's messages went back,
 *     a sum that it takes along over the tiers (envelope.ts, messages.ts); where a broker forgot, a culprit runs a few
 *     times more. Where Redis can't be asked, the message's own count does, and far higher the broker's (claim.ts).
 * I7. After a COMMIT in doubt the same is done again; finding no row proves nothing (commit.ts, handle-batch.ts,
 *     run.ts).
 * I8. Nothing is copied from a delivery to what we publish but what is named (messages.ts).
 * I9. What is said again is said in the same words: replies and events come out of the row, and their ids follow
 *     from the job and its end (messages.ts, job-context.ts).
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Delivery } from "../broker/consume.ts";
import type { Metrics } from "../process/metrics.ts";
import type { Commits, Stored } from "./commit.ts";
import { logFailure, whoseJob } from "./failure-log.ts";
import { failedRow, type Outcome, outcomeOf, rowOf } from "./outcome.ts";
import type { Problem, Received } from "./receive.ts";
import { type Ran, type Run, UNRUN } from "./run.ts";
import type { Settle } from "./settle.ts";
import { asError } from "./thrown.ts";
import type { Turn, Turns } from "./turn.ts";

export interface LifeOptions {
  /** Never throws: what is wrong comes back as a refused job. */
  receive(delivery: Delivery): Received;
  turns: Turns;
  run: Run;
  commits: Pick<Commits, "commit">;
  settle: Settle;
  maxAttempts: number;
  metrics: Pick<Metrics, "settled" | "ownError">;
  log: Logger;
  /** Aborts when the drain is over. */
  signal: AbortSignal;
}

/** After an error of our own a delivery goes back no faster than this, or it would spin. */
const BUG_DELAY_MS = 1_000;

export type Life = (delivery: Delivery) => Promise<void>;

/** Returns the function that takes one delivery from its arrival to its ack. It never rejects. */
export function createLife(options: LifeOptions): Life {
  const life = new JobLife(options);
  return (delivery) => life.lifeOf(delivery);
}

/** As a person asks for it: how the job ended, or what becomes of it. */
function nameOf(outcome: Outcome): string {
  switch (outcome.kind) {
    case "result":
    case "repeat":
      return outcome.row.code ?? outcome.row.status;
    case "unrecorded":
      return outcome.problem.code;
    case "retry":
    case "wait":
    case "hand-back":
      return outcome.kind;
  }
}

class JobLife {
  readonly #options: LifeOptions;
  /** Asked once: a line that nobody reads must cost no job anything. */
  readonly #tellsEach: boolean;

  constructor(options: LifeOptions) {
    this.#options = options;
    this.#tellsEach = options.log.isLevelEnabled("debug");
  }

  async lifeOf(delivery: Delivery): Promise<void> {
    const { receive, turns, run, settle, log } = this.#options;
    let received: Received | undefined;
    let turn: Turn | undefined;
    let isSettled = false;
    try {
      received = receive(delivery);
      turn = await turns.take(received);
      const ran = turn.kind === "run" ? await run(turn.live) : UNRUN;
      const stored = await this.#commit(received, turn, ran);
      const outcome = outcomeOf(received, turn, ran, stored);
      isSettled = (await settle(received, outcome, turn.token)) === "settled";
      if (isSettled) this.#noteEnd(received, turn, ran, outcome);
      else await this.#endUnsendable(received, turn);
    } catch (error) {
      // A second ack of a tag would close the channel.
      if (isSettled) log.error({ err: asError(error) }, "a settled job could not be noted");
      else await this.#recover(delivery, received, turn, asError(error));
    } finally {
      if (turn !== undefined) turns.leave(turn);
    }
  }

  /** Stores what there is to store; undefined where the job leaves no row, or not yet. */
  async #commit(received: Received, turn: Turn, ran: Ran): Promise<Stored | undefined> {
    const { commits, maxAttempts } = this.#options;
    if (ran.kind === "stored") return ran.stored;
    const row = rowOf(received, turn, ran, maxAttempts);
    if (row === undefined) return undefined;
    const stored = await commits.commit(row);
    if (stored.kind !== "unstorable" || row.status === "failed") return stored;
    const message = `Postgres refuses the result: ${stored.error.message}`;
    return commits.commit(
      failedRow({ ...received, id: row.jobId }, turn, { code: "invalid_output", message }),
    );
  }

  /** A job that was to come back, and that the broker can never take again, has failed. */
  async #endUnsendable(received: Received, turn: Turn): Promise<void> {
    const { commits, settle } = this.#options;
    const problem: Problem = {
      code: "payload_too_large",
      message: "the job can't come back: the broker takes no message of its size any more",
    };
    const { id, ...envelope } = received;
    const stored =
      id === undefined
        ? undefined
        : await commits.commit(failedRow({ ...envelope, id }, turn, problem));
    const ended = { ...turn, kind: "refused", problem } as Turn;
    const outcome = outcomeOf(received, ended, UNRUN, stored);
    await settle(received, outcome, turn.token);
    this.#noteEnd(received, turn, UNRUN, outcome);
  }

  #noteEnd(received: Received, turn: Turn, ran: Ran, outcome: Outcome): void {
    const { metrics, log } = this.#options;
    const tookMs = Date.now() - turn.startedAtMs;
    metrics.settled(received, outcome, tookMs);
    if (this.#tellsEach) {
      const { id: jobId, type, attempt } = received;
      log.debug({ jobId, type, attempt, outcome: nameOf(outcome), tookMs }, "a job");
    }
    logFailure(log, received, { turn, ran, outcome });
  }

  /**
   * I4. Something of ours threw: a bug. The job goes on as after an attempt that failed, so that it ends; where that
   * fails as well, past its last attempt, it is a dead letter; else the broker has it again, not at once.
   */
  async #recover(
    delivery: Delivery,
    received: Received | undefined,
    turn: Turn | undefined,
    error: Error,
  ): Promise<void> {
    const { settle, metrics, log, signal } = this.#options;
    if (!signal.aborted) {
      metrics.ownError();
      const whose = received && whoseJob(received);
      log.error({ ...whose, err: error }, "a job could not be settled");
      if (received !== undefined && turn?.kind === "run") {
        if (await this.#failed(received, turn, error)) return;
        if (await this.#buried(received, turn, error)) return;
      }
      await sleep(BUG_DELAY_MS, undefined, { signal }).catch(() => {});
    }
    try {
      if (received !== undefined && turn !== undefined) {
        await settle(received, { kind: "hand-back" }, turn.token);
        metrics.settled(received, { kind: "hand-back" }, Date.now() - turn.startedAtMs);
      } else delivery.acks.handBack(delivery.message);
    } catch (failure) {
      log.error({ err: asError(failure) }, "a delivery was left to the broker");
    }
  }

  /** Whether the job could be settled as one whose attempt failed. */
  async #failed(received: Received, turn: Turn, error: Error): Promise<boolean> {
    const ran: Ran = { kind: "threw", error };
    try {
      const stored = await this.#commit(received, turn, ran);
      return await this.#settled(received, turn, ran, outcomeOf(received, turn, ran, stored));
    } catch {
      return false;
    }
  }

  /** Whether a job past its last attempt could at least be kept as a dead letter. */
  async #buried(received: Received, turn: Turn, error: Error): Promise<boolean> {
    if (received.attempt < this.#options.maxAttempts) return false;
    // Its row may say otherwise, and is what counts: nobody is told anything that could differ from it.
    received.replyTo = undefined;
    const message = `the job has its end, which could not be told: ${error.message}`;
    const problem: Problem = { code: "attempts_exhausted", message };
    try {
      const ran: Ran = { kind: "threw", error };
      return await this.#settled(received, turn, ran, { kind: "unrecorded", problem });
    } catch {
      return false;
    }
  }

  async #settled(received: Received, turn: Turn, ran: Ran, outcome: Outcome): Promise<boolean> {
    if ((await this.#options.settle(received, outcome, turn.token)) === "unsendable") return false;
    this.#noteEnd(received, turn, ran, outcome);
    return true;
  }
}
