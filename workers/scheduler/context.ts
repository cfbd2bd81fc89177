/** What the runtime gives a worker to run beside its jobs. */
import type { Job, Tx } from "@tl-engine/shared";
import type { LaterJob, PublishedLater } from "./held-job.ts";

type Redis = Job["redis"];
type Logger = Job["log"];

export interface BackgroundContext {
  db: Tx & { transact<T>(work: (tx: Tx) => Promise<T>): Promise<T> };
  openRedis(): Redis;
  prefix: string;
  log: Logger;
  env: Record<string, unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: prom-client's own, which the runtime loads when it is scraped
  registry: any;
  publish(job: LaterJob): Promise<PublishedLater>;
  signal: AbortSignal;
  ready(problem: string | undefined): void;
}
