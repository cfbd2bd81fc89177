/** Asks for cancellations and reads progress, in the claims that workers keep in Redis. */
import type { Redis } from "ioredis";
import { redisKeys } from "./wire.ts";

/** Progress as the handler last reported it. */
export interface Progress {
  /** From 0 to 1. */
  fraction: number;
  note?: string;
  at: Date;
}

/** What Redis knows of a job. */
export interface ClaimState {
  /** running: a worker holds a live lease. ended: it has a result. known: neither, e.g. between attempts. */
  state: "running" | "ended" | "known" | "unknown";
  progress?: Progress;
  cancelRequested: boolean;
  /** 0, or which replay of the dead letter was claimed last. */
  generation: number;
}

const CANCEL_KEPT_SECONDS = 86_400;
const COMMAND_TIMEOUT_MS = 5_000;

/** One round trip, one billed command. Returns 0 when the job had ended. */
const CANCEL = `
if redis.call('HEXISTS', KEYS[1], 'd') == 1 then return 0 end
redis.call('HSET', KEYS[1], 'x', '1')
if redis.call('TTL', KEYS[1]) == -1 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
redis.call('PUBLISH', ARGV[3], ARGV[1])
return 1`;

export class Claims {
  readonly #redis: Redis;
  readonly #prefix: string;
  private constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  /** Loads the driver, which callers without a redisUrl never need; connects on first use. */
  static async open(
    redisUrl: string,
    prefix: string,
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
    });
    redis.on("error", onError);
    return new Claims(redis, prefix);
  }

  /** Marks the job as cancelled, for workers that get it later, and tells the worker that runs it. */
  async cancel(engine: string, id: string): Promise<{ requested: boolean }> {
    const key = redisKeys.claim(this.#prefix, engine, id);
    const channel = redisKeys.cancel(this.#prefix, engine);
    const done = await this.#redis.eval(CANCEL, 1, key, id, CANCEL_KEPT_SECONDS, channel);
    return { requested: done === 1 };
  }

  async read(engine: string, id: string): Promise<ClaimState> {
    const key = redisKeys.claim(this.#prefix, engine, id);
    // The server's clock, since leases are measured by it.
    const [time, fields] = await Promise.all([this.#redis.time(), this.#redis.hgetall(key)]);
    const nowMs = Number(time[0]) * 1_000 + Number(time[1]) / 1_000;
    const { d, t, e, g = 0, p, x } = fields;
    const running = t !== undefined && Number(e) > nowMs;
    const unheard = Object.keys(fields).every((field) => field === "x");
    const state = d !== undefined ? "ended" : running ? "running" : unheard ? "unknown" : "known";
    const progress = p === undefined ? undefined : readProgress(p);
    const generation = Number(g);
    return { state, generation, cancelRequested: x !== undefined, ...(progress && { progress }) };
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
  }
}

function readProgress(text: string): Progress | undefined {
  try {
    const { fraction, note, at } = JSON.parse(text);
    return { fraction, ...(note !== undefined && { note }), at: new Date(at) };
  } catch {
    return undefined;
  }
}
