/**
 * `make rights NAME=activities`: the commands that make an engine's users, with no right that it does not need;
 * `NAME=tools`: those of who declares the topology. No password stands in any of them.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readEnvironment } from "./environment.ts";
import { brokerCommands, postgresCommands, redisCommands } from "./rights/commands.ts";
import { limitStatements } from "./rights/postgres.ts";
import { readMaxReplicas } from "./rights/read-max-replicas.ts";
import { eventTypesOf, rightsOf, toolsRights } from "./rights/statements.ts";
import { loadWorkers, WORKERS } from "./workers.ts";

const { ENGINE_PREFIX: prefix, REPLY_EXCHANGE: replyExchange } = readEnvironment({
  ENGINE_PREFIX: true,
  REPLY_EXCHANGE: true,
});
const { NAME: engine = "" } = process.env;

if (engine === "tools") {
  const tools = toolsRights(prefix);
  console.log(`${brokerCommands(tools)}

# Postgres: the owner of enginedb, on the direct server. Redis: none.
`);
  console.log(`rights: user=${tools.user}`);
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
