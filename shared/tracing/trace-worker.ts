/** What a worker asks for its traces; without an endpoint nothing of OpenTelemetry is loaded, and nothing is wrapped. */
import type { Logger } from "pino";
import type { Life } from "../job/life.ts";
import type { Run } from "../job/run.ts";
import type { Config } from "../process/config.ts";
import type { TracedParts } from "./traced-life.ts";

export interface Tracing {
  life(life: Life, queue: string): Life;
  run(run: Run): Run;
  parts<Parts extends TracedParts>(parts: Parts): Parts;
  /** Sends what is left, for a few seconds at most. */
  stop(): Promise<void>;
}

export type TracingConfig = Pick<
  Config,
  | "OTEL_EXPORTER_OTLP_ENDPOINT"
  | "OTEL_EXPORTER_OTLP_HEADERS"
  | "OTEL_TRACES_SAMPLER_ARG"
  | "ENGINE_ENV"
  | "WORKER_ID"
>;

/** @returns undefined without an endpoint. */
export async function traceWorker(
  config: TracingConfig,
  engine: string,
  log: Logger,
): Promise<Tracing | undefined> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = config;
  if (endpoint === undefined) return undefined;
  const { startTracing } = await import("./start-tracing.ts");
  return startTracing(endpoint, config, engine, log);
}
