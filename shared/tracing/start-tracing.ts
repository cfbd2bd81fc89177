/** Starts the OpenTelemetry SDK, and says how a worker's steps are traced. Loaded by trace-worker.ts alone. */
import { context, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Logger } from "pino";
import type { Tracing, TracingConfig } from "./trace-worker.ts";
import { tracedLife, tracedParts, tracedRun } from "./traced-life.ts";

const EXPORT_TIMEOUT_MS = 5_000;
/** Spans that wait to be sent; past it they are dropped, and jobs wait for none. */
const MAX_QUEUED = 4_096;

export function startTracing(
  endpoint: string,
  config: TracingConfig,
  engine: string,
  log: Logger,
): Tracing {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": `tl-engine-${engine}`,
      "service.namespace": "tl-engine",
      "service.instance.id": config.WORKER_ID,
      "deployment.environment.name": config.ENGINE_ENV,
    }),
    // Who publishes decides for the whole chain; what begins here is sampled by the ratio.
    sampler: new ParentBasedSampler({
      root: new TraceIdRatioBasedSampler(config.OTEL_TRACES_SAMPLER_ARG),
    }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter({
          url: `${endpoint.replace(/\/+$/, "")}/v1/traces`,
          headers: headersOf(config.OTEL_EXPORTER_OTLP_HEADERS),
          timeoutMillis: EXPORT_TIMEOUT_MS,
        }),
        maxQueueSize: MAX_QUEUED,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    ],
  });
  // The first one in a process has the API's globals; a process has one worker, but for tests.
  const isFirst = context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  if (isFirst) {
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    trace.setGlobalTracerProvider(provider);
  }
  const tracer = provider.getTracer("@tl-engine/shared");
  return {
    life: (life, queue) => tracedLife(life, tracer, queue),
    run: (run) => tracedRun(run, tracer),
    parts: (parts) => tracedParts(parts, tracer),
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
