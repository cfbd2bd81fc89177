/** How jobs get to each kind of worker, and how the harness counts those that are done without taking part. */
import { Queue } from "bullmq";
import { makeWorkerUtils } from "graphile-worker";
import { clearClaims, declareQueue, type Harness } from "./harness.ts";
import { NOOP_TYPE, PREFIX, payload, REPLY_QUEUE } from "./load.ts";

export interface Lane {
  /** Leaves the queue, the count and what earlier jobs left beside them empty; stored results stay. */
  clear(): Promise<void>;
  /** Puts `count` jobs with ids `<idPrefix>-0…` into the queue, persistent and confirmed. */
  preload(count: number, idPrefix: string): Promise<void>;
  /** Jobs that have ended since `clear`. */
  done(): Promise<number>;
  close(): Promise<void>;
}

export interface AmqpJob {
  type: string;
  body: Buffer;
  headers?: Record<string, unknown>;
}

/**
 * Jobs in a quorum queue; done are the replies in the reply queue, which nobody consumes meanwhile:
 * a passive declare asks the broker for their number, so the two cores are left to broker and worker.
 */
export function amqpLane(
  harness: Harness,
  target: { exchange: string; routingKey: string; queue: string },
  jobOf: (n: number, id: string) => AmqpJob,
): Lane {
  const { channel } = harness;
  return {
    async clear() {
      await channel.purgeQueue(target.queue);
      await channel.purgeQueue(REPLY_QUEUE);
      await clearClaims(harness);
    },
    async preload(count, idPrefix) {
      for (let n = 0; n < count; n++) {
        const id = `${idPrefix}-${n}`;
        const { type, body, headers } = jobOf(n, id);
        channel.publish(target.exchange, target.routingKey, body, {
          persistent: true,
          contentType: "application/json",
          contentEncoding: headers && "utf-8", // Celery's wire wants it; ours has none
          messageId: id,
          correlationId: id,
          replyTo: REPLY_QUEUE,
          type,
          headers,
        });
        if (n % 2_000 === 1_999) await channel.waitForConfirms();
      }
      await channel.waitForConfirms();
    },
    done: async () => (await channel.checkQueue(REPLY_QUEUE)).messageCount,
    close: async () => {},
  };
}

/** The job of the raw and the naive peer and of the no-op engine. */
export const noopJob = (n: number): AmqpJob => ({
  type: NOOP_TYPE,
  body: Buffer.from(JSON.stringify(payload(n))),
});

/** The same payload as a task message of Celery's protocol 2. */
export function celeryJob(n: number, id: string): AmqpJob {
  const embedded = { callbacks: null, errbacks: null, chain: null, chord: null };
  return {
    type: "bench.noop",
    body: Buffer.from(JSON.stringify([[payload(n)], {}, embedded])),
    headers: { lang: "py", task: "bench.noop", id, root_id: id, parent_id: null, retries: 0 },
  };
}

/** A lane over a queue of its own, for the peers that are no engine. */
export async function ownQueueLane(
  harness: Harness,
  queue: string,
  jobOf: typeof noopJob | typeof celeryJob,
): Promise<Lane> {
  await declareQueue(harness.channel, queue);
  return amqpLane(harness, { exchange: "", routingKey: queue, queue }, jobOf);
}

/** Jobs in Redis; done are those in BullMQ's set of completed jobs, which hold the returned value. */
export function bullmqLane({ urls }: Harness, name: string): Lane {
  const queue = new Queue(name, { connection: { url: urls.REDIS_URL } });
  return {
    clear: () => queue.obliterate({ force: true }),
    async preload(count, idPrefix) {
      for (let from = 0; from < count; from += 1_000) {
        const numbers = Array.from({ length: Math.min(1_000, count - from) }, (_, i) => from + i);
        await queue.addBulk(
          numbers.map((n) => ({
            name: "noop",
            data: payload(n),
            opts: { jobId: `${idPrefix}-${n}` },
          })),
        );
      }
    },
    done: () => queue.getCompletedCount(),
    async close() {
      await queue.obliterate({ force: true });
      await queue.close();
    },
  };
}

/** Schema of graphile-worker's tables, dropped at the end. */
export const GRAPHILE_SCHEMA = `${PREFIX}_graphile`;

/** Jobs in Postgres; a job that has ended is deleted, so done are those that are missing. */
export async function graphileLane({ urls, database }: Harness): Promise<Lane> {
  const utils = await makeWorkerUtils({
    connectionString: urls.DATABASE_URL,
    schema: GRAPHILE_SCHEMA,
  });
  await utils.migrate();
  const jobs = `${GRAPHILE_SCHEMA}._private_jobs`;
  let preloaded = 0;
  return {
    async clear() {
      await database.query(`TRUNCATE ${jobs}`);
      preloaded = 0;
    },
    async preload(count, idPrefix) {
      for (let from = 0; from < count; from += 1_000) {
        const numbers = Array.from({ length: Math.min(1_000, count - from) }, (_, i) => from + i);
        await utils.addJobs(
          numbers.map((n) => ({
            identifier: "noop",
            payload: { id: `${idPrefix}-${n}`, ...payload(n) },
          })),
        );
      }
      preloaded = count;
    },
    async done() {
      const { rows } = await database.query(`SELECT count(*)::int AS left FROM ${jobs}`);
      return preloaded - rows[0].left;
    },
    async close() {
      await utils.release();
      await database.query(`DROP SCHEMA ${GRAPHILE_SCHEMA} CASCADE`);
    },
  };
}
