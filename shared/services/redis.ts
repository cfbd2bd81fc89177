/** Redis as a child process: it never evicts, and keeps its data over a restart. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { findBinary } from "./binaries.ts";
import type { NativeService } from "./native.ts";
import { NativeProcess } from "./native-process.ts";
import { freePorts, untilReady } from "./ready.ts";
import type { Reaper } from "./reaper.ts";

/** Resolves when the server answers a PING and has loaded its data. */
export async function connectToRedis(redisUrl: string): Promise<void> {
  const redis = new Redis(redisUrl, {
    lazyConnect: true,
    connectTimeout: 10_000,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
  redis.on("error", () => {});
  try {
    await redis.connect();
    await redis.ping();
  } finally {
    redis.disconnect();
  }
}

/** @param more settings of redis.conf, for servers that tests ask for. */
export async function startRedis(
  dir: string,
  reaper?: Reaper,
  more: Record<string, string> = {},
): Promise<NativeService> {
  const [port] = (await freePorts(1)) as [number];
  mkdirSync(dir, { recursive: true });
  const settings = {
    port: String(port),
    bind: "127.0.0.1",
    dir,
    "maxmemory-policy": "noeviction",
    save: "",
    // What hosted servers do: a crash loses at most the last second.
    appendonly: "yes",
    appendfsync: "everysec",
    daemonize: "no",
    ...more,
  };
  const redis = new NativeProcess(
    {
      name: "Redis",
      file: findBinary("redis-server") ?? "redis-server",
      args: Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]),
      cwd: dir,
      logFile: join(dir, "redis.log"),
    },
    reaper,
  );
  const redisUrl = `redis://127.0.0.1:${port}/0`;
  const ready = () =>
    untilReady("Redis", () => connectToRedis(redisUrl), { ended: () => redis.endedWith() });
  redis.spawn();
  await ready();
  return { urls: { REDIS_URL: redisUrl }, main: redis, processes: [redis], ready };
}
