/**
 * `make rights NAME=activities`: the commands that make an engine's users, with no right that it does not need;
 * `NAME=tools`: those of who declares the topology; `NAME=tl-plane ROLE=publisher`: those of who publishes jobs. No
 * password stands in any of them.
 */

import "../show/closed-pipe.ts";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readEnvironment } from "../operate/environment.ts";
import { printable } from "../show/terminal/printable.ts";
import { loadWorkers, WORKERS, workerFolders } from "../workers.ts";
import { brokerCommands, postgresCommands, redisCommands } from "./rights/commands.ts";
import { limitStatements } from "./rights/postgres.ts";
import { isPublisherName, publisherRights } from "./rights/publisher.ts";
import { readMaxReplicas } from "./rights/read-max-replicas.ts";
import { eventTypesOf, rightsOf, toolsRights } from "./rights/statements.ts";

/** What the rights follow from beside the definitions. */
interface Fleet {
  prefix: string;
  replyExchange: string;
  toolsUser: string;
}

/** What was asked for has no rights to print; the message says why. */
class NoRights extends Error {
  override readonly name = "NoRights";
}

function textOfTools({ prefix, toolsUser }: Fleet): string {
  return `${brokerCommands(toolsRights(prefix, toolsUser))}

# Postgres: the owner of enginedb, on the direct server. Redis: none.

rights: user=${toolsUser}`;
}

async function textOfPublisher(name: string, fleet: Fleet): Promise<string> {
  const { prefix, replyExchange, toolsUser } = fleet;
  if (!isPublisherName(name, prefix, toolsUser))
    throw new NoRights(
      `NAME=${name} can be no publisher: 1 to 50 of A-Z a-z 0-9 _ -, and no user of the runtime.`,
    );
  const engines = await workerFolders();
  const { broker, postgres, redis } = publisherRights({ name, prefix, engines, replyExchange });
  return `${brokerCommands(broker)}

${postgresCommands(`"${postgres.role}"`, postgres.statements)}

${redisCommands(redis)}

# The engines' environment: its replies may go to its own queues alone.
REPLY_TO_ALLOW=…,${name}=${name}.replies,${name}=${name}.replies.*
# Its clients: connect({ appId: "${name}" }), and replyQueue and events' queues that begin with "${name}.".

rights: publisher=${name} role=${postgres.role} user=${broker.user}`;
}

async function textOfEngine(engine: string, { prefix, replyExchange }: Fleet): Promise<string> {
  const workers = await loadWorkers();
  const worker = workers.find(({ definition }) => definition.name === engine);
  if (worker === undefined) {
    const engines = workers.map(({ definition }) => definition.name).join(", ");
    throw new NoRights(`NAME=${engine} is neither tools nor an engine: ${engines}.`);
  }
  const maxReplicas = readMaxReplicas(engine);
  if (maxReplicas === undefined)
    throw new NoRights(
      `keda/ has no good ScaledObject of ${engine}, which the limit of its connections follows from: see make lint-manifests.`,
    );
  const schema = existsSync(join(WORKERS, engine, "migrations"))
    ? `engine_${engine.replaceAll("-", "_")}`
    : undefined;
  const { definition } = worker;
  const emits = eventTypesOf(definition.actions);
  const { broker, postgres, redis } = rightsOf({ engine, prefix, replyExchange, emits, schema });
  const limits = limitStatements(postgres.role, { definition, maxReplicas });
  return `${brokerCommands(broker)}

${postgresCommands(postgres.role, [...postgres.statements, ...limits])}

${redisCommands(redis)}

rights: engine=${engine} role=${postgres.role} user=${broker.user} replies=${replyExchange || "default-exchange"}`;
}

/** @param role `publisher`; else NAME is an engine's, or `tools`. */
function textOf(name: string, role: string, fleet: Fleet): string | Promise<string> {
  if (name === "tools") return textOfTools(fleet);
  return role === "publisher" ? textOfPublisher(name, fleet) : textOfEngine(name, fleet);
}

const {
  ENGINE_PREFIX: prefix,
  REPLY_EXCHANGE: replyExchange,
  TOOLS_USER: toolsUser,
} = readEnvironment({ ENGINE_PREFIX: true, REPLY_EXCHANGE: true, TOOLS_USER: true });
const { NAME = "", ROLE = "" } = process.env;
try {
  console.log(await textOf(NAME, ROLE, { prefix, replyExchange, toolsUser }));
} catch (error) {
  if (!(error instanceof NoRights)) throw error;
  console.error(printable(error.message));
  process.exitCode = 2;
}
