/** The three services of a crash test: its own child processes, or what URLs in the environment name. */
import { execFile } from "node:child_process";
import { copyFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { findBinary } from "../../../shared/services/binaries.ts";
import { provideServices } from "../../../shared/services/index.ts";
import type { OwnService, ServiceName } from "./faults/fault.ts";
import type { Urls } from "./reach.ts";

export interface CrashServices {
  urls: Urls;
  /** Undefined where one of the services belongs to somebody else. */
  own: Record<ServiceName, OwnService> | undefined;
  rabbitmqctl(...args: string[]): Promise<string>;
  /** Copies the own servers' logs to a folder that exists; false where there are none. */
  keepLogs(folder: string): boolean;
  stop(): Promise<void>;
}

const run = promisify(execFile);

/** Starts own servers for what the environment does not name: a set that others use must not be broken. */
export async function openServices(say: (line: string) => void): Promise<CrashServices> {
  const services = await provideServices({ sources: ["environment", "native"] });
  say(
    `services: ${Object.entries(services.sources)
      .map((entry) => entry.join(" from "))
      .join(", ")}`,
  );
  const broker = services.control("rabbitmq");
  const postgres = services.control("postgres");
  const redis = services.control("redis");
  return {
    urls: {
      amqp: services.amqpUrl,
      management: services.managementUrl,
      postgres: services.databaseUrl,
      redis: services.redisUrl,
    },
    own: broker && postgres && redis ? { broker, postgres, redis } : undefined,
    async rabbitmqctl(...args) {
      const env = { PATH: process.env.PATH, ...broker?.env };
      const server = findBinary("rabbitmq-server");
      const file = server === undefined ? "rabbitmqctl" : join(dirname(server), "rabbitmqctl");
      const { stdout } = await run(file, ["--quiet", ...args], { env });
      return stdout;
    },
    keepLogs(folder) {
      const logs = Object.entries({ rabbitmq: broker, postgres, redis });
      for (const [service, control] of logs)
        if (control) copyFileSync(control.logFile, join(folder, `${service}.log`));
      return logs.some(([, control]) => control !== undefined);
    },
    stop: () => services.stop(),
  };
}
