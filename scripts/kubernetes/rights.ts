/**
 * `make rights NAME=activities`: the commands that make an engine's users, with no right that it does not need;
 * `NAME=tools`: those of who declares the topology; `NAME=tl-plane ROLE=publisher`: those of who publishes jobs. No
 * password stands in any of them.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { readEnvironment } from "../operate/environment.ts";
import { loadWorkers, WORKERS, workerFolders } from "../workers.ts";
import { brokerCommands, postgresCommands, redisCommands } from "./rights/commands.ts";
import { limitStatements } from "./rights/postgres.ts";
import { isPublisherName, publisherRights } from "./rights/publisher.ts";
import { readMaxReplicas } from "./rights/read-max-replicas.ts";
import { eventTypesOf, rightsOf, toolsRights } from "./rights/statements.ts";

const { ENGINE_PREFIX: prefix, REPLY_EXCHANGE: replyExchange } = readEnvironment({
  ENGINE_PREFIX: true,
  REPLY_EXCHANGE: true,
});
const { NAME: engine = "", ROLE: kind = "engine" } = process.env;

async function printPublisher(name: string): Promise<void> {
  if (!isPublisherName(name, prefix)) {
    console.error(
      `NAME=${name} can be no publisher: 1 to 50 of A-Z a-z 0-9 _ -, and no user of the runtime.`,
    );
    process.exit(2);
  }
  const engines = await workerFolders();
  const { broker, postgres, redis } = publisherRights({ name, prefix, engines, replyExchange });
  console.log(`${brokerCommands(broker)}

${postgresCommands(`"${postgres.role}"`, postgres.statements)}

${redisCommands(redis)}

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
  await printPublisher(engine);
  process.exit();
}
const workers = await loadWorkers();
const worker = workers.find(({ definition }) => definition.name === engine);
if (worker === undefined) {
  const engines = workers.map(({ definition }) => definition.name).join(", ");
  console.error(`NAME=${engine} is neither tools nor an engine: ${engines}.`);
  process.exit(2);
}
const maxReplicas = readMaxReplicas(engine);
if (maxReplicas === undefined) {
  console.error(
    `keda/ has no good ScaledObject of ${engine}, which the limit of its connections follows from: see make lint-manifests.`,
  );
  process.exit(2);
}
const schema = existsSync(join(WORKERS, engine, "migrations"))
  ? `engine_${engine.replaceAll("-", "_")}`
  : undefined;
const { definition } = worker;
const emits = eventTypesOf(definition.actions);
const { broker, postgres, redis } = rightsOf({ engine, prefix, replyExchange, emits, schema });
const limits = limitStatements(postgres.role, { definition, maxReplicas });
console.log(`${brokerCommands(broker)}

${postgresCommands(postgres.role, [...postgres.statements, ...limits])}

${redisCommands(redis)}
`);
console.log(
  `rights: engine=${engine} role=${postgres.role} user=${broker.user} replies=${replyExchange || "default-exchange"}`,
);
