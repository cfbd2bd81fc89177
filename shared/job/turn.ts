/** Decides whether a job may run now: it waits for its turn in this worker, then claims the job in the fleet. */
import type { Logger } from "pino";
import { type Claim, type Claims, QUARANTINE_AFTER } from "./claim.ts";
import type { Commits } from "./commit.ts";
import type { Gate } from "./gate.ts";
import { JobContext, type Tools } from "./job-context.ts";
import type { LiveJob, LiveJobs } from "./live-jobs.ts";
import { isEndOf } from "./outcome.ts";
import type { Problem, Received, ReceivedJob } from "./receive.ts";
import type { ResultRow } from "./result-rows.ts";

/** What a delivery has when it may go on. Whoever took it leaves it, whatever happened. */
export type Turn = {
  /** Undefined where Redis was not asked, or had no claim to give. */
  token: string | undefined;
  /** Epoch ms. */
  startedAtMs: number;
} & (
  | { kind: "run"; live: LiveJob; crashes: number }
  /** Another worker has it, or a later attempt is on its way: it comes back, uncounted. */
  | { kind: "wait"; delayMs: number; mayBeEarly: boolean; attempt: number }
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
  log: Logger;
  /** Nothing new starts once this is true. */
  draining(): boolean;
}

export interface Turns {
  take(received: Received): Promise<Turn>;
  /** To be called once for each turn, when the delivery has been settled. */
  leave(turn: Turn): void;
}

const STALE_DELAY_MS = 5_000;
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
    const { claims, gate, log, draining } = this.#options;
    if (received.kind === "refused") return refused(received.problem, log, received);
    const earlyMs = received.notBefore === 0 ? 0 : received.notBefore - Date.now();
    if (earlyMs > 0) return tooEarly(received, earlyMs);
    if (!gate.tryEnter()) await gate.enter();
    let turn: Turn | undefined;
    try {
      if (draining()) return stopping();
      const claim = await claims.claim(received, false);
      if (claim.kind !== "suspect") {
        turn = await this.#turnOf(received, claim);
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
    const { claims, gate, draining } = this.#options;
    await gate.enterAlone();
    let turn: Turn | undefined;
    try {
      if (draining()) return stopping();
      turn = await this.#turnOf(job, await claims.claim(job, true));
      this.#held.set(turn, "alone");
      return turn;
    } finally {
      if (turn === undefined) gate.leaveAlone();
    }
  }

  async #turnOf(job: ReceivedJob, claim: Claim): Promise<Turn> {
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
        return this.#joinLater(job, claim.attempt, startedAtMs);
      case "done":
        return this.#repeat(job, startedAtMs);
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

  /**
   * A copy with a lower attempt than the one on record. It may be what was left when its successor reached a tier,
   * or have been published anew, perhaps for another reply_to: it waits for the end, and is answered.
   */
  async #joinLater(job: ReceivedJob, recorded: number, startedAtMs: number): Promise<Turn> {
    const common = { token: undefined, startedAtMs };
    // The end may have come while Redis was away and could not be told: without a look at
    // Postgres this copy would wait for ever.
    const row = await this.#options.commits.read(job.engine, job.id);
    if (row !== undefined && isEndOf(row, job))
      return { ...common, kind: "ended", row, tell: "result" };
    // It joins the attempt on record, so that it can take over should that copy be lost.
    const attempt = Math.max(job.attempt, recorded);
    return { ...common, kind: "wait", delayMs: STALE_DELAY_MS, mayBeEarly: true, attempt };
  }

  /** I1. Redis says that it is done, and Redis' word alone never ends a job. */
  async #repeat(job: ReceivedJob, startedAtMs: number): Promise<Turn> {
    const row = await this.#options.commits.read(job.engine, job.id);
    if (row === undefined || !isEndOf(row, job)) return this.#run(job, undefined, job.crashes);
    return { kind: "ended", token: undefined, startedAtMs, row, tell: "repeat" };
  }

  leave(turn: Turn): void {
    const { gate, live } = this.#options;
    if (turn.kind === "run") live.delete(turn.live);
    const how = this.#held.get(turn);
    if (how === "shared") gate.leave();
    else if (how === "alone") gate.leaveAlone();
  }
}

function refused(problem: Problem, log: Logger, { id, type, publisher }: Received): Turn {
  log.warn({ jobId: id, type, publisher, code: problem.code }, "a job was refused");
  return { kind: "refused", token: undefined, startedAtMs: Date.now(), problem };
}

const tooEarly = ({ attempt }: ReceivedJob, delayMs: number): Turn => ({
  kind: "wait",
  token: undefined,
  startedAtMs: Date.now(),
  delayMs,
  mayBeEarly: false,
  attempt,
});

const stopping = (): Turn => ({ kind: "draining", token: undefined, startedAtMs: Date.now() });
