/** A RabbitMQ of the test's own, which it may kill, start again and put under an alarm. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBinary } from "../../services/binaries.ts";
import { provideServices, type ServiceControl } from "../../services/index.ts";

/** Where there is none to start, only given brokers, such tests can't be. */
export const CAN_OWN_BROKER = findBinary("rabbitmq-server") !== undefined;

export interface Broker extends Pick<ServiceControl, "kill" | "start"> {
  url: string;
  /** Runs rabbitmqctl on it. */
  control(...args: string[]): Promise<void>;
  remove(): Promise<void>;
}

export async function ownBroker(): Promise<Broker> {
  const dir = await mkdtemp(join(tmpdir(), "broker-"));
  const services = await provideServices({ dir, needs: ["rabbitmq"], sources: ["native"] });
  const server = services.control("rabbitmq") as ServiceControl;
  return {
    url: services.amqpUrl,
    kill: () => server.kill(),
    start: () => server.start(),
    async control(...args) {
      const env = { ...process.env, ...server.env };
      const [code] = await once(spawn(RABBITMQCTL, args, { env, stdio: "ignore" }), "exit");
      if (code !== 0) throw new Error(`rabbitmqctl ${args[0]} ended with ${code}`);
    },
    async remove() {
      await services.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Beside the server; the one in Debian's path insists on the system's user. */
const RABBITMQCTL = join(findBinary("rabbitmq-server") ?? "", "../rabbitmqctl");
