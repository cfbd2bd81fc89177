/**
 * `make rights NAME=activities`: the commands that make an engine's users, with no right that it does not need;
 * `NAME=tools`: those of who declares the topology; `NAME=tl-plane ROLE=publisher`: those of who publishes jobs.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { readEnvironment } from "./environment.ts";
import { isPublisherName, publisherRights } from "./rights/publisher.ts";
import { type BrokerRights, rightsOf, toolsRights } from "./rights/statements.ts";
import { WORKERS, workerFolders } from "./workers.ts";

const { ENGINE_PREFIX: prefix } = readEnvironment({ ENGINE_PREFIX: true });
const { NAME: engine = "", ROLE: kind = "engine" } = process.env;

const brokerCommands = ({ user, configure, write, read }: BrokerRights) =>
  `# RabbitMQ (in LavinMQ: lavinmqctl). The vhost is /engine unless AMQP_URL says otherwise.
rabbitmqctl add_user ${user} "$PASSWORD"
rabbitmqctl set_permissions -p /engine ${user} '${configure}' '${write}' '${read}'`;

function printPublisher(name: string): void {
  if (!isPublisherName(name, prefix)) {
    console.error(
      `NAME=${name} can be no publisher: 1 to 50 of A-Z a-z 0-9 _ -, and no user of the runtime.`,
    );
    process.exit(2);
  }
  const { broker, postgres, redis } = publisherRights({ name, prefix });
  console.log(`${brokerCommands(broker)}

-- Postgres, as the owner of enginedb, after make migrate; psql's \\password asks for it and sends a hash.
create role "${postgres.role}" login;
\\password "${postgres.role}"
${postgres.statements.join("\n")}

# Redis
ACL SETUSER ${redis.user} ${redis.rules.join(" ")} >$PASSWORD

# The engines' environment: its replies may go to its own queues alone.
REPLY_TO_ALLOW=…,${name}=${name}.replies,${name}=${name}.replies.*
# Its clients: connect({ appId: "${name}" }), and replyQueue and events' queues that begin with "${name}.".
`);
  console.log(`rights: publisher=${name} role=${postgres.role} user=${broker.user}`);
}

if (engine === "tools") {
  const tools = toolsRights(prefix);
  console.log(`${brokerCommands(tools)}

# Postgres: the owner of enginedb, on the direct server. Redis: none.
`);
  console.log(`rights: user=${tools.user}`);
  process.exit();
}
if (kind === "publisher") {
  printPublisher(engine);
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
const { broker, postgres, redis } = rightsOf({ engine, prefix, schema });
console.log(`${brokerCommands(broker)}

-- Postgres, as the owner of enginedb, after make migrate.
create role ${postgres.role} login password :'password';
${postgres.statements.join("\n")}

# Redis
ACL SETUSER ${redis.user} ${redis.rules.join(" ")} >$PASSWORD
`);
console.log(`rights: engine=${engine} role=${postgres.role} user=${broker.user}`);
