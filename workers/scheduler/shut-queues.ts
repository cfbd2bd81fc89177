/** Queues that take nothing: their jobs stay where they are for a while, so that they hold up nobody else's. */

const FIRST_MS = 1_000;
const MAX_MS = 30_000;

export const queueOf = ({ engine, lane }: { engine: string; lane: string }) => `${engine}.${lane}`;

export class ShutQueues {
  readonly #queues = new Map<string, { untilMs: number; forMs: number }>();

  /** Those that are shut. All instants are of Postgres' clock. */
  at(nowMs: number): string[] {
    return [...this.#queues].flatMap(([queue, { untilMs }]) => (untilMs > nowMs ? [queue] : []));
  }

  /** When the first of them is tried again. */
  nextMs(nowMs: number): number | undefined {
    const later = [...this.#queues.values()].flatMap(({ untilMs }) =>
      untilMs > nowMs ? [untilMs] : [],
    );
    return later.length === 0 ? undefined : Math.min(...later);
  }

  /** It takes less than it was given: each time in a row it is left alone for twice as long, up to half a minute. */
  shut(queue: string, nowMs: number): void {
    const before = this.#queues.get(queue);
    const forMs = before === undefined ? FIRST_MS : Math.min(MAX_MS, before.forMs * 2);
    this.#queues.set(queue, { untilMs: nowMs + forMs, forMs });
  }

  open(queue: string): void {
    this.#queues.delete(queue);
  }
}
