/** What the services would count of an engine's work: commands, messages, rows, connections. */
import type { EngineInTime } from "./engine-in-time.ts";
import type { Usage } from "./result.ts";

/**
 * docs/infra/redis.md: a job's, to claim and to end; a start's, the connections' own, the memory policy and
 * one subscription. A test holds them to manifests/prices.yaml.
 */
export const REDIS_COMMANDS = { job: 2, start: 8 };
/** docs/infra/operacion.md, "Límites que conviene saber". */
/** At most; in Postgres that of activities, to which a batch adds one. */
const CONNECTIONS = { amqp: 2, postgres: 2, redis: 2 };
/** Rows of the engine's own tables for each job (make demo: 19,524 facts of 13,758 events). */
const OWN_ROWS: Readonly<Record<string, number>> = { analytics: 1.42 };
/** Events for each job: nearly every change set is an activity (make demo: 13,703 of 14,008). */
const EVENTS: Readonly<Record<string, number>> = { activities: 0.98 };
/** Jobs that come as events, whose publishing counts with the engine that announces them, and that want no reply. */
const FROM_EVENTS = new Set(["analytics", "burials"]);

export function usageOf({ engine, arrived, done, maxReplicas, pods }: EngineInTime): Usage {
  const { name } = engine;
  const published = FROM_EVENTS.has(name) ? 0 : arrived + done;
  return {
    redisCommands: REDIS_COMMANDS.job * done + REDIS_COMMANDS.start * pods.started,
    brokerMessages: Math.round(published + done * (EVENTS[name] ?? 0)),
    postgresRows: Math.round(done * (1 + (OWN_ROWS[name] ?? 0))),
    postgresConnections: maxReplicas * CONNECTIONS.postgres,
    amqpConnections: maxReplicas * CONNECTIONS.amqp,
    redisConnections: maxReplicas * CONNECTIONS.redis,
  };
}
