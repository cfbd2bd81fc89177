/** How a worker ends: what is in flight, when it is idle, what a signal starts, and how long each may take. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";

const EXIT_OK = 0;
const EXIT_FAILED = 1;
/** What an aborted handler and the last writes get to end. */
const ABORT_GRACE_MS = 1_000;

export interface DrainOptions {
  log: Logger;
  /** From the begin of the drain until what still runs is aborted, milliseconds. */
  deadlineMs: number;
  /** No more deliveries; those that still arrive come through as usual. */
  stopConsuming(): Promise<void> | undefined;
  /** Gives back what still runs when the deadline has passed. */
  giveBack(): void;
  /** Closes everything; called last. */
  close(): Promise<void>;
}

export class Drain {
  readonly #options: DrainOptions;
  #inFlight = 0;
  /** When one ended last, or came to a worker that held none. */
  #sinceMs = 0;
  #onIdle: (() => void) | undefined;
  #isDraining = false;
  #stopping: Promise<void> | undefined;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Since when deliveries are held of which none ended, in milliseconds; 0 while none is held. */
  get heldForMs(): number {
    return this.#inFlight === 0 ? 0 : performance.now() - this.#sinceMs;
  }

  /** What to say where none has ended for longer than `patienceMs`; undefined while all is well. */
  stuckFor(patienceMs: number): string | undefined {
    const { heldForMs } = this;
    if (heldForMs <= patienceMs) return undefined;
    return `${this.#inFlight} deliveries held, none has ended for ${Math.floor(heldForMs / 1_000)} s`;
  }

  /** Nothing new starts once this is true. */
  get draining(): boolean {
    return this.#isDraining;
  }

  /** One delivery more, or one less. */
  enter(): void {
    if (this.#inFlight++ === 0) this.#sinceMs = performance.now();
  }

  leave(): void {
    this.#sinceMs = performance.now();
    if (--this.#inFlight === 0) this.#onIdle?.();
  }

  /** In order: no more deliveries, what runs may finish until the deadline, the rest goes back uncounted, all closes. */
  stop(): Promise<void> {
    this.#isDraining = true;
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const { log, deadlineMs, stopConsuming, giveBack, close } = this.#options;
    log.info({ inFlight: this.#inFlight }, "draining");
    await stopConsuming();
    if (!(await this.#idle(deadlineMs))) {
      log.warn(
        { inFlight: this.#inFlight },
        "the drain deadline passed, giving back what still runs",
      );
      giveBack();
      await this.#idle(ABORT_GRACE_MS);
    }
    await close();
    log.info("stopped");
  }

  #idle(withinMs: number): Promise<boolean> {
    if (this.#inFlight === 0) return Promise.resolve(true);
    const idle = new Promise<boolean>((resolve) => {
      this.#onIdle = () => resolve(true);
    });
    return Promise.race([idle, sleep(withinMs, false, { ref: false })]);
  }
}

/** What each started part needs to end; run in reverse, each even where an earlier one failed. */
export class Closers {
  readonly #closers: (() => Promise<unknown> | unknown)[] = [];
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  add(close: () => Promise<unknown> | unknown): void {
    this.#closers.push(close);
  }

  /** For what is still opening: it is closed once it stands. */
  later<Opened extends { close(): Promise<unknown> }>(opening: Promise<Opened>): Promise<Opened> {
    this.add(async () => (await opening.catch(() => undefined))?.close());
    return opening;
  }

  async closeAll(): Promise<void> {
    for (const close of this.#closers.toReversed()) {
      try {
        await close();
      } catch (error) {
        this.#log.warn({ err: error }, "closing failed");
      }
    }
  }
}

/** The first signal drains, or ends a process that has nothing to drain yet; a second one exits at once. */
export function listenForSignals() {
  let stopping = false;
  let drain: () => void = () => process.exit(EXIT_OK);
  const onSignal = () => {
    if (stopping) process.exit(EXIT_FAILED);
    stopping = true;
    drain();
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return {
    /** @param deadlineMs from the signal until the process exits, whatever still hangs. */
    drainBy(stop: () => Promise<void>, deadlineMs: number): void {
      drain = () => {
        setTimeout(() => process.exit(EXIT_FAILED), deadlineMs).unref();
        stop().then(
          () => process.exit(EXIT_OK),
          () => process.exit(EXIT_FAILED),
        );
      };
    },
  };
}
