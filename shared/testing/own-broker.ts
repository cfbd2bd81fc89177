/** A RabbitMQ that one test has for itself, configured as it likes. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBinary } from "../services/binaries.ts";
import { startRabbitMq } from "../services/rabbitmq.ts";
import { startReaper } from "../services/reaper.ts";

export interface OwnBroker {
  amqpUrl: string;
  managementUrl: string;
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
    const { urls } = await startRabbitMq(dir, reaper, configuration);
    return {
      amqpUrl: String(urls.AMQP_URL),
      managementUrl: String(urls.RABBITMQ_MANAGEMENT_URL),
      stop: () => reaper.end(),
    };
  } catch (error) {
    await reaper.end();
    throw error;
  }
}
