/** Wakes when something is due, and looks then: between, Postgres is left alone. */
import type { BackgroundContext } from "@tl-engine/shared";
import { DatabaseClock, type Round, type RoundOptions, runRound } from "./round.ts";
import { ShutQueues } from "./shut-queues.ts";

/** The longest sleep: timers end at 24 days. */
const MAX_SLEEP_MS = 3_600_000;
/** This machine's quartz and Postgres' run apart by less. Before a long sleep's end it is asked what time it is. */
const DRIFT = 1e-4;
const FAR_MS = 600_000;
/** Nothing waits. */
const FOREVER_MS = Number.MAX_SAFE_INTEGER;
/** What is due, and in another scheduler's hands, or has to be committed yet: looked at again, and less and less often. */
const SOON_MS = 50;
/** After a failed round. */
const MAX_RETRY_MS = 5_000;
const MAX_XIDS = 1_000;
/** From here on it is no hiccup, and readiness says so. */
const MANY_FAILURES = 3;

export interface ClockOptions
  extends Omit<RoundOptions, "clock" | "shut" | "xids">,
    Pick<BackgroundContext, "log" | "report"> {
  onRound(round: Round): void;
  /** Told when something is due next, if that is news: in milliseconds from now; undefined when nothing waits. */
  onNext(inMs: number | undefined): void;
}

export class Clock {
  readonly #options: ClockOptions;
  readonly #time = new DatabaseClock();
  readonly #shut = new ShutQueues();
  readonly #xids = new Set<string>();
  #nextMs: number | undefined;
  /** When to look again, by the machine's own quartz. */
  #wakeAt = Number.POSITIVE_INFINITY;
  #isAsked = true;
  #onLooked: (() => void)[] = [];
  #failures = 0;
  /** Rounds in a row that left something to be looked at again soon. */
  #vain = 0;
  /** Transactions that had not ended at the last look. */
  #goingOn = 0;
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
    this.#xids.add(xid);
    // The oldest ended long ago: only as many go on as there are batches at once.
    for (const oldest of this.#xids) {
      if (this.#xids.size <= MAX_XIDS) break;
      this.#xids.delete(oldest);
    }
    if (this.#nextMs !== undefined && this.#nextMs <= dueMs) return;
    this.#nextMs = dueMs;
    const inMs = dueMs - this.#time.now();
    this.#wakeAt = Math.min(this.#wakeAt, performance.now() + inMs);
    this.#options.onNext(inMs);
    this.#wake();
  }

  /** Somebody else says that something is due, or was put. Resolves when it was looked, or never will be. */
  look(): Promise<void> {
    this.#isAsked = true;
    this.#wake();
    return new Promise((resolve) => this.#onLooked.push(resolve));
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
      const inMs = this.#isAsked ? 0 : this.#wakeAt - performance.now();
      if (inMs > 0) await this.#sleep(Math.min(inMs, MAX_SLEEP_MS));
      else {
        this.#isAsked = false;
        const asked = this.#onLooked.splice(0);
        await this.#round();
        for (const resolve of [onFirst, ...asked]) resolve();
      }
    }
    for (const resolve of [onFirst, ...this.#onLooked]) resolve();
  }

  async #round(): Promise<void> {
    const { log, report, onRound, onNext } = this.#options;
    const xids = [...this.#xids];
    const before = this.#nextMs;
    // What is held while it looks may be due before what it finds.
    this.#nextMs = undefined;
    try {
      const round = await runRound({ ...this.#options, xids, clock: this.#time, shut: this.#shut });
      for (const xid of xids) if (!round.goingOn.includes(xid)) this.#xids.delete(xid);
      this.#goingOn = round.goingOn.length;
      this.#nextMs = earliest(this.#nextMs, round.nextMs);
      const isStillDue = !round.hasDone && (this.nextInMs() ?? 1) <= 0;
      const isVain = isStillDue || this.#goingOn > 0 || round.unconfirmed > 0;
      this.#vain = isVain ? this.#vain + 1 : 0;
      this.#failures = 0;
      this.#wakeAt = performance.now() + this.#sleepMs();
      report(undefined);
      onRound(round);
      if (this.#nextMs !== before) onNext(this.nextInMs());
    } catch (error) {
      this.#nextMs = earliest(this.#nextMs, before);
      this.#isAsked = true;
      this.#failures++;
      if (this.#failures === MANY_FAILURES) report("the scheduler can't look at Postgres");
      log.warn({ err: error, failures: this.#failures }, "scheduler: a look failed: again");
      await this.#sleep(Math.min(MAX_RETRY_MS, 100 * 2 ** Math.min(this.#failures, 10)), false);
    }
  }

  /** Until the next round, if nobody asks for one. */
  #sleepMs(): number {
    const inMs = this.nextInMs() ?? FOREVER_MS;
    const untilMs = inMs > FAR_MS ? inMs - Math.max(2_000, inMs * DRIFT) : inMs;
    const againMs = this.#vain === 0 ? 0 : SOON_MS * 2 ** Math.min(this.#vain - 1, 6);
    const wantedMs = this.#goingOn > 0 ? Math.min(untilMs, againMs) : untilMs;
    return Math.max(wantedMs, againMs);
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
