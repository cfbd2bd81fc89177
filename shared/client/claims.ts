/** Asks for cancellations and reads progress, in the claims that workers keep in Redis. */
import type { Redis } from "ioredis";
import { type ClaimRecord, RECORD_LUA, readRecord } from "../wire/claim-record.ts";
import { redisKeys } from "../wire/names.ts";
import { needsNewConnection } from "../wire/redis-errors.ts";
import type { AttemptFailure } from "../wire/reply.ts";

/** Progress as the handler last reported it. */
export interface Progress {
  /** From 0 to 1. */
  fraction: number;
  note?: string;
  at: Date;
}

type RawProgress = Omit<Progress, "at"> & { at: number };

/** What Redis knows of a job. */
export interface ClaimState {
  /** running: a worker holds a live lease. ended: it has a result. known: neither, e.g. between attempts. */
  state: "running" | "ended" | "known" | "unknown";
  progress?: Progress;
  cancelRequested: boolean;
  /** 0, or which replay of the dead letter was claimed last. */
  generation: number;
  /** The counted run that runs, or is next; 0 while none was claimed. */
  attempt: number;
  lastError?: AttemptFailure;
  nextRunAt?: Date;
}

const CANCEL_KEPT_SECONDS = 86_400;
const COMMAND_TIMEOUT_MS = 5_000;

/** One round trip, one billed command. Returns 0 when the job had ended. */
export const CANCEL = `${RECORD_LUA}
local r = read(redis.call('GET', KEYS[1]))
if r and r.done then return 0 end
if r then
  r.cancelled = true
  redis.call('SET', KEYS[1], text(r), 'KEEPTTL')
else
  r = blank()
  r.cancelled = true
  redis.call('SET', KEYS[1], text(r), 'EX', ARGV[2])
end
redis.call('PUBLISH', ARGV[3], ARGV[1])
return 1`;

/** Whose claims are read: a publisher's are its own. */
interface ClaimsOf {
  prefix: string;
  publisher: string | undefined;
}

export class Claims {
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #publisher: string | undefined;
  private constructor(redis: Redis, { prefix, publisher }: ClaimsOf) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#publisher = publisher;
  }

  /** Loads the driver, which callers without a redisUrl never need; connects on first use. */
  static async open(
    redisUrl: string,
    of: ClaimsOf,
    onError: (error: Error) => void,
  ): Promise<Claims> {
    const { Redis } = await import("ioredis");
    const redis = new Redis(redisUrl, {
      lazyConnect: true,
      // Some hosted servers refuse CLIENT and INFO.
      disableClientInfo: true,
      enableReadyCheck: false,
      maxRetriesPerRequest: 2,
      commandTimeout: COMMAND_TIMEOUT_MS,
      connectTimeout: COMMAND_TIMEOUT_MS,
      // A demoted primary keeps its connections.
      reconnectOnError: needsNewConnection,
    });
    redis.on("error", onError);
    return new Claims(redis, of);
  }

  /** Marks the job as cancelled, for workers that get it later, and tells the worker that runs it. */
  async cancel(engine: string, id: string): Promise<{ requested: boolean }> {
    const key = redisKeys.claim(this.#prefix, engine, this.#publisher, id);
    const channel = redisKeys.cancel(this.#prefix, engine, this.#publisher);
    const cancel = () => this.#redis.eval(CANCEL, 1, key, id, CANCEL_KEPT_SECONDS, channel);
    const done = await onceMore(cancel);
    return { requested: done === 1 };
  }

  async read(engine: string, id: string): Promise<ClaimState> {
    const key = redisKeys.claim(this.#prefix, engine, this.#publisher, id);
    // The server's clock, since leases are measured by it.
    const [time, text] = await onceMore(() =>
      Promise.all([this.#redis.time(), this.#redis.get(key)]),
    );
    const nowMs = Number(time[0]) * 1_000 + Number(time[1]) / 1_000;
    const record = readRecord(text);
    if (record === undefined)
      return { state: "unknown", generation: 0, attempt: 0, cancelRequested: false };
    const { generation, attempt, cancelled, token, leaseEndMs } = record;
    const state = stateOf(record, nowMs);
    const progress = readJson(record.progress, toProgress);
    const lastError = readJson(record.failure, toFailure);
    const isDue = state === "known" && token === undefined && leaseEndMs > 0;
    return {
      state,
      generation,
      attempt,
      cancelRequested: cancelled,
      ...(progress && { progress }),
      ...(lastError && { lastError }),
      ...(isDue && { nextRunAt: new Date(leaseEndMs) }),
    };
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
  }
}

/** Asks again, on the new connection, a server that was no longer the one to ask. */
const onceMore = <T>(ask: () => Promise<T>): Promise<T> =>
  ask().catch((error) => {
    if (needsNewConnection(error)) return ask();
    throw error;
  });

function stateOf(record: ClaimRecord, nowMs: number): ClaimState["state"] {
  if (record.done) return "ended";
  if (record.token !== undefined) return record.leaseEndMs > nowMs ? "running" : "known";
  // A cancellation can come before any worker has seen the job.
  return record.attempt === 0 ? "unknown" : "known";
}

/** Undefined for what is absent or was not written by us. */
function readJson<Raw, Read>(text: string, read: (raw: Raw) => Read): Read | undefined {
  if (text === "") return undefined;
  try {
    return read(JSON.parse(text) as Raw);
  } catch {
    return undefined;
  }
}

const toProgress = ({ fraction, note, at }: RawProgress): Progress => ({
  fraction,
  ...(note !== undefined && { note }),
  at: new Date(at),
});

const toFailure = ({ code, message, attempt }: AttemptFailure): AttemptFailure => ({
  code,
  message,
  attempt,
});
