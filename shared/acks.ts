/** Acks deliveries on the very channel that delivered them, many in one frame. */
import type { Channel, ConsumeMessage } from "amqplib";

/**
 * The acks of one channel. Tags restart on a new channel and a stale tag would ack another job, so a
 * closed channel's acks are dropped knowingly: the broker delivers those jobs again.
 */
export class Acks {
  readonly channel: Channel;
  readonly #onStale: (count: number) => void;
  /** Every tag up to this one is settled. */
  #floor = 0;
  /** Settled tags above the floor; true once the broker knows. */
  #settled = new Map<number, boolean>();
  #scheduled = false;
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
    this.#settled.set(message.fields.deliveryTag, false);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.flush());
  }

  /** Gives a delivery back to the queue, unrun. */
  handBack(message: ConsumeMessage): void {
    if (this.#closed) {
      this.#onStale(1);
      return;
    }
    this.#settled.set(message.fields.deliveryTag, true);
    try {
      this.channel.nack(message, false, true);
    } catch {
      this.close();
    }
  }

  /** Sends what is due: one frame for the contiguous run from the floor, one each for the rest. */
  flush(): void {
    this.#scheduled = false;
    if (this.#closed) return;
    let upTo = this.#floor;
    // RabbitMQ closes the channel over a tag that it was told before, also one that ends a run.
    let lastUntold = 0;
    for (
      let told = this.#settled.get(upTo + 1);
      told !== undefined;
      told = this.#settled.get(upTo + 1)
    ) {
      this.#settled.delete(++upTo);
      if (!told) lastUntold = upTo;
    }
    this.#floor = upTo;
    try {
      if (lastUntold > 0) this.channel.ack(tagged(lastUntold), true);
      for (const [tag, told] of this.#settled) {
        if (told) continue;
        this.channel.ack(tagged(tag));
        this.#settled.set(tag, true);
      }
    } catch {
      this.close();
    }
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
    let dropped = 0;
    for (const told of this.#settled.values()) if (!told) dropped++;
    if (dropped > 0) this.#onStale(dropped);
    this.#settled.clear();
  }
}

// amqplib reads nothing of the message but its tag.
const tagged = (deliveryTag: number) => ({ fields: { deliveryTag } }) as ConsumeMessage;
