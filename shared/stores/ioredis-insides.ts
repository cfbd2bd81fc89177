/** What we use of ioredis beyond its documentation; its version is pinned, and all of it is checked at start and by a test. */
import type { Redis } from "ioredis";

/** A command that got no answer may mean a half-open connection, which only a new one cures. */
export const isUnanswered = (error: unknown): boolean =>
  (error as Error).message === "Command timed out";

/** What answers speaks another protocol. */
export const isNoRedis = (error: unknown): boolean =>
  error instanceof Error && /Please report this\.$/.test(error.message);

/** What no release of ioredis promises, and ours needs. */
export class UnknownIoredis extends Error {
  override readonly name = "UnknownIoredis";
}

/**
 * Looks at what is reached inside of ioredis, before anything depends on it.
 * @throws {UnknownIoredis}
 */
export function assertIoredis(redis: Redis): void {
  const inside = redis as unknown as Record<string, unknown>;
  redis.defineCommand("engineInsides", { lua: "return 1" });
  const missing = [
    // disconnect(true) opens a new connection.
    typeof inside.disconnect !== "function" && "disconnect",
    // A script becomes a method that takes the number of its keys first.
    typeof inside.engineInsides !== "function" && "the methods of defineCommand",
    typeof inside.duplicate !== "function" && "duplicate",
    inside.status === undefined && "status",
  ].filter((name) => name !== false);
  if (missing.length > 0)
    throw new UnknownIoredis(
      `this release of ioredis has no ${missing.join(", ")}: install the version that package.json pins (npm ci)`,
    );
}

/** Ends the connection, and opens another. */
export const reconnect = (redis: Redis): void => redis.disconnect(true);
