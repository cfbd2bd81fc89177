/** A fleet of its own for one test file: random prefix, its queues, a publisher, and eyes on everything that comes out. */
import { randomBytes } from "node:crypto";
import type { ChannelModel, ConfirmChannel, ConsumeMessage, Options } from "amqplib";
import pg from "pg";
import { openConnection } from "../broker/connection.ts";
import { declareTopology, topologyOf } from "../broker/topology.ts";
import type { WorkerDefinition } from "../engine/define-worker.ts";
import { type Config, readConfig } from "../process/config.ts";
import { migrate, readMigrations } from "../stores/migrate.ts";
import { type BrokerNames, brokerNames, jobType } from "../wire/names.ts";
import type { Reply } from "../wire/reply.ts";
import { type RunningWorker, type StartOptions, startWorker } from "../worker.ts";

/** A reply, an event or a dead letter, as it came out. */
export interface Seen {
  id: string;
  correlationId: string;
  type: string;
  text: string;
  headers: Record<string, unknown>;
  properties: ConsumeMessage["properties"];
}

export interface TestFleet {
  config: Config;
  names: BrokerNames;
  /** For declaring and asking; it confirms publishes. */
  channel: ConfirmChannel;
  model: ChannelModel;
  pool: pg.Pool;
  replyTo: string;
  /** Ids are unique per fleet, so that tests share the results table. */
  newId(): string;
  start(
    definition: WorkerDefinition,
    env?: Record<string, string>,
    options?: StartOptions,
  ): Promise<RunningWorker>;
  /** Publishes one job and returns its id. Properties override what a good publisher would send. */
  publish(
    engine: string,
    action: string,
    input: unknown,
    properties?: Options.Publish & { body?: Buffer },
  ): Promise<string>;
  /** The reply with this correlation id (the job's id, if none was given); the n-th, from 1. */
  reply(jobId: string, nth?: number): Promise<Seen & { reply: Reply }>;
  replies: Seen[];
  /** Waits until the predicate holds for what was seen, or fails with what is missing. */
  until<T>(
    what: string,
    look: () => T | undefined | Promise<T | undefined>,
    withinMs?: number,
  ): Promise<T>;
  deadLetters(engine: string): Promise<Seen[]>;
  rows(jobId: string): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

const WITHIN_MS = 60_000;

/**
 * @param workerFolders folders of owning engines, whose migrations must have run.
 * Needs AMQP_URL, DATABASE_URL and REDIS_URL in the environment, which the global set-up provides.
 */
export async function openTestFleet(
  definitions: WorkerDefinition[],
  workerFolders: string[] = [],
): Promise<TestFleet> {
  const prefix = `t${randomBytes(5).toString("hex")}`;
  const config = readConfig({
    ...process.env,
    ENGINE_PREFIX: prefix,
    HEALTH_PORT: "0",
    LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? "silent",
    LEASE_MS: "2000",
  });
  const names = brokerNames(prefix);
  const pool = new pg.Pool({ connectionString: config.DATABASE_URL, max: 2 });
  const client = await pool.connect();
  await migrate(client, await readMigrations());
  for (const folder of workerFolders) await migrate(client, await readMigrations(folder));
  client.release();
  const { model, profile } = await openConnection(config, `test ${prefix}`);
  const topology = topologyOf(definitions, names, profile);
  await declareTopology(model, topology);
  const channel = await model.createConfirmChannel();
  channel.on("error", () => {});

  const replyTo = `${prefix}x.replies.test`;
  await channel.assertQueue(replyTo, { durable: true, arguments: { "x-expires": 600_000 } });
  const replies: Seen[] = [];
  await channel.consume(replyTo, (message) => message && replies.push(see(message)), {
    noAck: true,
  });

  const workers: RunningWorker[] = [];
  let ids = 0;

  async function until<T>(
    what: string,
    look: () => T | undefined | Promise<T | undefined>,
    withinMs = WITHIN_MS,
  ): Promise<T> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (Date.now() > deadline) throw new Error(`waited ${withinMs} ms for ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  const fleet: TestFleet = {
    config,
    names,
    channel,
    model,
    pool,
    replyTo,
    replies,
    until,
    newId: () => `${prefix}-${++ids}`,
    async start(definition, env = {}, options = {}) {
      const own =
        Object.keys(env).length === 0
          ? config
          : readConfig({ ...process.env, ...testEnv(config), ...env });
      const worker = await startWorker(definition, own, options);
      workers.push(worker);
      return worker;
    },
    async publish(engine, action, input, { body, ...properties } = {}) {
      const id = properties.messageId ?? fleet.newId();
      await new Promise<void>((resolve, reject) =>
        channel.publish(
          names.jobs,
          engine,
          body ?? Buffer.from(JSON.stringify(input)),
          {
            persistent: true,
            contentType: "application/json",
            type: jobType(engine, action, 1),
            replyTo,
            correlationId: id,
            messageId: id,
            timestamp: Math.floor(Date.now() / 1000),
            ...properties,
          },
          (error) => (error ? reject(error) : resolve()),
        ),
      );
      return id;
    },
    reply: (jobId, nth = 1) =>
      until(`reply ${nth} of ${jobId}`, () => {
        const seen = replies.filter((reply) => reply.correlationId === jobId)[nth - 1];
        return seen && { ...seen, reply: JSON.parse(seen.text) as Reply };
      }),
    async deadLetters(engine) {
      const found: Seen[] = [];
      for (;;) {
        const message = await channel.get(names.dead(engine), { noAck: true });
        if (message === false) return found;
        found.push(see(message as unknown as ConsumeMessage));
      }
    },
    async rows(jobId) {
      const { rows } = await pool.query(
        "select *, reply::text as reply, events::text as events from engine.results where job_id = $1",
        [jobId],
      );
      return rows;
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.stop()));
      for (const { name } of topology.queues) await channel.deleteQueue(name);
      await channel.deleteQueue(replyTo);
      for (const { name } of topology.exchanges) await channel.deleteExchange(name);
      await model.close();
      await pool.end();
    },
  };
  return fleet;
}

const testEnv = (config: Config) => ({
  ENGINE_PREFIX: config.ENGINE_PREFIX,
  HEALTH_PORT: "0",
  LOG_LEVEL: config.LOG_LEVEL,
  LEASE_MS: String(config.LEASE_MS),
});

function see({ properties, content }: ConsumeMessage): Seen {
  return {
    id: String(properties.messageId),
    correlationId: String(properties.correlationId),
    type: String(properties.type),
    text: content.toString(),
    headers: properties.headers ?? {},
    properties,
  };
}
