/** Decides whether a job may run now: it waits for its turn in this worker, then claims the job in the fleet. */
import type { Logger } from "pino";
import { type Claim, type Claims, QUARANTINE_AFTER } from "./claim.ts";
import type { Commits } from "./commit.ts";
import type { Gate } from "./gate.ts";
import { JobContext, type Tools } from "./job-context.ts";
import type { LiveJob, LiveJobs } from "./live-jobs.ts";
import { isEndOf } from "./outcome.ts";
import type { Envelope, Problem, Received, ReceivedJob, UntriedJob } from "./receive.ts";
import type { ResultRow } from "./result-rows.ts";

/** What a delivery has when it may go on. Whoever took it leaves it, whatever happened. */
export type Turn = {
  /** Undefined where Redis was not asked, or had no claim to give. */
  token: string | undefined;
  /** Epoch ms. */
  startedAtMs: number;
} & (
  | { kind: "run"; live: LiveJob; crashes: number }
  /**
   * Another worker has it, a later attempt is on its way, or its time has not come: it comes back, uncounted; `runAt`,
   * epoch ms, where it waits for its time.
   */
  | { kind: "wait"; delayMs: number; mayBeEarly: boolean; attempt: number; runAt?: number }
  /** Postgres has its end. */
  | { kind: "ended"; row: ResultRow; tell: "result" | "repeat" }
  | { kind: "cancelled"; crashes: number }
  | { kind: "quarantined"; crashes: number }
  /** Nothing to run; `problem` says why. */
  | { kind: "refused"; problem: Problem }
  /** The worker stops. */
  | { kind: "draining" }
);

export interface TurnOptions {
  claims: Claims;
  commits: Pick<Commits, "read">;
  gate: Gate;
  live: LiveJobs;
  tools: Tools;
  maxAttempts: number;
  log: Logger;
  /** Nothing new starts once this is true. */
  draining(): boolean;
}

export interface Turns {
  take(received: Received): Promise<Turn>;
  /** To be called once for each turn, when the delivery has been settled. */
  leave(turn: Turn): void;
}

/** A claim, or the end of which Redis knew, as Postgres has it. */
type Asked =
  | Exclude<Claim, { kind: "done" }>
  | { kind: "ended"; row: ResultRow; tell: "result" | "repeat" };

const STALE_DELAY_MS = 5_000;
/** Of what burials send back. */
export const UNTRIED_DELAY_MS = 1_000;
const EXPIRED: Problem = {
  code: "expired",
  message: "the deadline passed before the job could run",
};
/** How a turn holds the gate. */
type Held = "shared" | "alone";

export function createTurns(options: TurnOptions): Turns {
  return new ClaimedTurns(options);
}

class ClaimedTurns implements Turns {
  readonly #options: TurnOptions;
  readonly #held = new WeakMap<Turn, Held>();

  constructor(options: TurnOptions) {
    this.#options = options;
  }

  async take(received: Received): Promise<Turn> {
    const { gate, log, draining } = this.#options;
    if (received.kind === "refused") return refused(received.problem);
    if (received.kind === "untried") return backToItsEngine(received, log);
    if (received.runAt !== 0 && received.runAt > Date.now())
      return { ...tooEarly(received, received.runAt - Date.now()), runAt: received.runAt };
    if (!gate.tryEnter()) await gate.enter(received.lane);
    let turn: Turn | undefined;
    try {
      if (draining()) return stopping();
      const claim = await this.#ask(received, false);
      if (claim.kind !== "suspect") {
        turn = this.#turnOf(received, claim);
        this.#held.set(turn, "shared");
        return turn;
      }
      log.warn(
        { jobId: received.id, crashes: claim.crashes },
        "running a suspect of crashes alone",
      );
    } finally {
      if (turn === undefined) gate.leave();
    }
    return this.#takeAlone(received);
  }

  /** A job that was there at two crashes waits until nothing else runs: if it crashes again, it was alone. */
  async #takeAlone(job: ReceivedJob): Promise<Turn> {
    const { gate, draining } = this.#options;
    await gate.enterAlone();
    let turn: Turn | undefined;
    try {
      if (draining()) return stopping();
      turn = this.#turnOf(job, await this.#ask(job, true));
      this.#held.set(turn, "alone");
      return turn;
    } finally {
      if (turn === undefined) gate.leaveAlone();
    }
  }

  /**
   * I1. What Redis says of an end or of a later run counts where Postgres bears it out: neither ends a job, nor
   * makes it wait for ever. The end may also have come while Redis was away and could not be told.
   */
  async #ask(job: ReceivedJob, alone: boolean): Promise<Asked> {
    const { claims, commits, maxAttempts, log } = this.#options;
    const claim = await claims.claim(job, alone);
    if (claim.kind !== "done" && claim.kind !== "stale") return claim;
    const row = await commits.read(job.engine, job.id);
    if (row !== undefined && isEndOf(row, job))
      return { kind: "ended", row, tell: claim.kind === "done" ? "repeat" : "result" };
    // Of retries only Redis knows. A later generation has the row of what it replays, and no attempt comes after the last.
    if (claim.kind === "stale" && claim.attempt > 0 && claim.attempt <= maxAttempts) return claim;
    log.warn(
      { jobId: job.id, claim },
      "redis knows of a run that postgres does not; it is not believed",
    );
    // What is denied does not come again.
    return (await claims.claim(job, alone, true)) as Asked;
  }

  #turnOf(job: ReceivedJob, claim: Asked): Turn {
    const { log } = this.#options;
    const token = "token" in claim ? claim.token : undefined;
    const startedAtMs = Date.now();
    const common = { token, startedAtMs };
    switch (claim.kind) {
      case "run":
        // It may have waited for its turn since it was received.
        if (job.deadline !== undefined && job.deadline <= startedAtMs)
          return { ...common, kind: "refused", problem: EXPIRED };
        if (claim.crashes < QUARANTINE_AFTER) return this.#run(job, token, claim.crashes);
        log.error({ jobId: job.id, alert: "quarantined" }, "a job crashed its worker again, alone");
        return { ...common, kind: "quarantined", crashes: claim.crashes };
      case "cancelled":
        return { ...common, kind: "cancelled", crashes: job.crashes };
      case "busy":
        return {
          ...common,
          kind: "wait",
          delayMs: claim.remainingMs,
          mayBeEarly: true,
          attempt: job.attempt,
        };
      case "stale":
        return joinLater(job, claim.attempt, startedAtMs);
      case "ended":
        return { ...common, ...claim };
      // Never said of a job that is alone.
      case "suspect":
        return { ...common, kind: "draining" };
    }
  }

  #run(job: ReceivedJob, token: string | undefined, crashes: number): Turn {
    const { live, tools } = this.#options;
    const startedAtMs = Date.now();
    const context = new JobContext(job, tools);
    const me = live.add({ job, token, startedAtMs, renewedAtMs: startedAtMs, context });
    return { kind: "run", token, startedAtMs, live: me, crashes };
  }

  leave(turn: Turn): void {
    const { gate, live } = this.#options;
    if (turn.kind === "run") live.delete(turn.live);
    const how = this.#held.get(turn);
    if (how === "shared") gate.leave();
    else if (how === "alone") gate.leaveAlone();
  }
}

const refused = (problem: Problem): Turn => ({
  kind: "refused",
  token: undefined,
  startedAtMs: Date.now(),
  problem,
});

/** Over a tier like any wait, which is confirmed before the ack. */
function backToItsEngine(job: UntriedJob, log: Logger): Turn {
  const { id, type, engine } = job;
  log.warn(
    { jobId: id, type, engine },
    "the broker delivered a job too often, and it never ran: its engine has it again",
  );
  return tooEarly(job, UNTRIED_DELAY_MS);
}

const tooEarly = ({ attempt }: Envelope, delayMs: number): Extract<Turn, { kind: "wait" }> => ({
  kind: "wait",
  token: undefined,
  startedAtMs: Date.now(),
  delayMs,
  mayBeEarly: false,
  attempt,
});

/**
 * A copy with a lower attempt than the one on record. It may be what was left when its successor reached a tier,
 * or have been published anew, perhaps for another reply_to: it waits for the end, and is answered. It joins the
 * attempt on record, so that it can take over should that copy be lost.
 */
const joinLater = ({ attempt }: ReceivedJob, recorded: number, startedAtMs: number): Turn => ({
  kind: "wait",
  token: undefined,
  startedAtMs,
  delayMs: STALE_DELAY_MS,
  mayBeEarly: true,
  attempt: Math.max(attempt, recorded),
});

const stopping = (): Turn => ({ kind: "draining", token: undefined, startedAtMs: Date.now() });
