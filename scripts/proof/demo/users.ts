/** The demo's users: the tools', the publisher's and each engine's, with exactly the rights that `make rights` prints. */
import { randomBytes } from "node:crypto";
import { engineUser } from "@tl-engine/shared/wire/names";
import {
  applyToBroker,
  applyToPostgres,
  applyToRedis,
  urlAs,
} from "../../kubernetes/rights/apply.ts";
import {
  type PrintOptions,
  printEngine,
  printPublisher,
  printTools,
} from "../../kubernetes/rights/print.ts";
import { workerFolders } from "../../workers.ts";
import type { ServiceUrls } from "./run.ts";

/** Who publishes the jobs, hears of them, and asks for the flow: as tl-plane does. */
export const publisherOf = (runId: string) => `plane-${runId}`;

export interface DemoUsers {
  /** Whether each has its own; otherwise all are the one that the URLs name. */
  areOwn: boolean;
  /** AMQP_URL of who declares the topology. */
  toolsUrl: string;
  /** AMQP_URL of who publishes. */
  publisherUrl: string;
  /** The variables in which an engine's workers differ from the others'. */
  envOf(engine: string): NodeJS.ProcessEnv;
}

export const oneForAll = ({ AMQP_URL }: ServiceUrls): DemoUsers => ({
  ...{ areOwn: false, toolsUrl: AMQP_URL, publisherUrl: AMQP_URL },
  envOf: () => ({}),
});

export interface UsersOptions {
  /** Of servers that are the demo's own: roles are those of a whole Postgres. */
  urls: ServiceUrls;
  /** ENGINE_PREFIX */
  prefix: string;
  runId: string;
}

/** Makes them. `prepare` makes the topology and the tables, which come after the first and before the others. */
export async function makeUsers(
  { urls, prefix, runId }: UsersOptions,
  prepare: (toolsUrl: string) => Promise<void>,
): Promise<DemoUsers> {
  const publisher = publisherOf(runId);
  const password = randomBytes(12).toString("hex");
  const options: PrintOptions = { prefix, replyExchange: "", toolsUser: `${prefix}-tools` };
  const broker = { amqpUrl: urls.AMQP_URL, managementUrl: urls.RABBITMQ_MANAGEMENT_URL };
  const as = (url: string, user: string) => urlAs(url, user, password);

  await applyToBroker(printTools(options), broker, password);
  const toolsUrl = as(urls.AMQP_URL, options.toolsUser);
  await prepare(toolsUrl);
  const engines = await workerFolders();
  const texts = await Promise.all([
    printPublisher(publisher, options),
    ...engines.map((engine) => printEngine(engine, options)),
  ]);
  // One after the other: in part they are about the same objects of Postgres.
  for (const text of texts) {
    await applyToBroker(text, broker, password);
    await applyToPostgres(text, urls.DATABASE_URL, password);
    await applyToRedis(text, urls.REDIS_URL, password);
  }
  const envOf = (engine: string) => ({
    AMQP_URL: as(urls.AMQP_URL, engineUser(prefix, engine)),
    DATABASE_URL: as(urls.DATABASE_URL, `engine_${engine.replaceAll("-", "_")}`),
    REDIS_URL: as(urls.REDIS_URL, engineUser(prefix, engine)),
    // Its user may not ask the management API.
    RABBITMQ_MANAGEMENT_URL: "",
    PUBLISHER_REQUIRED: "1",
    REPLY_TO_ALLOW: `${publisher}=${publisher}.replies,${publisher}=${publisher}.replies.*`,
    TOOLS_USER: options.toolsUser,
  });
  return { areOwn: true, toolsUrl, publisherUrl: as(urls.AMQP_URL, publisher), envOf };
}
