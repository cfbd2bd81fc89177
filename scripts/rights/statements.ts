/** The least that one engine may do in the broker, in Postgres and in Redis. */
import { brokerNames, DELAY_TIERS } from "@tl-engine/shared/wire/names";
import { roleStatements } from "./postgres.ts";
import { redisEngineRules } from "./redis-rules.ts";

/** Regular expressions over names, as both brokers take them. */
export interface BrokerRights {
  user: string;
  configure: string;
  write: string;
  read: string;
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
  /** Schema of the engine's own tables; undefined for an engine without any. */
  schema: string | undefined;
}

const escaped = (text: string) => text.replaceAll(/[.\\+*?^$()[\]{}|]/g, "\\$&");
const anyOf = (names: string[]) => `^(${names.map(escaped).join("|")})$`;

export function rightsOf({ engine, prefix, schema }: RightsOptions): Rights {
  const names = brokerNames(prefix);
  const tiers = DELAY_TIERS.map(({ name }) => names.delay(name));
  const role = `engine_${engine.replaceAll("-", "_")}`;
  return {
    broker: {
      user: `${prefix}.${engine}`,
      // Nothing: the topology's user declares.
      configure: "^$",
      // The default exchange, for replies and dead letters, is amq.default in RabbitMQ and "" in LavinMQ.
      write: anyOf(["", "amq.default", names.events, ...tiers]),
      read: anyOf([names.queue(engine)]),
    },
    postgres: { role, statements: roleStatements(role, schema) },
    redis: {
      user: `${prefix}.${engine}`,
      rules: redisEngineRules(prefix, engine),
    },
  };
}

/**
 * Of who declares the topology. A dead-letter exchange asks for the right to write to it and to read the queue;
 * that of the burials is the default one, which is amq.default in RabbitMQ and "" in LavinMQ.
 */
export function toolsRights(prefix: string): BrokerRights {
  const own = `${escaped(prefix)}\\..*`;
  const ownAndDefault = `^(|amq\\.default|${own})$`;
  return {
    user: "tl-engine-tools",
    configure: `^${own}$`,
    write: ownAndDefault,
    read: ownAndDefault,
  };
}
