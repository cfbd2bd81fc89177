/** The services in Docker: from compose.yaml, or as testcontainers for a test run. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { connectToPostgres } from "./postgres.ts";
import { connectToRabbitMq } from "./rabbitmq.ts";
import { freePorts, untilReady } from "./ready.ts";
import type { Reaper } from "./reaper.ts";
import { connectToRedis } from "./redis.ts";
import type { ServiceName, ServiceUrls } from "./urls.ts";

const run = promisify(execFile);

export type ContainerName = Exclude<ServiceName, "pgbouncer" | "s3">;

/** The ports inside of the containers. */
const PORTS = { amqp: 5672, management: 15672, postgres: 5432, redis: 6379 } as const;
type Ports = Partial<Record<keyof typeof PORTS, number>>;

const COMPOSE_FILE = join(import.meta.dirname, "../../compose.yaml");

/** Whether a Docker daemon answers, and for compose, whether its plugin is there. At most 3 s. */
export async function dockerAnswers(how: "compose" | "testcontainers"): Promise<boolean> {
  const options = { timeout: 3_000, killSignal: "SIGKILL" as const };
  try {
    await run("docker", ["version", "--format", "{{.Server.Version}}"], options);
    if (how === "compose") await run("docker", ["compose", "version"], options);
    return true;
  } catch {
    return false;
  }
}

function urlsOf(host: string, ports: Ports): Partial<ServiceUrls> {
  return {
    ...(ports.amqp && { AMQP_URL: `amqp://guest:guest@${host}:${ports.amqp}/%2Fengine` }),
    ...(ports.management && {
      RABBITMQ_MANAGEMENT_URL: `http://guest:guest@${host}:${ports.management}`,
    }),
    ...(ports.postgres && { DATABASE_URL: `postgres://engine@${host}:${ports.postgres}/enginedb` }),
    ...(ports.redis && { REDIS_URL: `redis://${host}:${ports.redis}/0` }),
  };
}

/** A health check inside of a container says little about the way to it, so connect. */
async function untilReachable(urls: Partial<ServiceUrls>): Promise<Partial<ServiceUrls>> {
  const { AMQP_URL, RABBITMQ_MANAGEMENT_URL, DATABASE_URL, REDIS_URL } = urls;
  await Promise.all([
    AMQP_URL &&
      RABBITMQ_MANAGEMENT_URL &&
      untilReady("RabbitMQ", () => connectToRabbitMq(AMQP_URL, RABBITMQ_MANAGEMENT_URL)),
    DATABASE_URL && untilReady("Postgres", () => connectToPostgres(DATABASE_URL)),
    REDIS_URL && untilReady("Redis", () => connectToRedis(REDIS_URL)),
  ]);
  return urls;
}

const compose = (project: string, args: string[], env: NodeJS.ProcessEnv = {}) =>
  run("docker", ["compose", "--project-name", project, "--file", COMPOSE_FILE, ...args], {
    env: { ...process.env, ...env },
    maxBuffer: 64 << 20,
  });

/** Starts services of compose.yaml as a project of its own, on free ports of 127.0.0.1. */
export async function composeUp(
  project: string,
  names: ContainerName[],
  reaper?: Reaper,
): Promise<Partial<ServiceUrls>> {
  const [amqp, management, postgres, redis] = await freePorts(4);
  const file = `'${COMPOSE_FILE.replaceAll("'", "'\\''")}'`;
  reaper?.runAtEnd(
    `docker compose --project-name ${project} --file ${file} down --volumes >/dev/null 2>&1`,
  );
  await compose(project, ["up", "--detach", "--wait", "--quiet-pull", ...names], {
    AMQP_PORT: String(amqp),
    MANAGEMENT_PORT: String(management),
    POSTGRES_PORT: String(postgres),
    REDIS_PORT: String(redis),
  });
  const ports: Ports = {
    ...(names.includes("rabbitmq") && { amqp, management }),
    ...(names.includes("postgres") && { postgres }),
    ...(names.includes("redis") && { redis }),
  };
  return untilReachable(urlsOf("127.0.0.1", ports));
}

export async function composeDown(project: string): Promise<void> {
  await compose(project, ["down", "--volumes"]);
}

/** How many containers of the project run. */
export async function composeRunning(project: string): Promise<number> {
  const { stdout } = await compose(project, ["ps", "--quiet", "--status", "running"]);
  return stdout.split("\n").filter(Boolean).length;
}

/** Starts containers that testcontainers' own reaper removes when this process ends. */
export async function startContainers(
  names: ContainerName[],
): Promise<{ urls: Partial<ServiceUrls>; stop(): Promise<void> }> {
  const { GenericContainer, Wait } = await import("testcontainers");
  const port = Wait.forListeningPorts();
  const containers = {
    rabbitmq: () =>
      new GenericContainer("rabbitmq:4-management")
        .withEnvironment({ RABBITMQ_DEFAULT_VHOST: "/engine" })
        .withExposedPorts(PORTS.amqp, PORTS.management),
    postgres: () =>
      new GenericContainer("postgres:17")
        .withEnvironment({
          POSTGRES_USER: "engine",
          POSTGRES_DB: "enginedb",
          POSTGRES_HOST_AUTH_METHOD: "trust",
        })
        .withCommand(["postgres", "-c", "max_connections=200"])
        .withExposedPorts(PORTS.postgres),
    redis: () =>
      new GenericContainer("redis:7")
        .withCommand(["redis-server", "--appendonly", "yes", "--maxmemory-policy", "noeviction"])
        .withExposedPorts(PORTS.redis),
  };
  const results = await Promise.allSettled(
    names.map(async (name) => {
      const container = await containers[name]().withWaitStrategy(port).start();
      return [name, container] as const;
    }),
  );
  const started = results.flatMap((result) =>
    result.status === "fulfilled" ? [result.value] : [],
  );
  const stop = async () => {
    await Promise.allSettled(started.map(([, container]) => container.stop()));
  };
  const failed = results.find((result) => result.status === "rejected");
  if (failed) {
    await stop();
    throw failed.reason;
  }
  const ports: Ports = {};
  let host = "127.0.0.1";
  for (const [name, container] of started) {
    host = container.getHost();
    if (name === "rabbitmq") {
      ports.amqp = container.getMappedPort(PORTS.amqp);
      ports.management = container.getMappedPort(PORTS.management);
    } else ports[name] = container.getMappedPort(PORTS[name]);
  }
  return { urls: await untilReachable(urlsOf(host, ports)), stop };
}
