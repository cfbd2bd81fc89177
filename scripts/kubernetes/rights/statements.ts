/** The least that one engine may do in the broker, in Postgres and in Redis. */
import type { WorkerDefinition } from "@tl-engine/shared";
import { lanesOf } from "@tl-engine/shared/broker/lanes";
import {
  type BrokerNames,
  BURIALS,
  brokerNames,
  DELAY_TIERS,
  engineUser,
  jobKey,
  SCHEDULER,
} from "@tl-engine/shared/wire/names";
import { nearestTier } from "../../../shared/job/retry.ts";
import { UNTRIED_DELAY_MS } from "../../../shared/job/turn.ts";
import { roleStatements } from "./postgres.ts";
import { redisEngineRules } from "./redis-rules.ts";

/** Regular expressions over names, as both brokers take them. */
export interface BrokerRights {
  user: string;
  configure: string;
  write: string;
  read: string;
  /** Keys on topic exchanges, where not every key is due. LavinMQ knows no such right. */
  topics: { exchange: string; write: string; read: string }[];
}

export interface Rights {
  broker: BrokerRights;
  /** SQL for the owner of the database; it may run again. The role itself must be there. */
  postgres: { role: string; statements: string[] };
  /** Rules of `ACL SETUSER`; the password's is left out. */
  redis: { user: string; rules: string[] };
}

export interface RightsOptions {
  engine: string;
  /** `ENGINE_PREFIX`. */
  prefix: string;
  /** `REPLY_EXCHANGE`; "" is the default exchange. */
  replyExchange: string;
  /** Types of the events that the engine's actions declare. */
  emits: readonly string[];
  /** Schema of the engine's own tables; undefined for an engine without any. */
  schema: string | undefined;
  /** Whether it is defined with `redis: true`. */
  handlersUseRedis: boolean;
  /** Whether it is defined with `files`. Default: no. */
  keepsFiles?: boolean;
}

export const escaped = (text: string) => text.replaceAll(/[.\\+*?^$()[\]{}|]/g, "\\$&");
const anyOf = (names: string[]) => `^(${names.map(escaped).join("|")})$`;

/** Of all that the engine's actions may announce. */
export const eventTypesOf = (actions: WorkerDefinition["actions"]): string[] =>
  Object.values(actions).flatMap(({ emits = {} }) => Object.keys(emits));

/** None at all, also of the empty name. */
export const NOTHING = "^\\b$";

/**
 * The default exchange is amq.default in RabbitMQ and "" in LavinMQ; who may write to it reaches every queue of
 * the vhost.
 */
const replyExchanges = (replyExchange: string) =>
  replyExchange === "" ? ["", "amq.default"] : [replyExchange];

/** Burials end the jobs of every engine. */
function graves(engine: string, prefix: string): string {
  if (engine !== BURIALS) return escaped(brokerNames(prefix).dead(engine));
  return `${escaped(prefix)}\\.[a-z0-9-]+\\.dead`;
}

/** A handler may wait for any of them; burials only send a job back that never ran. */
const tiersOf = (engine: string, names: BrokerNames) =>
  (engine === BURIALS ? [nearestTier(UNTRIED_DELAY_MS)] : DELAY_TIERS).map(({ name }) =>
    names.delay(name),
  );

export function rightsOf(options: RightsOptions): Rights {
  const { engine, prefix, replyExchange, emits, schema, handlersUseRedis, keepsFiles } = options;
  const names = brokerNames(prefix);
  const announcing = emits.length === 0 ? [] : [names.events];
  // Its own jobs may wait for their time; burials have none, and the scheduler's wait with itself.
  const waiting = engine === BURIALS || engine === SCHEDULER ? [] : [names.later];
  const user = engineUser(prefix, engine);
  const role = `engine_${engine.replaceAll("-", "_")}`;
  return {
    broker: {
      user,
      // Nothing: the topology's user declares.
      configure: "^$",
      write: `^(${[
        ...[
          ...replyExchanges(replyExchange),
          ...announcing,
          ...tiersOf(engine, names),
          ...waiting,
          ...(engine === SCHEDULER ? [names.jobs] : []),
        ].map(escaped),
        graves(engine, prefix),
      ].join("|")})$`,
      read: anyOf(lanesOf(engine).map((lane) => names.queue(engine, lane))),
      topics: [
        ...announcing.map((exchange) => ({ exchange, write: anyOf([...emits]), read: NOTHING })),
        ...waiting.map((exchange) => ({
          exchange,
          write: anyOf(lanesOf(engine).map((lane) => jobKey(engine, lane))),
          read: NOTHING,
        })),
      ],
    },
    postgres: { role, statements: roleStatements(role, schema, keepsFiles) },
    redis: { user, rules: redisEngineRules(prefix, engine, handlersUseRedis) },
  };
}

/**
 * Of who declares the topology and replays dead letters: all that has the prefix, and no default exchange. A
 * dead-letter exchange asks for the right to write to it and to read the queue.
 * @param user `TOOLS_USER`, whose word on replays the workers believe.
 */
export function toolsRights(prefix: string, user: string): BrokerRights {
  const own = `^${escaped(prefix)}\\..*$`;
  return { user, configure: own, write: own, read: own, topics: [] };
}
