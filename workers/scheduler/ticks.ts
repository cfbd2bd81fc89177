/**
 * The clock that schedulers share: BullMQ, driven by hand. It holds ticks, not jobs: when somebody has to look at
 * Postgres next. Each scheduler knows that itself, too, so that Redis may be away or lose everything; a tick is how one
 * hears of what another has put that is no more.
 *
 * One tick is enough, that of what is due first: whoever looks then learns what is due after it, and sets that. So
 * holding 100,000 jobs costs Redis next to nothing. BullMQ's own loop asks 14 times a minute; here it is asked when a
 * tick is due, and every few minutes in between.
 */
import type { BackgroundContext, Job } from "@tl-engine/shared";
import { Queue, type Job as Tick, Worker } from "bullmq";

/** Between two looks, when no tick is known: 3 commands each, 1,080 a day. */
export const POLL_MS = 240_000;
/** Ticks are quarters of a second: what is due in the same one is one. */
const TICK_MS = 250;
/** Looks don't follow each other faster, however many ticks are due. */
const LEAST_POLL_MS = 1_000;
/** Redis may be away: nothing here waits for it longer. */
const PATIENCE_MS = 5_000;
/** What a scheduler took and did not end, being killed, is another's again after this. */
const LOCK_MS = 30_000;
const MAX_EVENTS = 100;
const NAME = "ticks";

export interface TicksOptions extends Pick<BackgroundContext, "openRedis" | "log" | "keyPrefix"> {
  /** A tick is due: resolves when it was looked what it stands for. */
  onTick(): Promise<void>;
  /** Milliseconds until the tick that is to be there; undefined for none. */
  nextInMs(): number | undefined;
  pollMs?: number;
}

type Redis = Job["redis"];

export class Ticks {
  readonly #options: TicksOptions;
  readonly #redis: Redis;
  readonly #queue: Queue;
  readonly #worker: Worker;
  #timer: NodeJS.Timeout | undefined;
  #polling: Promise<void> | undefined;
  #isStopped = false;
  #isReported = false;

  constructor(options: TicksOptions) {
    this.#options = options;
    // BullMQ's commands wait while there is no connection, and it wants no limit on their tries.
    this.#redis = options.openRedis({
      ...{ maxRetriesPerRequest: null, enableOfflineQueue: true, commandTimeout: undefined },
    } as never);
    const connection = this.#redis as never;
    const prefix = `${options.keyPrefix}bull`;
    const streams = { events: { maxLen: MAX_EVENTS } };
    this.#queue = new Queue(NAME, { connection, prefix, streams });
    this.#worker = new Worker(NAME, null, {
      ...{ connection, prefix, autorun: false, lockDuration: LOCK_MS },
      ...{ maxStalledCount: 1_000, skipLockRenewal: true },
    } as never);
    this.#queue.on("error", (error) => this.#tell(error));
    this.#worker.on("error", (error) => this.#tell(error));
    // What it had may be gone: it was restarted, or is another.
    this.#redis.on("ready", () => this.#poll(0));
  }

  start(): void {
    this.#poll(0);
  }

  /** Sets a tick. That one is there already costs nothing. */
  set(inMs: number | undefined): void {
    if (inMs === undefined || this.#isStopped) return;
    this.#add(inMs).catch((error) => this.#tell(error));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#polling;
    // Each closes what it opened itself: a worker its blocking connection.
    const closed = Promise.allSettled([this.#worker.close(true), this.#queue.close()]);
    await within(closed).catch(() => {});
    this.#redis.disconnect();
  }

  #add(inMs: number): Promise<unknown> {
    const now = Date.now();
    const tick = Math.ceil((now + Math.max(0, inMs)) / TICK_MS) * TICK_MS;
    const kept = { removeOnComplete: true, removeOnFail: true };
    return within(
      this.#queue.add("tick", null, {
        ...kept,
        jobId: `t${tick}`,
        delay: tick - now,
        timestamp: now,
      }),
    );
  }

  #poll(inMs: number): void {
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#polling !== undefined) return;
      this.#polling = this.#look()
        .then((nextInMs) => this.#poll(nextInMs))
        .finally(() => {
          this.#polling = undefined;
        });
    }, inMs);
    this.#timer.unref();
  }

  /** Never rejects. @returns when to look again. */
  async #look(): Promise<number> {
    const { pollMs = POLL_MS, nextInMs, onTick } = this.#options;
    try {
      // Of what a flushed Redis forgot, and a killed scheduler took.
      const wanted = nextInMs();
      if (wanted !== undefined) await this.#add(wanted);
      // biome-ignore lint/complexity/useLiteralKeys: BullMQ calls it from its own loop, which does not run here
      await within(this.#worker["moveStalledJobsToWait"]());
      const ticks: Tick[] = [];
      for (;;) {
        const tick = await within(this.#worker.getNextJob(NAME, { block: false }));
        if (tick === undefined) break;
        ticks.push(tick);
      }
      if (ticks.length > 0) await onTick();
      for (const tick of ticks) await within(tick.moveToCompleted(null, NAME, false));
      this.#isReported = false;
      // biome-ignore lint/complexity/useLiteralKeys: what its own loop would sleep until
      const untilMs = this.#worker["blockUntil"] - Date.now();
      const isKnown = untilMs + Date.now() > 0;
      return Math.min(pollMs, Math.max(LEAST_POLL_MS, isKnown ? untilMs : pollMs));
    } catch (error) {
      this.#tell(error);
      return Math.min(pollMs, PATIENCE_MS);
    }
  }

  #tell(error: unknown): void {
    if (!this.#isReported && !this.#isStopped)
      this.#options.log.warn({ err: error }, "scheduler: going on without the shared clock");
    this.#isReported = true;
  }
}

async function within<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("Redis does not answer")), PATIENCE_MS);
  });
  promise.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
