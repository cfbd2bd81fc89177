/** Traces as a collector gets them over OTLP: one for the whole chain, from a publisher through two engines. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { action, defineWorker } from "../engine/define-worker.ts";
import { Reject } from "../engine/errors.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";
import { headersOf } from "./start-tracing.ts";

const Placed = z.object({ n: z.int() });
const first = defineWorker({
  name: "first",
  concurrency: 4,
  timeoutMs: 10_000,
  actions: {
    place: action({
      version: 1,
      input: z.object({ n: z.int() }),
      output: z.object({ n: z.int() }),
      emits: { "traced.placed": Placed },
      async handle({ n }, job) {
        if (n < 0) throw new Reject("below 0");
        const tx = await job.tx();
        await tx.query("select $1::int as secret", [4_711]);
        job.emit("traced.placed", { n });
        return { n };
      },
    }),
  },
});
const second = defineWorker({
  name: "second",
  concurrency: 4,
  timeoutMs: 10_000,
  actions: {
    note: action({
      version: 1,
      input: Placed,
      output: z.object({}),
      async handle(_, job) {
        await job.db.query("select 1");
        return {};
      },
    }),
  },
  on: { "traced.placed": { action: "note", map: (event) => event } },
});

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  status?: { code?: number; message?: string };
  attributes: { key: string; value: Record<string, unknown> }[];
}

const spans: (Span & { service: unknown })[] = [];
const seenHeaders: unknown[] = [];
let collector: Server;
let fleet: TestFleet;

beforeAll(async () => {
  collector = createServer(async (request, response) => {
    seenHeaders.push(request.headers["x-key"]);
    const { resourceSpans } = (await json(request)) as {
      resourceSpans: { resource: Pick<Span, "attributes">; scopeSpans: { spans: Span[] }[] }[];
    };
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = resource.attributes.find(({ key }) => key === "service.name")?.value
        .stringValue;
      spans.push(...scopeSpans.flatMap((it) => it.spans.map((span) => ({ ...span, service }))));
    }
    response.setHeader("content-type", "application/json").end("{}");
  });
  collector.listen(0, "127.0.0.1");
  await once(collector, "listening");
  fleet = await openTestFleet([first, second]);
});
afterAll(async () => {
  await fleet?.close();
  collector?.close();
});

const attribute = ({ attributes }: Span, key: string) =>
  Object.values(attributes.find((it) => it.key === key)?.value ?? {})[0];

test("one trace leads from the publisher through both engines and all they ask", async () => {
  const { port } = collector.address() as AddressInfo;
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_EXPORTER_OTLP_HEADERS: "x-key=a%20b",
  };
  const workers = [await fleet.start(first, env), await fleet.start(second, env)];
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const publisher = "b7ad6b7169203331";
  const headers = { traceparent: `00-${traceId}-${publisher}-01` };
  const id = await fleet.publish("first", "place", { n: 1 }, { headers });
  await fleet.reply(id);
  const bad = await fleet.publish("first", "place", { n: -1 }, { headers });
  await fleet.reply(bad);
  const event = await fleet.until("the event's row", async () => {
    const { rows } = await fleet.pool.query<{ job_id: string }>(
      "select job_id from engine.results where engine = 'second' and worker = $1",
      [fleet.config.WORKER_ID],
    );
    return rows[0];
  });
  for (const worker of workers) await worker.stop();

  const ours = spans.filter((span) => span.traceId === traceId);
  const named = (name: string, parent?: Span) =>
    ours.find((it) => it.name === name && (!parent || it.parentSpanId === parent.spanId)) as Span;
  const of = (jobId: string) =>
    ours.find(
      (it) => it.name.startsWith("process") && attribute(it, "messaging.message.id") === jobId,
    ) as Span & { service: unknown };
  const [placed, noted, refused] = [of(id), of(event.job_id), of(bad)];
  expect(placed).toMatchObject({
    name: `process ${fleet.names.queue("first")}`,
    parentSpanId: publisher,
    kind: 5,
    service: "tl-engine-first",
  });
  // Which step each of its spans is of, and whose child.
  const run = named("run first.place.v1", placed);
  expect(named("claim", placed)).toBeDefined();
  expect(named("BEGIN", run)).toBeDefined();
  expect(named("INSERT engine.results", run)).toBeDefined();
  expect(named("unclaim", placed)).toBeDefined();
  const query = named("SELECT", run);
  expect(attribute(query, "db.query.text")).toBe("select $1::int as secret");
  expect(JSON.stringify(spans)).not.toContain("4711");
  expect(named(`send ${fleet.replyTo}`, placed)).toMatchObject({ kind: 4 });
  const sent = named(`send ${fleet.names.events}`, placed);
  // The next engine goes on where the event was sent.
  expect(noted).toMatchObject({ parentSpanId: sent.spanId, service: "tl-engine-second" });
  expect(named("SELECT", named("run second.note.v1", noted))).toBeDefined();

  expect(attribute(placed, "engine.status")).toBe("succeeded");
  expect(attribute(refused, "error.type")).toBe("rejected");
  expect(refused.status?.code).toBe(2);
  expect(seenHeaders).toContain("a b");
});

test("a collector that is away costs no job anything", async () => {
  const worker = await fleet.start(first, { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" });
  const id = await fleet.publish("first", "place", { n: 2 });
  expect((await fleet.reply(id)).reply).toMatchObject({ status: "succeeded" });
  await worker.stop();
});

test("headers are pairs, percent-encoded", () => {
  expect(headersOf("a=b, c=d%20e,=x,f")).toEqual({ a: "b", c: "d e" });
  expect(headersOf(undefined)).toEqual({});
});
