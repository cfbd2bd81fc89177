/** The three services, with the fleet's queues and tables in them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { provideServices, type Services, type Source } from "../../../shared/services/index.ts";
import { startReaper } from "../../../shared/services/reaper.ts";
import { type FleetToRemove, removeAtEnd } from "../../../shared/services/remove-fleet.ts";
import { workerFolders } from "../../workers.ts";
import { observedQueues } from "./observe.ts";
import type { Plan } from "./plan.ts";
import type { ServiceUrls } from "./run.ts";
import { type DemoUsers, makeUsers, oneForAll } from "./users.ts";

export interface DemoServices extends AsyncDisposable {
  urls: ServiceUrls;
  users: DemoUsers;
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

export interface SetUpOptions {
  repository: string;
  /** ENGINE_PREFIX: the demo's own, under which everything is removed in the end. */
  prefix: string;
  /** Leaves it all the same. */
  keep: boolean;
  /**
   * Whether every process gets a user of its own, with its printed rights: on servers of the demo's own, which it
   * then starts. Undefined: where they are its own anyway.
   */
  rights: boolean | undefined;
  plan: Pick<Plan, "runId" | "workspaceId">;
  signal: AbortSignal;
  say(text: string): void;
}

/** Takes the services that are there or starts its own, which end with it; then declares and migrates. */
export async function prepareServices(options: SetUpOptions): Promise<DemoServices> {
  const { repository, prefix, keep, rights, plan, signal, say } = options;
  const services = await provideServices(rights ? { sources: OWN } : {});
  let removeOwn = async () => {};
  const end = async () => {
    try {
      await removeOwn();
    } catch (error) {
      say(`warning: ${(error as Error).message}`);
    } finally {
      await services.stop();
    }
  };
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
    const isShared = areShared(services);
    const hasUsers = rights ?? !isShared;
    const as = hasUsers ? ", each process under its printed rights" : "";
    say(`services: ${from.join(", ")}; queues, rows and keys under ${prefix}${as}`);
    if (isShared && !keep) removeOwn = await removeWhenDone(urls, options);
    const prepare = async (AMQP_URL: string) => {
      const env = { ...process.env, ...urls, AMQP_URL, ENGINE_PREFIX: prefix };
      for (const script of ["scripts/operate/topology.ts", "scripts/operate/migrate.ts"])
        await runScript(script, { cwd: repository, env, signal });
    };
    const made = { urls, prefix, runId: plan.runId };
    const users = hasUsers ? await makeUsers(made, prepare) : oneForAll(urls);
    if (!hasUsers) await prepare(urls.AMQP_URL);
    const figuresAgeS = services.sources.rabbitmq === "native" ? OWN_FIGURES_AGE_S : FIGURES_AGE_S;
    return { urls, users, figuresAgeS, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** Servers from there end with the demo, with all that is in them. */
const OWN: readonly Source[] = ["docker", "native"];
const areShared = ({ sources }: Services) =>
  Object.values(sources).some((source) => !OWN.includes(source));

async function removeWhenDone(
  urls: ServiceUrls,
  { prefix, plan }: SetUpOptions,
): Promise<() => Promise<void>> {
  const fleet: FleetToRemove = {
    urls,
    prefix,
    engines: await workerFolders(),
    queues: Object.values(observedQueues(plan.runId)),
    jobIds: `demo.${plan.runId}.`,
    workspaces: [plan.workspaceId],
  };
  return removeAtEnd(fleet, startReaper({ ...process.env, ...urls }));
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
