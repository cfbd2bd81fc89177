/** A fleet of its own for one test file: random prefix, its queues, a publisher, and eyes on everything that comes out. */
import { randomBytes } from "node:crypto";
import type { ChannelModel, ConfirmChannel, Options } from "amqplib";
import pg from "pg";
import { brokerUserOf } from "../broker/address.ts";
import { openConnection } from "../broker/connection.ts";
import { declareTopology, type TopologyOptions, topologyOf } from "../broker/topology.ts";
import type { WorkerDefinition } from "../engine/define-worker.ts";
import { type Config, readConfig } from "../process/config.ts";
import { migrate, readMigrations } from "../stores/migrate.ts";
import { type BrokerNames, brokerNames, jobKey, jobType, type Lane } from "../wire/names.ts";
import type { Reply } from "../wire/reply.ts";
import { type RunningWorker, type StartOptions, startWorker } from "../worker.ts";
import { closeFleet } from "./close-fleet.ts";
import { watchHandles } from "./leak-check.ts";
import { noteFleet } from "./left-fleets.ts";
import { drain, type Seen, see, until } from "./seen.ts";

export interface TestFleet {
  config: Config;
  /** The variables of a worker process of this fleet. */
  env: Record<string, string>;
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
    properties?: Options.Publish & { body?: Buffer; lane?: Lane },
  ): Promise<string>;
  /** The reply with this correlation id (the job's id, if none was given); the n-th, from 1. */
  reply(jobId: string, nth?: number): Promise<Seen & { reply: Reply }>;
  replies: Seen[];
  /** Looks until something is found, or fails with what is missing. */
  until: typeof until;
  deadLetters(engine: string): Promise<Seen[]>;
  rows(jobId: string): Promise<Record<string, unknown>[]>;
  /**
   * Stops its workers, and removes its queues, exchanges, rows and keys.
   * @throws {Leaked} when something of it is still open then.
   */
  close(): Promise<void>;
}

/**
 * @param workerFolders folders of owning engines, whose migrations must have run.
 * @param topology what differs from what is deployed.
 * @param prepare what others do before it migrates and declares, which finds all there then; it gets the variables of
 *   the fleet's processes.
 * Needs AMQP_URL, DATABASE_URL and REDIS_URL in the environment, which the global set-up provides.
 */
export async function openTestFleet(
  definitions: WorkerDefinition[],
  workerFolders: string[] = [],
  topology: (names: BrokerNames) => TopologyOptions = () => ({}),
  prepare: (env: Record<string, string>) => Promise<void> = async () => {},
): Promise<TestFleet> {
  const openHandles = watchHandles();
  const env = ownEnvironment(`t${randomBytes(5).toString("hex")}`);
  const config = readConfig({ ...process.env, ...env });
  const prefix = config.ENGINE_PREFIX;
  const names = brokerNames(prefix);
  const replyTo = `${prefix}x.replies.test`;
  const removable = {
    prefix,
    engines: definitions.map(({ name }) => name),
    queues: [replyTo],
    workspaces: [prefix],
  };
  const noteRemoved = noteFleet(removable);
  await prepare(env);
  const pool = await migratedPool(config, workerFolders);
  const { model, profile } = await openConnection(config, `test ${prefix}`);
  await declareTopology(model, topologyOf(definitions, names, profile, topology(names)));
  const channel = await model.createConfirmChannel();
  channel.on("error", () => {});
  const replies = await collectReplies(channel, replyTo);
  const workers: RunningWorker[] = [];
  let ids = 0;
  const newId = () => `${prefix}-${++ids}`;

  return {
    config,
    env,
    names,
    channel,
    model,
    pool,
    replyTo,
    replies,
    until,
    newId,
    async start(definition, more = {}, options = {}) {
      const own = readConfig({ ...process.env, ...env, ...more }, definition.env, {
        files: Boolean(definition.files),
      });
      const worker = await startWorker(definition, own, options);
      workers.push(worker);
      return worker;
    },
    publish: publisherOn(channel, names, { replyTo, userId: brokerUserOf(config.AMQP_URL) }, newId),
    reply: (jobId, nth = 1) =>
      until(`reply ${nth} of ${jobId}`, () => {
        const seen = replies.filter((reply) => reply.correlationId === jobId)[nth - 1];
        return seen && { ...seen, reply: JSON.parse(seen.text) as Reply };
      }),
    deadLetters: (engine) => drain(channel, names.dead(engine)),
    async rows(jobId) {
      const { rows } = await pool.query(
        "select *, reply::text as reply, events::text as events from engine.results where job_id = $1",
        [jobId],
      );
      return rows;
    },
    close: () => closeFleet({ config, model, pool, workers, removable, noteRemoved, openHandles }),
  };
}

/** Everything that it opens or writes has the prefix in its name, so that it can be told from another's. */
function ownEnvironment(prefix: string): Record<string, string> {
  const databaseUrl = new URL(String(process.env.DATABASE_URL));
  databaseUrl.searchParams.set("application_name", `worker of ${prefix}`);
  return {
    DATABASE_URL: databaseUrl.href,
    ENGINE_PREFIX: prefix,
    WORKER_ID: prefix,
    HEALTH_PORT: "0",
    LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? "silent",
    LEASE_MS: "2000",
  };
}

async function migratedPool(config: Config, workerFolders: string[]): Promise<pg.Pool> {
  const url = new URL(config.DATABASE_URL);
  url.searchParams.set("application_name", `test ${config.ENGINE_PREFIX}`);
  const pool = new pg.Pool({ connectionString: url.href, max: 2 });
  const client = await pool.connect();
  try {
    await migrate(client, await readMigrations());
    for (const folder of workerFolders) await migrate(client, await readMigrations(folder));
  } finally {
    client.release();
  }
  return pool;
}

async function collectReplies(channel: ConfirmChannel, replyTo: string): Promise<Seen[]> {
  await channel.assertQueue(replyTo, { durable: true, arguments: { "x-expires": 600_000 } });
  const replies: Seen[] = [];
  await channel.consume(replyTo, (message) => message && replies.push(see(message)), {
    noAck: true,
  });
  return replies;
}

function publisherOn(
  channel: ConfirmChannel,
  names: BrokerNames,
  common: { replyTo: string; userId: string },
  newId: () => string,
): TestFleet["publish"] {
  return async (engine, action, input, { body, lane, ...properties } = {}) => {
    const id = properties.messageId ?? newId();
    const good = {
      persistent: true,
      contentType: "application/json",
      type: jobType(engine, action, 1),
      ...common,
      correlationId: id,
      messageId: id,
      timestamp: Math.floor(Date.now() / 1000),
    };
    await new Promise<void>((resolve, reject) =>
      channel.publish(
        names.jobs,
        jobKey(engine, lane),
        body ?? Buffer.from(JSON.stringify(input)),
        { ...good, ...properties },
        (error) => (error ? reject(error) : resolve()),
      ),
    );
    return id;
  };
}
