/** What the services would count of an engine's work: commands, messages, rows, connections. */
import type { EngineInTime } from "./engine-in-time.ts";
import type { Usage } from "./result.ts";

/**
 * docs/meta/redis/README.md: a job's, to claim and to end; a start's, the connections' own, the memory policy and
 * one subscription. A test holds them to manifests/prices.yaml.
 */
export const REDIS_COMMANDS = { job: 2, start: 8 };
/** docs/infra/README.md, "Límites que conviene saber". */
/** At most; in Postgres that of activities, to which a batch adds one. */
const CONNECTIONS = { amqp: 2, postgres: 2, redis: 2 };

export function usageOf({ engine, arrived, done, maxReplicas, pods }: EngineInTime): Usage {
  const published = engine.isPublished ? arrived + done : 0;
  return {
    redisCommands: REDIS_COMMANDS.job * done + REDIS_COMMANDS.start * pods.started,
    brokerMessages: Math.round(published + done * engine.eventsPerJob),
    postgresRows: Math.round(done * (1 + engine.ownRowsPerJob)),
    postgresConnections: maxReplicas * CONNECTIONS.postgres,
    amqpConnections: maxReplicas * CONNECTIONS.amqp,
    redisConnections: maxReplicas * CONNECTIONS.redis,
  };
}
