/**
 * `make rights NAME=activities`: the commands that make an engine's users, with no right that it does not need;
 * `NAME=tools`: those of who declares the topology.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readEnvironment } from "./environment.ts";
import { type BrokerRights, eventTypesOf, rightsOf, toolsRights } from "./rights/statements.ts";
import { loadWorkers, WORKERS, workerFolders } from "./workers.ts";

const { ENGINE_PREFIX: prefix, REPLY_EXCHANGE: replyExchange } = readEnvironment({
  ENGINE_PREFIX: true,
  REPLY_EXCHANGE: true,
});
const { NAME: engine = "" } = process.env;

const brokerCommands = ({ user, configure, write, read, topic }: BrokerRights) =>
  `# RabbitMQ (in LavinMQ: lavinmqctl). The vhost is /engine unless AMQP_URL says otherwise.
rabbitmqctl add_user ${user} "$PASSWORD"
rabbitmqctl set_permissions -p /engine ${user} '${configure}' '${write}' '${read}'${
    topic === undefined
      ? ""
      : `
# The events that the engine declares; LavinMQ has no such right, so leave the line out there.
rabbitmqctl set_topic_permissions -p /engine ${user} ${topic.exchange} '${topic.write}' '${topic.read}'`
  }`;

if (engine === "tools") {
  const tools = toolsRights(prefix);
  console.log(`${brokerCommands(tools)}

# Postgres: the owner of enginedb, on the direct server. Redis: none.
`);
  console.log(`rights: user=${tools.user}`);
  process.exit();
}
const engines = await workerFolders();
if (!engines.includes(engine)) {
  console.error(`NAME=${engine} is neither tools nor an engine: ${engines.join(", ")}.`);
  process.exit(2);
}
const schema = existsSync(join(WORKERS, engine, "migrations"))
  ? `engine_${engine.replaceAll("-", "_")}`
  : undefined;
const { definition } =
  (await loadWorkers()).find(({ definition: { name } }) => name === engine) ?? {};
const emits = eventTypesOf(definition?.actions ?? {});
const { broker, postgres, redis } = rightsOf({ engine, prefix, replyExchange, emits, schema });
console.log(`${brokerCommands(broker)}

-- Postgres, as the owner of enginedb, after make migrate.
create role ${postgres.role} login password :'password';
${postgres.statements.join("\n")}

# Redis
ACL SETUSER ${redis.user} ${redis.rules.join(" ")} >$PASSWORD
`);
console.log(
  `rights: engine=${engine} role=${postgres.role} user=${broker.user} replies=${replyExchange || "default-exchange"}`,
);
