/** The crash test's own ways into the three services, past the workers' proxies: to disturb them and to look at them. */
import { setTimeout as sleep } from "node:timers/promises";
import amqp from "amqplib";
import { Redis } from "ioredis";
import pg from "pg";
import { vhostOf } from "../../../shared/broker/address.ts";
import { ask, ManagementError } from "../../../shared/broker/management.ts";
import { readRecord } from "../../../shared/wire/claim-record.ts";
import { redisKeys } from "../../../shared/wire/names.ts";
import type { EndState, ResultRow } from "./evidence.ts";

export interface Urls {
  amqp: string;
  /** Undefined where the environment names a broker without it. */
  management: string | undefined;
  postgres: string;
  redis: string;
}

export interface Reach {
  readonly vhost: string;
  readonly engineQueue: string;
  query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>;
  terminateBackends(): Promise<void>;
  /** Takes all connections that Postgres has left; returns how to give them back. */
  fillConnections(): Promise<() => Promise<void>>;
  /** Locks the results against every use; returns how to unlock them. */
  lockResults(): Promise<() => Promise<void>>;
  flushRedis(): Promise<void>;
  setRedisLimit(maxBytes: number): Promise<void>;
  pauseRedis(durationMs: number): Promise<void>;
  /** Makes Redis refuse every write, as a replica does; or take them again. */
  setRedisReadOnly(isReadOnly: boolean): Promise<void>;
  /** Makes Postgres refuse every write of a new session, as a standby does, and ends the old ones. */
  setPostgresReadOnly(isReadOnly: boolean): Promise<void>;
  /** Takes the delay queues from their exchanges, so that no queue takes a retry; returns how to give them back. */
  unbindTiers(): Promise<() => Promise<void>>;
  closeConnections(max: number): Promise<number>;
  deleteQueue(): Promise<void>;
  consumers(): Promise<number>;
  /** Messages ready and unacked per queue of the fleet. */
  queues(): Promise<EndState["queues"]>;
  /** Gives a channel of its own, for as long as `use` takes. */
  withChannel<Value>(use: (channel: amqp.Channel) => Promise<Value>): Promise<Value>;
  rows(): Promise<ResultRow[]>;
  openTransactions(): Promise<string[]>;
  /** Deadlocks since {@link openReach}; a crash of Postgres makes it forget them. */
  deadlocks(): Promise<number>;
  heldClaims(): Promise<string[]>;
  close(): Promise<void>;
}

/** Connections of the crash test carry this name, so that it never cuts its own. */
const OWN_NAME = "crash-test";
const TIERS = ["1s", "5s", "30s", "2m", "10m", "1h"];

const claimsOf = (prefix: string) => redisKeys.claim(prefix, "*", "*", "*");

const jobQueues = (prefix: string, engineQueue: string) => [
  engineQueue,
  `${engineQueue}.bulk`,
  ...TIERS.map((tier) => `${prefix}.delay.${tier}`),
];

export function openReach(urls: Urls, prefix: string, engine: string): Reach {
  const pool = new pg.Pool({ connectionString: urls.postgres, max: 3, application_name: OWN_NAME });
  pool.on("error", () => {});
  const redis = new Redis(urls.redis, { maxRetriesPerRequest: 20, connectionName: OWN_NAME });
  redis.on("error", () => {});
  const vhost = vhostOf(urls.amqp);
  const engineQueue = `${prefix}.${engine}`;

  const query = async <Row extends pg.QueryResultRow>(sql: string, values?: unknown[]) =>
    (await patiently(() => pool.query<Row>(sql, values))).rows;
  const withChannel = async <Value>(use: (channel: amqp.Channel) => Promise<Value>) => {
    const connection = await amqp.connect(urls.amqp, {
      timeout: 5_000,
      clientProperties: { connection_name: OWN_NAME },
    });
    connection.on("error", () => {});
    try {
      const channel = await connection.createChannel();
      channel.on("error", () => {});
      return await use(channel);
    } finally {
      await connection.close().catch(() => {});
    }
  };

  /** Without the management API only what is ready can be seen. */
  const readyCounts = async (channel: amqp.Channel) => {
    const found: EndState["queues"] = [];
    for (const name of jobQueues(prefix, engineQueue))
      found.push({ name, ready: (await channel.checkQueue(name)).messageCount, unacked: 0 });
    return found;
  };

  return {
    vhost,
    engineQueue,
    query,
    ...postgresReach(urls, query),
    async flushRedis() {
      await patiently(() => redis.flushall());
    },
    async setRedisLimit(maxBytes) {
      await patiently(() => redis.config("SET", "maxmemory", maxBytes));
    },
    async pauseRedis(durationMs) {
      await redis.call("CLIENT", "PAUSE", String(durationMs), "ALL");
    },
    async setRedisReadOnly(isReadOnly) {
      // A master that is not there: it stays a replica on what it has.
      const of = isReadOnly ? ["127.0.0.1", "1"] : ["NO", "ONE"];
      await patiently(() => redis.call("REPLICAOF", ...of));
    },
    ...brokerReach(urls, vhost, prefix, engineQueue),
    ...(urls.management === undefined ? { queues: () => withChannel(readyCounts) } : {}),
    consumers: () =>
      withChannel(async (channel) => (await channel.checkQueue(engineQueue)).consumerCount),
    withChannel,
    async unbindTiers() {
      const each = (what: "bindQueue" | "unbindQueue") =>
        patiently(() =>
          withChannel(async (channel) => {
            for (const tier of TIERS.map((name) => `${prefix}.delay.${name}`))
              await channel[what](tier, tier, "");
          }),
        );
      await each("unbindQueue");
      return () => each("bindQueue");
    },
    async rows() {
      const rows = await query<Omit<ResultRow, "jobId"> & { jobId: string }>(
        `SELECT job_id AS "jobId", generation, status, code, attempt, reply::text AS reply,
                coalesce(events, '[]') AS events
         FROM engine.results WHERE engine = $1`,
        [engine],
      );
      return rows;
    },
    async heldClaims() {
      const [seconds, micros] = await patiently(() => redis.time());
      const nowMs = Number(seconds) * 1_000 + Number(micros) / 1_000;
      const held: string[] = [];
      for await (const keys of redis.scanStream({ match: claimsOf(prefix), count: 1_000 })) {
        for (const key of keys as string[]) {
          const record = readRecord(await redis.get(key));
          if (record?.token !== undefined && record.leaseEndMs > nowMs) held.push(key);
        }
      }
      return held;
    },
    async close() {
      redis.disconnect();
      await pool.end();
    },
  };
}

type Query = Reach["query"];

function postgresReach({ postgres }: Urls, query: Query) {
  const others = `pid <> pg_backend_pid() AND application_name <> '${OWN_NAME}'
    AND backend_type = 'client backend' AND datname = current_database()`;
  const countDeadlocks = async () => {
    const [row] = await query<{ count: number }>(
      "SELECT deadlocks::int AS count FROM pg_stat_database WHERE datname = current_database()",
    );
    return row?.count ?? 0;
  };
  const atStart = countDeadlocks();
  atStart.catch(() => {});
  return {
    async terminateBackends() {
      await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${others}`);
    },
    async setPostgresReadOnly(isReadOnly: boolean) {
      const database = decodeURIComponent(new URL(postgres).pathname.slice(1));
      const setting = isReadOnly
        ? "SET default_transaction_read_only = on"
        : "RESET default_transaction_read_only";
      await query(`ALTER DATABASE ${pg.escapeIdentifier(database)} ${setting}`);
      await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${others}`);
    },
    async openTransactions() {
      const rows = await query<{ open: string }>(
        `SELECT coalesce(application_name, '') || ' ' || state || ': ' || left(query, 100) AS open
         FROM pg_stat_activity
         WHERE ${others} AND (state LIKE 'idle in transaction%' OR (state = 'active' AND xact_start < now() - interval '5 s'))`,
      );
      return rows.map(({ open }) => open);
    },
    async deadlocks() {
      const first = await atStart;
      return Math.max(0, (await countDeadlocks()) - first);
    },
    async fillConnections() {
      const taken: pg.Client[] = [];
      await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${others}`);
      const takeOne = async () => {
        const client = new pg.Client({ connectionString: postgres, application_name: OWN_NAME });
        client.on("error", () => {});
        await client.connect();
        taken.push(client);
      };
      for (let isFull = false; !isFull; ) {
        const tried = await Promise.allSettled(Array.from({ length: 16 }, takeOne));
        isFull = tried.every(({ status }) => status === "rejected");
      }
      return async () => {
        await Promise.allSettled(taken.map((client) => client.end()));
      };
    },
    async lockResults() {
      const client = new pg.Client({ connectionString: postgres, application_name: OWN_NAME });
      client.on("error", () => {});
      await client.connect();
      await client.query("BEGIN; LOCK TABLE engine.results IN ACCESS EXCLUSIVE MODE");
      return () => client.end();
    },
  };
}

function brokerReach(urls: Urls, vhost: string, prefix: string, engineQueue: string) {
  const base = urls.management ?? "http://127.0.0.1:9";
  /** What is gone already is no error. */
  const askFor = async (method: "GET" | "DELETE", ...path: string[]): Promise<unknown> => {
    try {
      return await ask(base, method, path);
    } catch (error) {
      if (error instanceof ManagementError && error.status === 404) return undefined;
      throw error;
    }
  };

  return {
    async closeConnections(max: number) {
      const all = (await patiently(() => askFor("GET", "vhosts", vhost, "connections"))) as {
        name: string;
        client_properties?: { connection_name?: string };
      }[];
      const others = all.filter((one) => one.client_properties?.connection_name !== OWN_NAME);
      const hit = others.slice(0, max);
      await Promise.all(hit.map(({ name }) => askFor("DELETE", "connections", name)));
      return hit.length;
    },
    async deleteQueue() {
      await patiently(() => askFor("DELETE", "queues", vhost, engineQueue));
    },
    async queues() {
      const all = (await patiently(() => askFor("GET", "queues", vhost))) as {
        name: string;
        messages_ready?: number;
        messages_unacknowledged?: number;
      }[];
      return all
        .filter(({ name }) => name.startsWith(`${prefix}.`))
        .map(({ name, messages_ready = 0, messages_unacknowledged = 0 }) => ({
          name,
          ready: messages_ready,
          unacked: messages_unacknowledged,
        }));
    },
  };
}

/** Tries again for a while: a service may still be on its way back from a fault. */
async function patiently<Value>(attempt: () => Promise<Value>): Promise<Value> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (tries >= 20) throw error;
      await sleep(300);
    }
  }
}
