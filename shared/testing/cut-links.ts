/** A worker's links to its three servers, through proxies that cut them in the middle of its work. */
import type { Config } from "../process/config.ts";
import { proxyBefore, type UrlProxy } from "./proxy.ts";

export interface Links {
  /** For the worker: the same servers, through the proxies. */
  env: Record<"AMQP_URL" | "DATABASE_URL" | "REDIS_URL", string>;
  broker: UrlProxy;
  database: UrlProxy;
  redis: UrlProxy;
  /** Live connections through all of them. */
  connections(): number;
  /**
   * Arms a cut of each link for the moment at which work has passed over it: deliveries, replies, statements,
   * claims. The function names those that were not cut yet.
   */
  cutInTheMiddle(): () => string[];
  close(): Promise<void>;
}

/** What some jobs take, and a hundred exceed. */
const DELIVERED_BYTES = 6_000;
const ANSWERED_BYTES = 3_000;
const STORED_BYTES = 3_000;
const CLAIMED_BYTES = 1_000;

export async function linksThroughProxies(
  config: Pick<Config, "AMQP_URL" | "DATABASE_URL" | "REDIS_URL">,
): Promise<Links> {
  const [broker, database, redis] = await Promise.all([
    proxyBefore(config.AMQP_URL),
    proxyBefore(config.DATABASE_URL),
    proxyBefore(config.REDIS_URL),
  ]);
  const all = [broker, database, redis];
  return {
    env: { AMQP_URL: broker.url, DATABASE_URL: database.url, REDIS_URL: redis.url },
    broker,
    database,
    redis,
    connections: () => all.reduce((sum, proxy) => sum + proxy.connections(), 0),
    cutInTheMiddle() {
      const cuts = {
        // Only deliveries are large on their way down, and only replies on their way up.
        consumer: broker.apply({ kind: "cutAfter", bytes: DELIVERED_BYTES, direction: "down" }),
        publisher: broker.apply({ kind: "cutAfter", bytes: ANSWERED_BYTES, direction: "up" }),
        database: database.apply({ kind: "cutAfter", bytes: STORED_BYTES, direction: "up" }),
        redis: redis.apply({ kind: "cutAfter", bytes: CLAIMED_BYTES, direction: "up" }),
      };
      const left = new Set(Object.keys(cuts));
      for (const [name, { fired }] of Object.entries(cuts)) fired.then(() => left.delete(name));
      return () => [...left];
    },
    async close() {
      await Promise.all(all.map((proxy) => proxy.close()));
    },
  };
}
