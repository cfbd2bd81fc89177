/** The least that one engine may do in the broker, in Postgres and in Redis. */
import { brokerNames, DELAY_TIERS } from "@tl-engine/shared/wire/names";

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

export const escaped = (text: string) => text.replaceAll(/[.\\+*?^$()[\]{}|]/g, "\\$&");
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
    postgres: { role, statements: statementsFor(role, schema) },
    redis: {
      user: `${prefix}.${engine}`,
      rules: [
        "reset",
        "on",
        // Claims, and whatever a handler keeps under the prefix by job.redis.
        `~${prefix}:*`,
        `&${prefix}:*`,
        "+@all",
        "-@dangerous",
        // At start it asks whether the server may evict.
        "+info",
      ],
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

function statementsFor(role: string, schema: string | undefined): string[] {
  const own =
    schema === undefined
      ? []
      : [
          `grant usage on schema ${schema} to ${role};`,
          `grant select, insert, update, delete on all tables in schema ${schema} to ${role};`,
          // Tables of later migrations, which the owner makes.
          `alter default privileges in schema ${schema} grant select, insert, update, delete on tables to ${role};`,
        ];
  return [
    `grant usage on schema engine to ${role};`,
    // Row-level security shows it the rows of its own engine alone.
    `grant select, insert, update, delete on engine.results to ${role};`,
    `grant select on engine.migrations to ${role};`,
    ...own,
  ];
}
