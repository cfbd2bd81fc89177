/** Lets so many jobs run at once, interactive ones first, and a suspect alone: a fair lock with shared and exclusive holders. */
import type { Lane } from "../wire/names.ts";

/**
 * Of so many places that come free while both lanes wait, one is the bulk lane's: a bulk job that was never let in would
 * be held until the broker's consumer timeout closed the channel.
 */
const BULK_EVERY = 8;

interface Waiter {
  /** Its place among all who came. */
  ticket: number;
  enter(): void;
}

export class Gate {
  readonly #limit: number;
  readonly #waiting: Record<Lane | "alone", Waiter[]> = { interactive: [], bulk: [], alone: [] };
  #running = 0;
  #exclusive = false;
  #closed = false;
  #tickets = 0;
  /** Interactive jobs that went before the first bulk job that waits. */
  #passed = 0;

  /** @param limit jobs that may run at once. */
  constructor(limit = Number.POSITIVE_INFINITY) {
    this.#limit = limit;
  }

  /** True when a shared holder may enter at once; it must then call {@link leave}. */
  tryEnter(): boolean {
    if (this.#closed) return this.#count();
    const { interactive, bulk, alone } = this.#waiting;
    const someoneWaits = interactive.length + bulk.length + alone.length > 0;
    if (this.#exclusive || someoneWaits || this.#running >= this.#limit) return false;
    return this.#count();
  }

  enter(lane: Lane = "interactive"): Promise<void> {
    if (this.tryEnter()) return Promise.resolve();
    return this.#wait(lane);
  }

  /** Waits until nobody else is inside, and keeps everybody else out until {@link leaveAlone}. */
  enterAlone(): Promise<void> {
    const entered = this.#wait("alone");
    this.#admit();
    return entered;
  }

  leave(): void {
    this.#running--;
    this.#admit();
  }

  leaveAlone(): void {
    this.#exclusive = false;
    this.#admit();
  }

  /** Nobody waits any more, for the worker stops: whoever enters from now on sees that, and starts nothing. */
  close(): void {
    this.#closed = true;
    const { interactive, bulk, alone } = this.#waiting;
    for (const waiter of interactive.splice(0).concat(bulk.splice(0))) this.#letIn(waiter);
    for (const waiter of alone.splice(0)) waiter.enter();
  }

  #count(): true {
    this.#running++;
    return true;
  }

  #wait(lane: Lane | "alone"): Promise<void> {
    return new Promise((enter) => this.#waiting[lane].push({ ticket: this.#tickets++, enter }));
  }

  #admit(): void {
    while (!this.#exclusive) {
      const { alone } = this.#waiting;
      const [suspect] = alone;
      // A suspect goes before all who came after it, whatever their lane, or it would wait for ever.
      const lane = this.#next(suspect?.ticket ?? Number.POSITIVE_INFINITY);
      if (lane === undefined) {
        if (suspect === undefined || this.#running > 0) return;
        this.#exclusive = true;
        alone.shift();
        suspect.enter();
        return;
      }
      if (this.#running >= this.#limit) return;
      if (lane === "bulk" || this.#waiting.bulk.length === 0) this.#passed = 0;
      else this.#passed++;
      this.#letIn(this.#waiting[lane].shift() as Waiter);
    }
  }

  /** Whose turn it is among those who came before `ticket`. */
  #next(ticket: number): Lane | undefined {
    const { interactive, bulk } = this.#waiting;
    const hasInteractive = interactive[0] !== undefined && interactive[0].ticket < ticket;
    const hasBulk = bulk[0] !== undefined && bulk[0].ticket < ticket;
    if (hasInteractive && !(hasBulk && this.#passed >= BULK_EVERY - 1)) return "interactive";
    return hasBulk ? "bulk" : undefined;
  }

  #letIn(waiter: Waiter): void {
    this.#running++;
    waiter.enter();
  }
}
