/** The endpoint that traces go to: asked as the exporter asks, with no span in it. */
import { headersOf } from "@tl-engine/shared/tracing/start-tracing";
import { type Finding, type Fleet, failure, type Opened, ok, type Part, skipped } from "./check.ts";

const BY_HAND = `curl -sS -i "$OTEL_EXPORTER_OTLP_ENDPOINT/v1/traces" -H 'content-type: application/json' -d '{"resourceSpans":[]}'`;
const TIMEOUT_MS = 8_000;

function explain(status: number): string {
  if (status === 401 || status === 403)
    return "it does not know us: OTEL_EXPORTER_OTLP_HEADERS lacks its key, or has a wrong one";
  if (status === 404 || status === 405)
    return "nothing takes traces there: OTEL_EXPORTER_OTLP_ENDPOINT ends before /v1/traces, and is the port of OTLP by HTTP (4318)";
  return "it takes no traces now; jobs go on without them";
}

async function post(endpoint: string, headers: Record<string, string>): Promise<number> {
  const response = await fetch(`${endpoint.replace(/\/+$/, "")}/v1/traces`, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: '{"resourceSpans":[]}',
    redirect: "manual",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  await response.body?.cancel();
  return response.status;
}

async function open({ config }: Fleet): Promise<Opened<undefined> | Finding> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_HEADERS: given } = config;
  if (endpoint === undefined)
    return skipped("not configured: OTEL_EXPORTER_OTLP_ENDPOINT is empty");
  let headers: Record<string, string>;
  try {
    headers = headersOf(given);
  } catch {
    return failure(
      "its headers can't be read",
      "a % in OTEL_EXPORTER_OTLP_HEADERS encodes nothing",
      "write it as %25 there",
    );
  }
  const startedAt = performance.now();
  try {
    const status = await post(endpoint, headers);
    const ms = (performance.now() - startedAt).toFixed(0);
    if (status < 200 || status > 299) return failure(`answers ${status}`, explain(status), BY_HAND);
    return { source: undefined, found: ok(`takes traces, ${ms} ms`), close: async () => {} };
  } catch (error) {
    const { message, cause, name } = error as Error & { cause?: Error };
    if (name === "TimeoutError")
      return failure(
        `no answer within ${TIMEOUT_MS} ms`,
        "it hangs, or something in between swallows the answer",
        BY_HAND,
      );
    return failure("not reached", cause?.message || message, BY_HAND);
  }
}

export const otlp: Part<undefined> = { name: "otlp", byHand: () => BY_HAND, open, checks: [] };
