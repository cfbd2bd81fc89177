/** Natural batching: whatever is ready when the previous flush ends goes into the next one; no timer. */

interface Waiting<Item, Result> {
  item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/**
 * Returns a function that adds one item and resolves with its own result.
 * @param flush gets 1 to `max` items and returns their results in order; when it throws, all of them reject.
 */
export function batcher<Item, Result>(
  flush: (items: Item[]) => Promise<Result[]>,
  max: number,
): (item: Item) => Promise<Result> {
  let waiting: Waiting<Item, Result>[] = [];
  let busy = false;

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.length <= max ? waiting : waiting.slice(0, max);
      waiting = waiting.length <= max ? [] : waiting.slice(max);
      try {
        const results = await flush(batch.map((entry) => entry.item));
        for (let i = 0; i < batch.length; i++) batch[i]?.resolve(results[i] as Result);
      } catch (error) {
        for (const entry of batch) entry.reject(error);
      }
    }
    busy = false;
  }

  return (item) =>
    new Promise<Result>((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (busy) return;
      busy = true;
      // At the end of the turn, so that all deliveries of one socket read join the same batch.
      process.nextTick(drain);
    });
}

export interface GroupLimits<Item> {
  max: number;
  /** Of two items with one key only the first is taken, since two rows with one key can't go into one statement. */
  keyOf(item: Item): string;
  /** Of a whole group, in bytes; an item that is larger by itself goes alone. */
  maxBytes: number;
  bytesOf(item: Item): number;
}

/** Splits what waits into the next group and the rest. */
export function takeGroup<Item>(
  waiting: Item[],
  { max, keyOf, maxBytes, bytesOf }: GroupLimits<Item>,
): { group: Item[]; rest: Item[] } {
  const taken = new Set<string>();
  const group: Item[] = [];
  const doubles: Item[] = [];
  let seen = 0;
  let bytes = 0;
  for (; seen < waiting.length && group.length < max; seen++) {
    const item = waiting[seen] as Item;
    const key = keyOf(item);
    if (taken.has(key)) {
      doubles.push(item);
      continue;
    }
    bytes += bytesOf(item);
    if (bytes > maxBytes && group.length > 0) break;
    taken.add(key);
    group.push(item);
  }
  return { group, rest: doubles.concat(waiting.slice(seen)) };
}
