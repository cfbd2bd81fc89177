/** Wakes when something is due, and looks then: between, Postgres is left alone. */
import type { BackgroundContext } from "./context.ts";
import { DatabaseClock, type Round, runRound } from "./round.ts";

/** The longest sleep: timers end at 24 days. */
const MAX_SLEEP_MS = 3_600_000;
/** This machine's quartz and Postgres' run apart by less. Before a long sleep's end it is asked what time it is. */
const DRIFT = 1e-4;
const FAR_MS = 600_000;
/** What is due, and in another scheduler's hands, or has to be committed yet: looked at again, and less and less often. */
const SOON_MS = 50;
/** After a failed round. */
const MAX_RETRY_MS = 5_000;
const MAX_XIDS = 1_000;

export interface ClockOptions
  extends Pick<BackgroundContext, "db" | "publish" | "log" | "ready" | "signal"> {
  onRound(round: Round): void;
  /** Told when something is due next, if that is news: in milliseconds from now; undefined when nothing waits. */
  onNext(inMs: number | undefined): void;
}

export class Clock {
  readonly #options: ClockOptions;
  readonly #time = new DatabaseClock();
  readonly #xids = new Set<string>();
  #nextMs: number | undefined;
  #isAsked = true;
  #failures = 0;
  #vain = 0;
  #wake = () => {};
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: ClockOptions) {
    this.#options = options;
  }

  /** Resolves after the first round, however that ended. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#running = this.#run(resolve);
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake();
    await this.#running;
  }

  /** Something was put by a transaction that may not have ended: it is looked for when it is due. */
  onHeld(dueMs: number, xid: string): void {
    // Past so many of them one can't ask for each: the look that they are all in will do.
    if (this.#xids.size < MAX_XIDS) this.#xids.add(xid);
    else this.#isAsked = true;
    if (this.#nextMs !== undefined && this.#nextMs <= dueMs) return;
    this.#nextMs = dueMs;
    this.#options.onNext(dueMs - this.#time.now());
    this.#wake();
  }

  /** Somebody else says that something is due, or was put. */
  look(): void {
    this.#isAsked = true;
    this.#wake();
  }

  /** Seconds by which what is due next is late; 0 when nothing is. */
  overdueS(): number {
    const lateMs = this.#time.now() - (this.#nextMs ?? Number.POSITIVE_INFINITY);
    return lateMs > 0 ? lateMs / 1_000 : 0;
  }

  /** Milliseconds until something is due; undefined when nothing waits. */
  nextInMs(): number | undefined {
    return this.#nextMs === undefined ? undefined : this.#nextMs - this.#time.now();
  }

  async #run(onFirst: () => void): Promise<void> {
    while (!this.#isStopped) {
      if (this.#isAsked || this.#sleepMs() <= 0) {
        this.#isAsked = false;
        await this.#round();
        onFirst();
      }
      await this.#sleep(this.#isAsked ? 0 : this.#sleepMs());
    }
    onFirst();
  }

  async #round(): Promise<void> {
    const { db, publish, log, ready, signal, onRound, onNext } = this.#options;
    const xids = [...this.#xids];
    const before = this.#nextMs;
    // What is held while it looks may be due before what it finds.
    this.#nextMs = undefined;
    try {
      const round = await runRound({ db, publish, signal, xids, clock: this.#time });
      for (const xid of xids) if (!round.goingOn.includes(xid)) this.#xids.delete(xid);
      const putMeanwhile = this.#nextMs as number | undefined;
      this.#nextMs = earliest(putMeanwhile, round.nextMs);
      this.#failures = 0;
      ready(undefined);
      const isVain = !round.hasDone && (this.#sleepMs() <= 0 || round.goingOn.length > 0);
      this.#vain = isVain ? this.#vain + 1 : 0;
      if (round.unconfirmed > 0) {
        this.#failures = 1;
        log.warn({ jobs: round.unconfirmed }, "scheduler: the broker confirmed not all: again");
      }
      onRound(round);
      if (round.nextMs !== before) onNext(this.nextInMs());
    } catch (error) {
      this.#nextMs = earliest(this.#nextMs, before);
      this.#isAsked = true;
      this.#failures++;
      if (this.#failures === 3) ready("the scheduler can't reach Postgres");
      log.warn({ err: error, failures: this.#failures }, "scheduler: a round failed: again");
      await this.#sleep(retryMs(this.#failures), false);
    }
  }

  /** Until the next round, if nobody asks for one. */
  #sleepMs(): number {
    const inMs = this.nextInMs() ?? Number.POSITIVE_INFINITY;
    // NaN before the first look.
    if (Number.isNaN(inMs)) return 0;
    const backoffMs =
      this.#failures > 0 ? retryMs(this.#failures) : SOON_MS * 2 ** Math.min(this.#vain, 6) - SOON_MS;
    const untilMs = inMs > FAR_MS ? inMs - Math.max(2_000, inMs * DRIFT) : inMs;
    const leastMs = this.#xids.size > 0 && this.#vain > 0 ? Math.min(untilMs, backoffMs) : untilMs;
    return Math.min(MAX_SLEEP_MS, Math.max(leastMs, backoffMs));
  }

  #sleep(ms: number, canWake = true): Promise<void> {
    if (this.#isStopped || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        if (!canWake && !this.#isStopped) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const earliest = (...times: (number | undefined)[]) => {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
};

const retryMs = (failures: number) => Math.min(MAX_RETRY_MS, 100 * 2 ** Math.min(failures, 10));
