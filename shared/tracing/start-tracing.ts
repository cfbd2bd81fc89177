/** Starts the OpenTelemetry SDK where an endpoint is configured; without one nothing of it is even loaded. */
import { context, propagation, type Tracer, trace } from "@opentelemetry/api";
import type { Logger } from "pino";
import type { Config } from "../process/config.ts";

export interface Tracing {
  tracer: Tracer;
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

const EXPORT_TIMEOUT_MS = 5_000;
/** Spans that wait to be sent; past it they are dropped, and jobs wait for none. */
const MAX_QUEUED = 4_096;

/** @returns undefined without an endpoint. */
export async function startTracing(
  config: TracingConfig,
  engine: string,
  log: Logger,
): Promise<Tracing | undefined> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = config;
  if (endpoint === undefined) return undefined;
  const [sdk, { OTLPTraceExporter }, { AsyncLocalStorageContextManager }, core, resources] =
    await Promise.all([
      import("@opentelemetry/sdk-trace"),
      import("@opentelemetry/exporter-trace-otlp-http"),
      import("@opentelemetry/context-async-hooks"),
      import("@opentelemetry/core"),
      import("@opentelemetry/resources"),
    ]);
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, "")}/v1/traces`,
    headers: headersOf(config.OTEL_EXPORTER_OTLP_HEADERS),
    timeoutMillis: EXPORT_TIMEOUT_MS,
  });
  const provider = new sdk.TracerProvider({
    resource: resources.resourceFromAttributes({
      "service.name": `tl-engine-${engine}`,
      "service.namespace": "tl-engine",
      "service.instance.id": config.WORKER_ID,
      "deployment.environment.name": config.ENGINE_ENV,
    }),
    // Who publishes decides for the whole chain; what begins here is sampled by the ratio.
    sampler: new sdk.ParentBasedSampler({
      root: new sdk.TraceIdRatioBasedSampler(config.OTEL_TRACES_SAMPLER_ARG),
    }),
    spanProcessors: [
      new sdk.BatchSpanProcessor({
        exporter,
        maxQueueSize: MAX_QUEUED,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    ],
  });
  // The first one in a process has the API's globals; a process has one worker, but for tests.
  const isFirst = context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  if (isFirst) {
    propagation.setGlobalPropagator(new core.W3CTraceContextPropagator());
    trace.setGlobalTracerProvider(provider);
  }
  return {
    tracer: provider.getTracer("@tl-engine/shared"),
    async stop() {
      await provider.shutdown().catch((error) => {
        log.warn({ err: error }, "the last spans could not be sent");
      });
      if (!isFirst) return;
      context.disable();
      propagation.disable();
      trace.disable();
    },
  };
}

/** `name=value` pairs with commas, percent-encoded: https://opentelemetry.io/docs/specs/otel/protocol/exporter/ */
export function headersOf(given: string | undefined): Record<string, string> {
  const pairs = (given ?? "").split(",").flatMap((pair) => {
    const at = pair.indexOf("=");
    return at < 1
      ? []
      : [[pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())] as const];
  });
  return Object.fromEntries(pairs);
}
