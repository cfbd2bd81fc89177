/** Why a worker can't start with its Redis, in words for whoever started it. */

import {
  explainReach,
  explainSilence,
  reachOf,
  type Server,
  startFailure,
} from "../process/reach.ts";
import { StartFailure } from "../process/start-failure.ts";
import { isClustered } from "../wire/redis-errors.ts";
import { isNoRedis, isUnanswered } from "./ioredis-insides.ts";

/** Redis may throw claims away when memory runs short. */
export class RedisMayEvict extends StartFailure {
  override readonly name = "RedisMayEvict";
  constructor(policy: string) {
    super(
      "redis",
      "REDIS_URL",
      `Redis (REDIS_URL) has maxmemory-policy ${policy} and may drop claims; set it to noeviction (CONFIG SET maxmemory-policy noeviction)`,
      { temporary: false },
    );
  }
}

/** A connection that ended without a word. */
export class RedisClosed extends Error {
  override readonly name = "RedisClosed";
}

const serverOf = (url: string): Server => ({
  part: "redis",
  name: "Redis",
  variable: "REDIS_URL",
  url,
  defaultPort: 6379,
  plain: "redis:// instead of rediss://",
  tls: "rediss:// instead of redis://",
});

/** Jobs go on without Redis, so a failure that is `temporary` is only worth a warning. */
export function explainRedis(error: unknown, redisUrl: string): StartFailure {
  if (error instanceof StartFailure) return error;
  const server = serverOf(redisUrl);
  const reach = error instanceof RedisClosed ? "broken" : reachOf(error);
  if (reach === "unreachable" && isMuteToTls(error, redisUrl))
    return startFailure(
      server,
      "does not answer by TLS: check host and firewall; if it speaks no TLS, take its TLS port, or on a network of your own redis://",
      { temporary: true, cause: error },
    );
  if (reach !== undefined) return explainReach(reach, server, error);
  if (isUnanswered(error)) return explainSilence(server, error);
  const { message, command } = error as Error & { command?: { name: string } };
  const fail = (text: string, temporary = false) =>
    startFailure(server, text, { temporary, cause: error });
  if (isNoRedis(error)) return fail("is no Redis: the port is another service's; check REDIS_URL");
  if (isClustered(error))
    return fail(
      "runs in cluster mode, and a claim takes several keys at once: use a Redis without cluster mode",
    );
  if (
    /^(?:WRONGPASS|NOAUTH)\b|invalid (?:password|username-password)|called without any password/.test(
      message,
    )
  )
    return fail(
      "refuses the login: check user and password in REDIS_URL (special characters as %XX)",
    );
  if (/DB index is out of range|invalid DB index/i.test(message))
    return fail(
      "has no such database: the number after the last / of REDIS_URL is too high; most hosted servers have only 0",
    );
  if (REFUSED.test(message))
    return fail(
      `does not allow its user what claims need (${command?.name ?? "script"}: ${message}): grant what "make rights" prints`,
    );
  return fail(`can't be used now (${message})`, true);
}

/** Also what a script met: servers before and after Redis 7 say it each in their own words. */
const REFUSED =
  /^NOPERM\b|ACL failure in script|can't (?:run this command or subcommand|access at least one of the keys)/;

/** A Redis without TLS takes its greeting for a command that has not ended yet. */
const isMuteToTls = (error: unknown, redisUrl: string) =>
  redisUrl.startsWith("rediss:") && (error as { code?: unknown }).code === "ETIMEDOUT";
