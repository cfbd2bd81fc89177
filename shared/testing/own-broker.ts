/** A RabbitMQ that one test has for itself, configured as it likes. */
import { execFile } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { findBinary } from "../services/binaries.ts";
import { startRabbitMq } from "../services/rabbitmq.ts";
import { startReaper } from "../services/reaper.ts";

const run = promisify(execFile);

export interface OwnBroker {
  amqpUrl: string;
  managementUrl: string;
  /** Of its command-line tools. */
  env: NodeJS.ProcessEnv;
  rabbitmqctl(...args: string[]): Promise<string>;
  stop(): Promise<void>;
}

/** Where RabbitMQ is not installed, services come from elsewhere, and there is none to configure. */
export const hasOwnBroker = findBinary("rabbitmq-server") !== undefined;

/** @param configuration lines of rabbitmq.conf. */
export async function startOwnBroker(configuration: string): Promise<OwnBroker> {
  const reaper = startReaper();
  const dir = mkdtempSync(join(tmpdir(), "own-broker-"));
  reaper.removeAtEnd(dir);
  try {
    const { urls, main } = await startRabbitMq(dir, reaper, configuration);
    const env = { PATH: process.env.PATH, ...main.command.env };
    return {
      amqpUrl: String(urls.AMQP_URL),
      managementUrl: String(urls.RABBITMQ_MANAGEMENT_URL),
      env,
      async rabbitmqctl(...args) {
        const file = join(dirname(findBinary("rabbitmq-server") ?? ""), "rabbitmqctl");
        return (await run(file, ["--quiet", ...args], { env })).stdout;
      },
      stop: () => reaper.end(),
    };
  } catch (error) {
    await reaper.end();
    throw error;
  }
}
