/** The names that callers and workers agree on: of jobs, queues, exchanges and keys, and what a name may be. */

/** Job id = idempotency key, 1 to 128 characters. */
export const JOB_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/** The id of a schedule's slot, `<engine>.<name>:<instant>`: the scheduler's alone, since anybody knows it before. */
export const SLOT_ID =
  /^([a-z][a-z0-9-]{0,39})\.[a-z][a-z0-9-]{0,39}:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Names of engines, actions. */
export const NAME = /^[a-z][a-z0-9-]{0,39}$/;

/** The internal worker that ends what the broker dead-lettered; its queue is the burials queue. */
export const BURIALS = "burials";

/** The internal worker that keeps jobs until their time, and has a clock. */
export const SCHEDULER = "scheduler";

/** How far ahead `x-run-at` may lie: a year, of 366 days. */
export const MAX_AHEAD_MS = 366 * 86_400_000;

/** Delay tiers, shortest first; each is a queue `<prefix>.delay.<name>` whose messages return after `delayMs`. */
export const DELAY_TIERS = [
  { name: "1s", delayMs: 1_000 },
  { name: "5s", delayMs: 5_000 },
  { name: "30s", delayMs: 30_000 },
  { name: "2m", delayMs: 120_000 },
  { name: "10m", delayMs: 600_000 },
  { name: "1h", delayMs: 3_600_000 },
] as const;

/** Who waits: a person, or only a backlog. Each engine has a queue for both; its interactive jobs go first. */
export type Lane = "interactive" | "bulk";

/** The routing key on `<prefix>.jobs` that a lane of an engine is bound by. No engine's name has a dot. */
export const jobKey = (engine: string, lane: Lane = "interactive") =>
  lane === "bulk" ? `${engine}.bulk` : engine;

/** What a prefix may be: `ENGINE_PREFIX` of the workers, and `prefix` of their callers. */
export const PREFIX = /^[a-z][a-z0-9_-]{0,30}$/;

/** All broker names, derived from the prefix (default `engine`) so that a vhost can be shared. */
export function brokerNames(prefix = "engine") {
  return {
    prefix,
    /** Direct exchange; routing key = engine name, or `<engine>.bulk`. */
    jobs: `${prefix}.jobs`,
    /**
     * Topic exchange of jobs with `x-run-at`, bound to the scheduler's queue; routing key as on `jobs`. A topic, since
     * only of topics RabbitMQ checks the key: an engine has no job of another's wait.
     */
    later: `${prefix}.later`,
    /** Topic exchange; routing key = event type. */
    events: `${prefix}.events`,
    /** Alternate exchange of `jobs` and its queue: jobs for engines that do not exist. */
    unrouted: `${prefix}.unrouted`,
    /** Dead-letter exchange of engine queues, and the queue of the internal worker that ends what the broker dropped. */
    burials: `${prefix}.burials`,
    queue: (engine: string, lane?: Lane) => `${prefix}.${jobKey(engine, lane)}`,
    dead: (engine: string) => `${prefix}.${engine}.dead`,
    /** Fanout exchange and queue of a delay tier. */
    delay: (tier: string) => `${prefix}.delay.${tier}`,
  };
}
export type BrokerNames = ReturnType<typeof brokerNames>;

/** The AMQP `type` of a job. */
export const jobType = (engine: string, action: string, version: number) =>
  `${engine}.${action}.v${version}`;

/** Broker users that may publish jobs; the name stands in keys and patterns. */
export const PUBLISHER = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Stands in keys, channels and x-publisher for the publisher of a job whose message names none. */
export const NOBODY = "-";

/** An engine's broker user, by convention. */
export const engineUser = (prefix: string, engine: string) => `${prefix}.${engine}`;

/** Broker user of who declares the topology and replays dead letters, unless TOOLS_USER says otherwise. */
export const DEFAULT_TOOLS_USER = "tl-engine-tools";

/** Redis keys. An engine's rights end at its name, a publisher's at its own, so both are part of each. */
export const redisKeys = {
  /** All that an engine and its callers keep. */
  engine: (prefix: string, engine: string) => `${prefix}:${engine}:`,
  claim: (prefix: string, engine: string, publisher: string | undefined, jobId: string) =>
    `${prefix}:${engine}:claim:${publisher ?? NOBODY}:${jobId}`,
  /** Pub/sub channel on which one publisher announces cancellations to the workers of one engine. */
  cancel: (prefix: string, engine: string, publisher: string | undefined) =>
    `${prefix}:${engine}:cancel:${publisher ?? NOBODY}`,
};
