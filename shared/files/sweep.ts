/** Removes from the bucket what expired and what has no owner. Each worker of an engine may run it, several at once. */
import type { Queryable } from "../stores/database.ts";
import { filesPrefix, INPUT_DAYS, inputsPrefix } from "../wire/files.ts";
import { forgetFiles, knownKeys, takeStale } from "./file-rows.ts";
import type { Swept } from "./files.ts";
import type { FileStore } from "./store.ts";

export interface SweepOptions {
  store: FileStore;
  client: Queryable;
  engine: string;
  /** ENGINE_PREFIX */
  prefix: string;
  /** Older than any run of a job can be: until then what has no owner yet may get one. */
  graceMs: number;
  /** Whether the bucket is looked through as well, which costs one request for each 1,000 objects. Default: yes. */
  isListing?: boolean;
}

/** Of one round of rows; each object is one request. */
const BATCH = 500;
const AT_ONCE = 8;

/** A plain function: after jobs, at start, and as an action (`sweepFiles`) whoever has a clock may send a job to it. */
export async function sweepFiles(options: SweepOptions): Promise<Swept> {
  const { store, client, engine, graceMs, isListing = true } = options;
  const stale = await takeStale(client, engine, graceMs / 1_000, BATCH);
  await removeAll(
    store,
    stale.map(({ key }) => key),
  );
  // Only now: a crash in between leaves the rows, by which the next sweep finds the rest.
  await forgetFiles(
    client,
    engine,
    stale.map(({ key }) => key),
  );
  const expired = stale.filter(({ isExpired }) => isExpired).length;
  const rest = isListing ? await sweepBucket(options) : { orphans: 0, expired: 0, uploads: 0 };
  return {
    expired: expired + rest.expired,
    orphans: stale.length - expired + rest.orphans,
    uploads: rest.uploads,
    isMore: stale.length === BATCH,
  };
}

/** What no row tells of: uploads of workers that were killed, objects of those that were frozen, callers' files. */
async function sweepBucket(options: SweepOptions) {
  const { store, engine, prefix, graceMs } = options;
  const own = filesPrefix(prefix, engine);
  const inputs = inputsPrefix(prefix, engine);
  const oldestMs = Date.now() - graceMs;
  const oldestInputMs = Date.now() - INPUT_DAYS * 86_400_000;
  let uploads = 0;
  // Collected first: what is removed while it is listed may move the pages.
  const begun = await collect(store.listUploads(own));
  for (const { key, uploadId, startedAt } of begun) {
    if (startedAt.getTime() > oldestMs) continue;
    await store.abortUpload(key, uploadId);
    uploads++;
  }
  const found = { orphans: 0, expired: 0, uploads };
  for await (const page of pages(store.list(own))) {
    const past = page.filter(({ key, modifiedAt }) =>
      key.startsWith(inputs)
        ? modifiedAt.getTime() < oldestInputMs
        : modifiedAt.getTime() < oldestMs,
    );
    const keys = past.map(({ key }) => key);
    const owned = await knownKeys(options.client, engine, keys);
    const removed = keys.filter((key) => !owned.has(key));
    await removeAll(store, removed);
    const expired = removed.filter((key) => key.startsWith(inputs)).length;
    found.expired += expired;
    found.orphans += removed.length - expired;
  }
  return found;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function* pages<T>(items: AsyncIterable<T>): AsyncIterable<T[]> {
  let page: T[] = [];
  for await (const item of items) {
    page.push(item);
    if (page.length === BATCH) {
      yield page;
      page = [];
    }
  }
  if (page.length > 0) yield page;
}

async function removeAll(store: FileStore, keys: readonly string[]): Promise<void> {
  for (let at = 0; at < keys.length; at += AT_ONCE)
    await Promise.all(keys.slice(at, at + AT_ONCE).map((key) => store.remove(key)));
}
