/** The burst: sample jobs of one engine, published as a caller would, through a way that may break in its middle. */
import { setTimeout as sleep } from "node:timers/promises";
import { connect, InvalidArgument } from "../../../shared/client/index.ts";
import { loadSampleJobs } from "../../workers.ts";
import { TryError } from "./try-error.ts";

/** Every change of a work item is a job of it, and each announces an event to the next engine. */
export const ENGINE = "activities";
/** Publishes under way at once: as many as one channel confirms in one go. */
const IN_FLIGHT = 500;
const TIMEOUT_MS = 300_000;
const CONNECT_TRIES = 20;
const RETRY_MS = 1_000;

export interface BurstOptions {
  amqpUrl: string;
  /** ENGINE_PREFIX */
  prefix: string;
  ids: readonly string[];
  /** Of all its jobs, so that their events are known from others'. */
  workspaceId: string;
  replyQueue: string;
  signal: AbortSignal;
}

export interface Burst {
  startedAtMs: number;
  seconds: number;
  /** Publishes that were repeated under the same id, since their confirm did not come. */
  repeated: number;
}

/** Resolves when the broker keeps all of them. @throws {TryError} `timed_out` */
export async function publishBurst(options: BurstOptions): Promise<Burst> {
  const { amqpUrl, prefix, ids, workspaceId, replyQueue, signal } = options;
  const sampleJobs = await loadSampleJobs(ENGINE);
  const startedAtMs = Date.now();
  const client = await connectPatiently(amqpUrl, prefix, signal);
  // The types of the contract know no job whose input is made by a file.
  const send = client.send.bind(client) as (...args: unknown[]) => Promise<unknown>;
  let [next, repeated] = [0, 0];
  const publish = async (id: string, index: number) => {
    const { type, input } = sampleJobs(index, []);
    const [, action] = type.split(".");
    for (;;) {
      signal.throwIfAborted();
      try {
        return await send(
          ENGINE,
          action,
          { ...(input as object), workspaceId },
          { id, replyTo: replyQueue },
        );
      } catch (error) {
        if (error instanceof InvalidArgument) throw error;
        if (Date.now() - startedAtMs > TIMEOUT_MS)
          throw new TryError(
            "timed_out",
            `The burst was not published within ${TIMEOUT_MS / 1_000} s: ${(error as Error).message}`,
            { cause: error },
          );
        repeated++;
        await sleep(RETRY_MS, undefined, { signal });
      }
    }
  };
  const lane = async () => {
    while (next < ids.length) {
      const index = next++;
      await publish(ids[index] as string, index);
    }
  };
  try {
    await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
    return { startedAtMs, seconds: (Date.now() - startedAtMs) / 1_000, repeated };
  } finally {
    await client.close();
  }
}

/** Once connected, the client comes back by itself; the first connection may meet a broken way as well. */
async function connectPatiently(amqpUrl: string, prefix: string, signal: AbortSignal) {
  for (let tries = 1; ; tries++) {
    try {
      return await connect({ amqpUrl, prefix, appId: "try-cluster" });
    } catch (error) {
      if (error instanceof InvalidArgument || tries >= CONNECT_TRIES) throw error;
      await sleep(RETRY_MS, undefined, { signal });
    }
  }
}
