/** The three services, with the fleet's queues and tables in them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { provideServices } from "../../shared/services/index.ts";
import type { ServiceUrls } from "./run.ts";

export interface DemoServices extends AsyncDisposable {
  urls: ServiceUrls;
  /** How old the figures of the management API can be: KEDA's clocks must not run faster than that lets them. */
  figuresAgeS: number;
}

/** Our own broker's, as it is configured, and RabbitMQ's by default (5 s of the queue, and the API's sample). */
const OWN_FIGURES_AGE_S = 1.5;
const FIGURES_AGE_S = 8;

/** The queues or the tables could not be made; the message holds what the script said. */
export class SetUpFailed extends Error {
  override readonly name = "SetUpFailed";
}

/** Takes the services that are there or starts its own, which end with it; then declares and migrates. */
export async function prepareServices(
  repository: string,
  prefix: string,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<DemoServices> {
  const services = await provideServices();
  try {
    signal.throwIfAborted();
    if (!services.managementUrl)
      throw new SetUpFailed(
        "RABBITMQ_MANAGEMENT_URL is missing beside AMQP_URL: the fleet is scaled as KEDA does it, by the management API",
      );
    const urls: ServiceUrls = {
      AMQP_URL: services.amqpUrl,
      DATABASE_URL: services.databaseUrl,
      REDIS_URL: services.redisUrl,
      RABBITMQ_MANAGEMENT_URL: services.managementUrl,
    };
    const from = Object.entries(services.sources).map(([name, source]) => `${name} (${source})`);
    say(`services: ${from.join(", ")}`);
    const env = { ...process.env, ...urls, ENGINE_PREFIX: prefix };
    for (const script of ["scripts/topology.ts", "scripts/migrate.ts"])
      await runScript(script, { cwd: repository, env, signal });
    const figuresAgeS = services.sources.rabbitmq === "native" ? OWN_FIGURES_AGE_S : FIGURES_AGE_S;
    return { urls, figuresAgeS, [Symbol.asyncDispose]: () => services.stop() };
  } catch (error) {
    await services.stop();
    throw error;
  }
}

interface ScriptOptions {
  cwd: string;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
}

/** Runs a script of the repository; its output is shown only when it fails. */
async function runScript(script: string, options: ScriptOptions): Promise<void> {
  const child = spawn(process.execPath, [script], {
    ...options,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => output.push(chunk));
  const [code] = await once(child, "close");
  if (code !== 0) throw new SetUpFailed(`${script} ended with ${code}:\n${Buffer.concat(output)}`);
}
