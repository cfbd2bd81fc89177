/** Takes away what a fleet under a prefix of its own has left on servers that it shares with others. */
import { connect } from "amqplib";
import { Redis } from "ioredis";
import pg from "pg";
import { topologyOf } from "../broker/topology.ts";
import { brokerNames } from "../wire/names.ts";
import { type Reaper, shellWord } from "./reaper.ts";

export interface FleetToRemove {
  urls: {
    AMQP_URL: string;
    DATABASE_URL: string;
    REDIS_URL: string;
    /** Where it is given, queues are found of engines, too, that are not named. */
    RABBITMQ_MANAGEMENT_URL?: string | undefined;
  };
  /** ENGINE_PREFIX */
  prefix: string;
  /** Names of its engines. */
  engines: readonly string[];
  /** Queues of its callers, which the prefix does not cover. */
  queues?: readonly string[];
  /** How the ids of its jobs begin. Default: as the prefix. */
  jobIds?: string;
  /** Workspaces that only it knew: the engines' own tables lose what is theirs. */
  workspaces?: readonly string[];
}

/** Part of it could not be removed; `errors` says why. */
export class NotRemoved extends AggregateError {
  override readonly name = "NotRemoved";
}

/** A prefix of its own is random, and so longer than one that people choose; rows are found by it as well. */
const MIN_PREFIX_LENGTH = 10;

/**
 * Safe to repeat. Its workers must have ended. Each server is cleaned even if another one can't be.
 * @throws {NotRemoved}
 */
export async function removeFleet(fleet: FleetToRemove): Promise<void> {
  if (fleet.prefix.length < MIN_PREFIX_LENGTH)
    throw new RangeError(`the prefix ${fleet.prefix} may be that of a fleet that others use`);
  const settled = await Promise.allSettled([
    removeTopology(fleet),
    removeRows(fleet),
    removeKeys(fleet.urls.REDIS_URL, fleet.prefix),
  ]);
  const errors = settled.flatMap((it) => (it.status === "rejected" ? [it.reason] : []));
  if (errors.length > 0)
    throw new NotRemoved(errors, `what ${fleet.prefix} left is not all gone: ${errors.join("; ")}`);
}

/**
 * Removes the fleet at the latest when this process ends, in whatever way. The function does it now.
 * @param reaper started with the URLs in its environment, which no command line should show.
 */
export function removeAtEnd(fleet: FleetToRemove, reaper: Reaper): () => Promise<void> {
  const { urls, ...rest } = fleet;
  const code = `import { removeFleet } from ${JSON.stringify(import.meta.url)}; await removeFleet({ ...${JSON.stringify(rest)}, urls: process.env });`;
  const words = [process.execPath, "--input-type=module", "--eval", code];
  reaper.runAtEnd(words.map(shellWord).join(" "));
  return async () => {
    try {
      await removeFleet({ ...rest, urls });
    } finally {
      // What is gone needs no end, and what is not was tried.
      await reaper.release();
    }
  };
}

async function removeTopology({ urls, prefix, engines, queues = [] }: FleetToRemove) {
  const { exchanges, queues: own } = topologyOf(
    engines.map((name) => ({ name, on: {} })),
    brokerNames(prefix),
    // Only the names matter here.
    { product: "RabbitMQ", quorum: true },
    { replyExchange: `${prefix}.replies` },
  );
  const found = await listQueues(urls, prefix);
  const connection = await connect(urls.AMQP_URL);
  connection.on("error", () => {});
  try {
    const channel = await connection.createChannel();
    channel.on("error", () => {});
    for (const name of new Set([...own.map((queue) => queue.name), ...queues, ...found]))
      await channel.deleteQueue(name);
    const graves = found.filter((name) => name.endsWith(".dead"));
    for (const name of new Set([...exchanges.map((exchange) => exchange.name), ...graves]))
      await channel.deleteExchange(name);
  } finally {
    await connection.close();
  }
}

/** Names of the queues under the prefix. */
async function listQueues(
  { AMQP_URL, RABBITMQ_MANAGEMENT_URL }: FleetToRemove["urls"],
  prefix: string,
) {
  if (!RABBITMQ_MANAGEMENT_URL) return [];
  const { origin, username, password } = new URL(RABBITMQ_MANAGEMENT_URL);
  const vhost = decodeURIComponent(new URL(AMQP_URL).pathname.slice(1)) || "/";
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const response = await fetch(`${origin}/api/queues/${encodeURIComponent(vhost)}?columns=name`, {
    headers: { authorization: `Basic ${btoa(credentials)}` },
  });
  if (!response.ok) throw new Error(`the management API answers ${response.status}`);
  const queues = (await response.json()) as { name: string }[];
  return queues.map(({ name }) => name).filter((name) => name.startsWith(`${prefix}.`));
}

/**
 * Rows that its workers wrote or that its jobs have, and those of what these announced or put off: a job for later is
 * the engine's own, under an id that it chose, and may put itself off again.
 */
const REMOVE_RESULTS = `
  with recursive mine as (
    select engine, job_id from engine.results
      where starts_with(worker, $1) or starts_with(job_id, $2)
    union
    select row.engine, row.job_id
      from mine
      join engine.results told on told.engine = mine.engine and told.job_id = mine.job_id
      cross join json_array_elements(
        case when told.events::text like '[{"id":"%' then told.events else '[]' end) as event
      join engine.results row on row.job_id = event ->> 'id'
        and (event ->> 'runAt' is null or row.engine = mine.engine)
  )
  delete from engine.results row using mine
    where row.engine = mine.engine and row.job_id = mine.job_id
    returning row.job_id`;

/** The engines' own tables that tell rows by a job or a workspace. */
const OWN_TABLES = `
  select format('%I.%I', table_schema, table_name) as table_name, column_name
    from information_schema.columns
    where table_schema like 'engine\\_%' and column_name in ('job_id', 'workspace_id')`;

async function removeRows({ urls, prefix, jobIds = prefix, workspaces = [] }: FleetToRemove) {
  const client = new pg.Client({ connectionString: urls.DATABASE_URL });
  client.on("error", () => {});
  await client.connect();
  try {
    const { rows: results } = await client.query<{ job_id: string }>(REMOVE_RESULTS, [
      prefix,
      jobIds,
    ]);
    const values = { job_id: results.map((row) => row.job_id), workspace_id: workspaces };
    const { rows: tables } = await client.query<{
      table_name: string;
      column_name: keyof typeof values;
    }>(OWN_TABLES);
    for (const { table_name: table, column_name: column } of tables)
      if (values[column].length > 0)
        await client.query(`delete from ${table} where ${column} = any($1)`, [values[column]]);
  } finally {
    await client.end();
  }
}

async function removeKeys(redisUrl: string, prefix: string): Promise<void> {
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: 1, retryStrategy: () => null });
  redis.on("error", () => {});
  try {
    for await (const keys of redis.scanStream({ match: `${prefix}:*`, count: 1_000 }))
      if (keys.length > 0) await redis.unlink(keys);
  } finally {
    redis.disconnect();
  }
}
