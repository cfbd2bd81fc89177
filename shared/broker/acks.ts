/** Acks deliveries on the very channel that delivered them, many in one frame. */
import type { Channel, ConsumeMessage } from "amqplib";

/** What is known of a tag above the floor. */
const OPEN = 0;
/** Settled, and the broker is yet to be told. */
const DUE = 1;
const TOLD = 2;
const FIRST_SPAN = 1024;

/**
 * The acks of one channel (I5 of job/life.ts). Tags restart on a new channel and a stale tag would ack another job, so a
 * closed channel's acks are dropped knowingly: the broker delivers those jobs again.
 */
export class Acks {
  readonly channel: Channel;
  readonly #onStale: (count: number) => void;
  /** Every tag up to this one is settled. */
  #floor = 0;
  /** States of the tags above the floor, a ring by tag: one byte each, however long a single job holds the floor. */
  #states = new Uint8Array(FIRST_SPAN);
  /** The tags that are due, in the order of their acks. */
  #due: number[] = [];
  #closed = false;

  constructor(channel: Channel, onStale: (count: number) => void) {
    this.channel = channel;
    this.#onStale = onStale;
  }

  ack(message: ConsumeMessage): void {
    if (this.#closed) {
      this.#onStale(1);
      return;
    }
    this.#set(message.fields.deliveryTag, DUE);
    if (this.#due.push(message.fields.deliveryTag) === 1) setImmediate(() => this.flush());
  }

  /** Gives a delivery back to the queue, unrun. */
  handBack(message: ConsumeMessage): void {
    if (this.#closed) {
      this.#onStale(1);
      return;
    }
    this.#set(message.fields.deliveryTag, TOLD);
    try {
      this.channel.nack(message, false, true);
    } catch {
      this.close();
    }
  }

  /** Sends what is due: one frame for the contiguous run from the floor, one each for the rest. */
  flush(): void {
    if (this.#closed || this.#due.length === 0) return;
    const due = this.#due;
    this.#due = [];
    // RabbitMQ closes the channel over a tag that it was told before, also one that ends a run.
    const lastUntold = this.#raiseFloor();
    try {
      if (lastUntold > 0) this.channel.ack(tagged(lastUntold), true);
      for (const tag of due) {
        if (tag <= this.#floor) continue;
        this.channel.ack(tagged(tag));
        this.#set(tag, TOLD);
      }
    } catch {
      // A channel refuses all or none: it has closed, and these count as dropped.
      this.#due = due;
      this.close();
    }
  }

  /** Up to the first tag that is open; returns the last one on the way that was due, or 0. */
  #raiseFloor(): number {
    let lastUntold = 0;
    for (;;) {
      const next = this.#floor + 1;
      const state = this.#states[next % this.#states.length];
      if (state === OPEN) return lastUntold;
      if (state === DUE) lastUntold = next;
      this.#states[next % this.#states.length] = OPEN;
      this.#floor = next;
    }
  }

  #set(tag: number, state: number): void {
    while (tag - this.#floor > this.#states.length) this.#widen();
    this.#states[tag % this.#states.length] = state;
  }

  #widen(): void {
    const before = this.#states;
    this.#states = new Uint8Array(2 * before.length);
    for (let tag = this.#floor + 1; tag <= this.#floor + before.length; tag++)
      this.#states[tag % this.#states.length] = before[tag % before.length] as number;
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
    if (this.#due.length > 0) this.#onStale(this.#due.length);
    this.#due = [];
  }
}

// amqplib reads nothing of the message but its tag.
const tagged = (deliveryTag: number) => ({ fields: { deliveryTag } }) as ConsumeMessage;
