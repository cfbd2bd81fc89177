/** Keeps one link to a server alive: opens it, and opens it again with backoff whenever it is lost. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";

export interface Opened<Link> {
  link: Link;
  /** Closes the link; it may fail, since the link may be gone. */
  close(): Promise<void>;
}

export interface Supervised<Link> {
  /** The open link, or undefined while it is down. */
  current(): Link | undefined;
  /** Resolves with the next open link; rejects when `signal` aborts or the supervisor was closed. */
  get(signal?: AbortSignal): Promise<Link>;
  /** Gives the link up, as if it had been lost. */
  drop(link: Link, reason: Error): void;
  close(): Promise<void>;
}

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;
/** A link that stays up this long has proved itself. */
const PROVED_AFTER_MS = 3_000;

/** Thrown to who waits for a link when its supervisor closes. */
export class LinkClosed extends Error {
  override readonly name = "LinkClosed";
}

/**
 * The delay grows until a link has proved itself, for opening one can succeed where its use never does. There
 * is one line in the log for each change of state, and for each new reason why the link stays down.
 * @param open must call `lost` once when the link breaks later; a failure of `open` itself is retried.
 *   It may call `proved` when the link did what it is there for; otherwise it is proved by staying up.
 *   The first failure is thrown to the caller.
 */
export async function supervise<Link>(
  name: string,
  open: (lost: (reason: Error) => void, proved: () => void) => Promise<Opened<Link>>,
  log: Logger,
): Promise<Supervised<Link>> {
  const closing = new AbortController();
  let opened: Opened<Link> | undefined;
  let waiters: { resolve(link: Link): void; reject(error: Error): void }[] = [];
  let delayMs = FIRST_DELAY_MS;
  /** Of what the log said last; undefined while the link counts as up. */
  let downFor: string | undefined;

  function noteDown(reason: Error): void {
    if (downFor === undefined) log.warn({ link: name, err: reason }, "link lost, opening it again");
    else if (downFor !== reason.message) log.warn({ link: name, err: reason }, "link still down");
    downFor = reason.message;
  }

  function noteProved(): void {
    delayMs = FIRST_DELAY_MS;
    if (downFor !== undefined) log.info({ link: name }, "link is back");
    downFor = undefined;
  }

  async function openOnce(): Promise<void> {
    let lostEarly: Error | undefined;
    let mine: Opened<Link> | undefined;
    const proved = () => {
      if (mine !== undefined && opened === mine) noteProved();
    };
    const lost = (reason: Error) => {
      if (mine === undefined) lostEarly = reason;
      else if (opened === mine) void reopen(mine, reason);
    };
    mine = await open(lost, proved);
    if (lostEarly !== undefined || closing.signal.aborted) {
      await mine.close().catch(() => {});
      throw lostEarly ?? new LinkClosed(`${name} was closed`);
    }
    opened = mine;
    setTimeout(proved, PROVED_AFTER_MS).unref();
    const waiting = waiters;
    waiters = [];
    for (const waiter of waiting) waiter.resolve(mine.link);
  }

  async function reopen(broken: Opened<Link>, reason: Error): Promise<void> {
    opened = undefined;
    noteDown(reason);
    broken.close().catch(() => {});
    while (!closing.signal.aborted) {
      // Half of the delay is random, so that a fleet does not come back in step.
      const waitMs = delayMs / 2 + (Math.random() * delayMs) / 2;
      delayMs = Math.min(delayMs * 2, MAX_DELAY_MS);
      await sleep(waitMs, undefined, { signal: closing.signal }).catch(() => {});
      if (closing.signal.aborted) return;
      try {
        await openOnce();
        return;
      } catch (error) {
        if (!closing.signal.aborted) noteDown(error as Error);
      }
    }
  }

  await openOnce();
  return {
    current: () => opened?.link,
    get(signal) {
      if (opened !== undefined) return Promise.resolve(opened.link);
      if (closing.signal.aborted) return Promise.reject(new LinkClosed(`${name} was closed`));
      const { promise, resolve, reject } = Promise.withResolvers<Link>();
      waiters.push({ resolve, reject });
      if (signal === undefined) return promise;
      const onAbort = () => reject(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      return promise.finally(() => signal.removeEventListener("abort", onAbort));
    },
    drop(link, reason) {
      if (opened?.link === link) void reopen(opened, reason);
    },
    async close() {
      closing.abort();
      for (const waiter of waiters) waiter.reject(new LinkClosed(`${name} was closed`));
      waiters = [];
      const last = opened;
      opened = undefined;
      await last?.close();
    },
  };
}
