/** A fleet as it is deployed: declared by the tools' user, and every engine under its three users at once, exactly as `make rights` prints them. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { ask } from "@tl-engine/shared/broker/management";
import { openTestFleet, type TestFleet } from "../../../../shared/testing/fleet.ts";
import { type OwnServers, openOwnServers } from "../../../../shared/testing/own-servers.ts";
import { REPOSITORY } from "../../../repository.ts";
import { type FoundWorker, loadWorkers } from "../../../workers.ts";
import { applyToBroker, applyToRedis, urlAs } from "../apply.ts";
import { applyWithPsql, printedRights } from "./printed-rights.ts";

/** Only its management API makes users. */
export const hasBrokerUsers = process.env.RABBITMQ_MANAGEMENT_URL !== undefined;

export interface Urls {
  AMQP_URL: string;
  DATABASE_URL: string;
  REDIS_URL: string;
}

export interface RightsFleet {
  fleet: TestFleet;
  workers: FoundWorker[];
  /** Of all users. */
  password: string;
  /** REPLY_EXCHANGE; "" is the default exchange. */
  replyExchange: string;
  /** What `make rights NAME=…` prints. */
  printed(engine: string): string;
  /** Applies printed rights, for instance edited ones. Postgres keeps what it has granted before. */
  applyTo: Record<"broker" | "postgres" | "redis", (printed: string) => Promise<void>>;
  /** The addresses as an engine's users. */
  urlsOf(engine: string): Urls;
  /** The variables of its worker. */
  envOf(engine: string): Record<string, string>;
  poolerUrlOf(engine: string): Promise<string>;
  close(): Promise<void>;
}

/** @param replyExchange from the prefix. */
export async function openRightsFleet(
  replyExchangeOf: (prefix: string) => string,
): Promise<RightsFleet> {
  const servers = openOwnServers();
  try {
    return await openOn(servers, replyExchangeOf);
  } catch (error) {
    await servers.end();
    throw error;
  }
}

/** Roles are those of a whole Postgres, so not of one that other tests use; and a Redis of its own is quickly there. */
async function openOn(
  servers: OwnServers,
  replyExchangeOf: (prefix: string) => string,
): Promise<RightsFleet> {
  const [postgres, redis] = await Promise.all([servers.postgres(), servers.redis()]);
  Object.assign(process.env, postgres.urls, redis.urls);
  const workers = await loadWorkers();
  const definitions = workers.map(({ definition }) => definition);
  const password = randomBytes(12).toString("hex");
  const broker = {
    amqpUrl: String(process.env.AMQP_URL),
    managementUrl: String(process.env.RABBITMQ_MANAGEMENT_URL),
  };
  let options = { ENGINE_PREFIX: "", REPLY_EXCHANGE: "", TOOLS_USER: "" };

  const fleet = await openTestFleet(
    definitions,
    workers.map(({ folder }) => folder),
    () => ({ replyExchange: options.REPLY_EXCHANGE }),
    async ({ ENGINE_PREFIX = "", ...env }) => {
      const REPLY_EXCHANGE = replyExchangeOf(ENGINE_PREFIX);
      options = { ENGINE_PREFIX, REPLY_EXCHANGE, TOOLS_USER: `${ENGINE_PREFIX}-tools` };
      await applyToBroker(await printedRights("tools", options), broker, password);
      const AMQP_URL = urlAs(broker.amqpUrl, options.TOOLS_USER, password);
      await setUp({ ...env, ...options, AMQP_URL, RABBITMQ_MANAGEMENT_URL: "" });
    },
  );
  const { config } = fleet;
  if (options.REPLY_EXCHANGE !== "")
    await fleet.channel.bindQueue(fleet.replyTo, options.REPLY_EXCHANGE, fleet.replyTo);
  const applyTo: RightsFleet["applyTo"] = {
    broker: (printed) => applyToBroker(printed, broker, password),
    postgres: (printed) => applyWithPsql(printed, config.DATABASE_URL, password),
    redis: (printed) => applyToRedis(printed, config.REDIS_URL, password),
  };
  const texts = new Map<string, string>();
  for (const { name } of definitions) {
    const printed = await printedRights(name, options);
    texts.set(name, printed);
    for (const apply of Object.values(applyTo)) await apply(printed);
  }

  const userOf = (engine: string) => `${config.ENGINE_PREFIX}.${engine}`;
  const urlsOf = (engine: string): Urls => ({
    AMQP_URL: urlAs(config.AMQP_URL, userOf(engine), password),
    DATABASE_URL: urlAs(config.DATABASE_URL, `engine_${engine.replaceAll("-", "_")}`, password),
    REDIS_URL: urlAs(config.REDIS_URL, userOf(engine), password),
  });
  return {
    ...{ fleet, workers, password, replyExchange: options.REPLY_EXCHANGE, applyTo, urlsOf },
    printed: (engine) => String(texts.get(engine)),
    envOf: (engine) => ({
      ...urlsOf(engine),
      REPLY_EXCHANGE: options.REPLY_EXCHANGE,
      TOOLS_USER: options.TOOLS_USER,
      PUBLISHER_REQUIRED: "1",
      // Its user may not ask the management API.
      RABBITMQ_MANAGEMENT_URL: "",
    }),
    poolerUrlOf: async (engine) =>
      String((await servers.pgbouncer(urlsOf(engine).DATABASE_URL)).urls.POOLER_URL),
    async close() {
      await fleet.close();
      for (const user of [options.TOOLS_USER, ...definitions.map(({ name }) => userOf(name))])
        await ask(broker.managementUrl, "DELETE", ["users", user]);
      await servers.end();
    },
  };
}

/** What the Job of a deployment does before any worker: the owner makes the tables, the tools' user the queues. */
async function setUp(env: NodeJS.ProcessEnv): Promise<void> {
  const run = promisify(execFile);
  for (const script of ["migrate", "topology"])
    await run(process.execPath, [`scripts/operate/${script}.ts`], {
      cwd: REPOSITORY,
      env: { ...process.env, ...env },
    });
}
