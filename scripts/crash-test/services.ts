/** The three services of a crash test: its own child processes, or what URLs in the environment name. */
import type { OwnService, ServiceName } from "./faults/fault.ts";
import type { Urls } from "./reach.ts";

export interface CrashServices {
  urls: Urls;
  /** Undefined where the services belong to somebody else. */
  own: Record<ServiceName, OwnService> | undefined;
  rabbitmqctl(...args: string[]): Promise<string>;
  stop(): Promise<void>;
}
