/** Rules of `ACL SETUSER` for Redis: an engine's end at its own name, a publisher's at its own. */
import { BURIALS, PUBLISHER, redisKeys, SCHEDULER } from "@tl-engine/shared/wire/names";

/** What the runtime sends, itself and from inside its scripts. Database 0: any other asks for +select. */
const CLAIMS = [
  ...["+info", "+psubscribe", "+punsubscribe"],
  ...["+eval", "+evalsha", "+time", "+getrange", "+set", "+unlink"],
];

/**
 * What a handler may need of `job.redis`. Nothing that blocks, since all jobs share the connection, and nothing that
 * shows or takes keys without naming them (KEYS, SCAN, RANDOMKEY, FLUSHALL): patterns of keys don't bound these.
 */
export const HANDLERS = [
  ...["+@string", "+@hash", "+@set", "+@sortedset", "+@list", "-@dangerous", "-@blocking"],
  ...["+del", "+exists", "+type", "+ttl", "+pttl", "+persist"],
  ...["+expire", "+pexpire", "+expireat", "+pexpireat", "+multi", "+exec", "+discard"],
];

/** Of the scheduler's clock beside that: BullMQ notes what it does in a stream. */
export const CLOCK = ["+xadd", "+xtrim"];

/** Of an engine: its claims, the cancellations that it hears, and what its handlers keep, where they keep anything. */
export function redisEngineRules(
  prefix: string,
  engine: string,
  handlersUseRedis: boolean,
): string[] {
  const claims = `~${redisKeys.engine(prefix, engine)}claim:*`;
  // PSUBSCRIBE is held against the rule letter by letter.
  const channels = `&${redisKeys.cancel(prefix, engine, "*")}`;
  // Burials end the claims of every engine, and have no handler that asks for more.
  if (engine === BURIALS) return ["reset", "on", `~${prefix}:*:claim:*`, channels, ...CLAIMS];
  if (!handlersUseRedis) return ["reset", "on", claims, channels, ...CLAIMS];
  // First what takes categories away, or it would take INFO as well.
  const own = `~${redisKeys.engine(prefix, engine)}*`;
  const clock = engine === SCHEDULER ? CLOCK : [];
  return ["reset", "on", own, channels, ...HANDLERS, ...clock, ...CLAIMS];
}

/**
 * Of a publisher: it asks for the state of its own jobs, and cancels them. Engines are named one by one: a `*` would
 * also stand for a colon, and reach jobs of others whose ids look like its claims.
 */
export function redisPublisherRules(
  prefix: string,
  name: string,
  engines: readonly string[],
): string[] {
  if (!PUBLISHER.test(name)) throw new RangeError(`${name} can't be the name of a publisher`);
  const reach = engines.flatMap((engine) => [
    `~${redisKeys.claim(prefix, engine, name, "*")}`,
    `&${redisKeys.cancel(prefix, engine, name)}`,
  ]);
  return ["reset", "on", ...reach, "+time", "+get", "+set", "+eval", "+publish"];
}
