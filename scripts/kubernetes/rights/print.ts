/** What `make rights` prints: all that makes the users of an engine, of the tools, or of a publisher. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { loadWorkers, WORKERS, workerFolders } from "../../workers.ts";
import { bucketCommands } from "./bucket.ts";
import { brokerCommands, postgresCommands, redisCommands } from "./commands.ts";
import { limitStatements } from "./postgres.ts";
import { isPublisherName, publisherRights } from "./publisher.ts";
import { readMaxReplicas } from "./read-max-replicas.ts";
import { eventTypesOf, rightsOf, toolsRights } from "./statements.ts";

export interface PrintOptions {
  /** ENGINE_PREFIX */
  prefix: string;
  /** REPLY_EXCHANGE; "" is the default exchange. */
  replyExchange: string;
  /** TOOLS_USER */
  toolsUser: string;
}

/** There are no rights of who was asked for; the message says what to ask for. */
export class NoSuchUser extends Error {
  override readonly name = "NoSuchUser";
}

export function printTools({ prefix, toolsUser }: PrintOptions): string {
  return `${brokerCommands(toolsRights(prefix, toolsUser))}

# Postgres: the owner of enginedb, on the direct server. Redis: none.

rights: user=${toolsUser}`;
}

/** @throws {NoSuchUser} */
export async function printPublisher(name: string, options: PrintOptions): Promise<string> {
  const { prefix, replyExchange, toolsUser } = options;
  if (!isPublisherName(name, prefix, toolsUser))
    throw new NoSuchUser(
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

/** @throws {NoSuchUser} */
export async function printEngine(engine: string, options: PrintOptions): Promise<string> {
  const { prefix, replyExchange } = options;
  const workers = await loadWorkers();
  const worker = workers.find(({ definition }) => definition.name === engine);
  if (worker === undefined) {
    const engines = workers.map(({ definition }) => definition.name).join(", ");
    throw new NoSuchUser(`NAME=${engine} is neither tools nor an engine: ${engines}.`);
  }
  const maxReplicas = readMaxReplicas(engine);
  if (maxReplicas === undefined)
    throw new NoSuchUser(
      `keda/ has no good ScaledObject of ${engine}, which the limit of its connections follows from: see make lint-manifests.`,
    );
  const schema = existsSync(join(WORKERS, engine, "migrations"))
    ? `engine_${engine.replaceAll("-", "_")}`
    : undefined;
  const { definition } = worker;
  const emits = eventTypesOf(definition.actions);
  const handlersUseRedis = definition.redis ?? false;
  const keepsFiles = Boolean(definition.files);
  const rights = rightsOf({
    ...{ engine, prefix, replyExchange, emits, schema, handlersUseRedis, keepsFiles },
  });
  const { broker, postgres, redis } = rights;
  const limits = limitStatements(postgres.role, { definition, maxReplicas });
  return `${brokerCommands(broker)}

${postgresCommands(postgres.role, [...postgres.statements, ...limits])}

${redisCommands(redis)}
${keepsFiles ? `\n${bucketCommands(prefix, engine)}\n` : ""}
rights: engine=${engine} role=${postgres.role} user=${broker.user} replies=${replyExchange || "default-exchange"}`;
}
