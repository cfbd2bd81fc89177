/** The least that one publisher may do: send jobs, hear of them, and read what became of its own. */
import { brokerNames } from "@tl-engine/shared/wire/names";
import { redisPublisherRules } from "./redis-rules.ts";
import { type BrokerRights, escaped, NOTHING, type Rights } from "./statements.ts";

/** Its callers' connections, two each (`@tl-engine/client`), and a few by hand. */
const CONNECTIONS = 20;

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;
const identifier = (text: string) => `"${text.replaceAll('"', '""')}"`;

/** Without a dot, or whose name is the part before it would reach its queues; Postgres' names hold 63 bytes. */
export const isPublisherName = (name: string, prefix: string, toolsUser: string) =>
  /^[A-Za-z0-9][A-Za-z0-9_-]{0,49}$/.test(name) && name !== prefix && name !== toolsUser;

export interface PublisherOptions {
  /** Of the publisher, which is its user's in the broker. */
  name: string;
  prefix: string;
  /** Those whose jobs it publishes. */
  engines: readonly string[];
  /**
   * `REPLY_EXCHANGE`; "" is the default exchange. To the other one RabbitMQ lets it bind queues under its own names
   * alone. LavinMQ checks no names: there it is for publishers who may hear each other's replies.
   */
  replyExchange: string;
}

export function publisherRights(options: PublisherOptions): Rights {
  const { name, prefix, engines, replyExchange } = options;
  // As it is, or two names could come to one role, and each would be shown the other's rows.
  const role = `publisher_${name}`;
  return {
    broker: brokerRights(name, prefix, replyExchange),
    postgres: { role, statements: statementsFor(role, name) },
    redis: { user: name, rules: redisPublisherRules(prefix, name, engines) },
  };
}

/** Its own queues begin with its name, so that nobody else takes its replies: its clients' appId does, too. */
function brokerRights(name: string, prefix: string, replyExchange: string): BrokerRights {
  const names = brokerNames(prefix);
  // Those that the broker names are of one connection: events without a queue of their own.
  const replies = replyExchange === "" ? [] : [replyExchange];
  const own = `${escaped(name)}\\..*|amq\\.gen.*`;
  return {
    user: name,
    configure: `^(${own})$`,
    // To bind a queue takes the right to write to it, and to read the exchange.
    write: `^(${[names.jobs, names.later].map(escaped).join("|")}|${own})$`,
    read: `^(${[names.events, ...replies].map(escaped).join("|")}|${own})$`,
    topics: replies.map((exchange) => ({
      exchange,
      write: NOTHING,
      read: `^${escaped(name)}\\..*$`,
    })),
  };
}

function statementsFor(role: string, name: string): string[] {
  const quoted = identifier(role);
  return [
    `alter role ${quoted} connection limit ${CONNECTIONS};`,
    `grant usage on schema engine to ${quoted};`,
    `grant select (engine, job_id, generation, status, code, attempt, type, reply, publisher, app_id, started_at, finished_at) on engine.results to ${quoted};`,
    `drop policy if exists ${quoted} on engine.results;`,
    `create policy ${quoted} on engine.results for select to ${quoted} using (publisher = ${literal(name)});`,
  ];
}
