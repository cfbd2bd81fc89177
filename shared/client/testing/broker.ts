/** A RabbitMQ of the test's own, on its own port and data folder, which it may kill and start again. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import amqplib from "amqplib";

/** Debian's own place, beside the wrapper that insists on a system user; elsewhere it is in the path. */
const SERVER = process.env["RABBITMQ_SERVER"] ?? "/usr/lib/rabbitmq/bin/rabbitmq-server";
const START_TIMEOUT_MS = 60_000;

export interface Broker {
  url: string;
  start(): Promise<void>;
  /** SIGKILL, as when the machine dies. */
  kill(): Promise<void>;
  /** Evaluates Erlang in the broker, e.g. to raise an alarm. */
  control(...args: string[]): Promise<void>;
  /** Kills it and removes its data. */
  remove(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

export async function ownBroker(): Promise<Broker> {
  const folder = await mkdtemp(join(tmpdir(), "broker-"));
  const [port, distPort] = [await freePort(), await freePort()];
  const url = `amqp://guest:guest@127.0.0.1:${port}`;
  const env = {
    PATH: process.env["PATH"],
    HOME: folder,
    RABBITMQ_NODENAME: `test${port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1",
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distPort),
    RABBITMQ_MNESIA_BASE: join(folder, "mnesia"),
    RABBITMQ_LOG_BASE: join(folder, "log"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "plugins"),
    RABBITMQ_CONFIG_FILE: join(folder, "none"),
    // Its busy waiting would take the tests' own processors.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "+sbwt none +sbwtdcpu none +sbwtdio none",
    LANG: "C.UTF-8",
  };
  let server: ChildProcess | undefined;
  const run = (command: string, args: string[]) =>
    spawn(command, args, { env, stdio: "ignore", detached: true });

  async function start(): Promise<void> {
    server = run(SERVER, []);
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await answers(url))) {
      if (server.exitCode !== null || Date.now() > deadline)
        throw new Error(`${SERVER} did not start; its log is in ${folder}`);
      await delay(200);
    }
  }
  async function kill(): Promise<void> {
    if (!server?.pid || server.exitCode !== null || server.signalCode !== null) return;
    const exit = once(server, "exit");
    process.kill(-server.pid, "SIGKILL");
    await exit;
  }
  async function control(...args: string[]): Promise<void> {
    const [code] = await once(run(join(SERVER, "../rabbitmqctl"), args), "exit");
    if (code !== 0) throw new Error(`rabbitmqctl ${args[0]} ended with ${code}`);
  }
  async function remove(): Promise<void> {
    await kill();
    await rm(folder, { recursive: true, force: true });
  }
  return { url, start, kill, control, remove };
}

async function answers(url: string): Promise<boolean> {
  try {
    await (await amqplib.connect(url)).close();
    return true;
  } catch {
    return false;
  }
}
