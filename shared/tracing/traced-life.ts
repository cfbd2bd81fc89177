/**
 * Spans around the steps of a job's life: the steps know nothing of them, and without tracing nothing is wrapped.
 * The job's own span is the active one in its handler, so that what a handler calls becomes part of the trace.
 */
import {
  type Attributes,
  context,
  createContextKey,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { Delivery } from "../broker/consume.ts";
import type { Publisher } from "../broker/publish.ts";
import type { Claims } from "../job/claim.ts";
import type { Commits } from "../job/commit.ts";
import type { Life } from "../job/life.ts";
import type { Received } from "../job/receive.ts";
import type { Run } from "../job/run.ts";
import type { Connections, OwnTransaction } from "../job/transaction.ts";
import { HEADERS } from "../wire/headers.ts";
import { ATTRIBUTES, POSTGRESQL, RABBITMQ, REDIS, SPANS } from "./names.ts";

/** What is wrapped of a worker's parts. */
export interface TracedParts {
  receive(delivery: Delivery): Received;
  claims: Claims;
  commits: Commits;
  connections: Connections;
  publisher: Publisher;
}

/** The job's own span, also under the spans of its steps. */
const JOB = createContextKey("tl-engine job");
const jobSpan = () => context.active().getValue(JOB) as Span | undefined;

/** One span for each delivery, from its arrival to its ack; its parent is the publisher's. */
export function tracedLife(life: Life, tracer: Tracer, queue: string): Life {
  return (delivery) => {
    const { properties, content } = delivery.message;
    const parent = propagation.extract(context.active(), properties.headers ?? {});
    const attributes: Attributes = {
      [ATTRIBUTES.messagingSystem]: RABBITMQ,
      [ATTRIBUTES.operationName]: "process",
      [ATTRIBUTES.operationType]: "process",
      [ATTRIBUTES.destination]: queue,
      [ATTRIBUTES.bodySize]: content.length,
    };
    const span = tracer.startSpan(
      SPANS.process(queue),
      { kind: SpanKind.CONSUMER, attributes },
      parent,
    );
    return context.with(trace.setSpan(parent, span).setValue(JOB, span), () =>
      life(delivery).finally(() => span.end()),
    );
  };
}

export function tracedRun(run: Run, tracer: Tracer): Run {
  return (live) => {
    const { job } = live;
    const span = tracer.startSpan(SPANS.run(job.type));
    return context.with(trace.setSpan(context.active(), span), () => {
      const ran = run(live);
      const ended = ({ kind }: Awaited<typeof ran>) => {
        if (kind === "threw" || kind === "ended") span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      };
      if (ran instanceof Promise) ran.then(ended, () => span.end());
      else ended(ran);
      return ran;
    });
  };
}

export function tracedParts<Parts extends TracedParts>(parts: Parts, tracer: Tracer): Parts {
  const spans = new Spans(tracer);
  return {
    ...parts,
    receive: (delivery: Delivery) => noted(parts.receive(delivery)),
    claims: tracedClaims(parts.claims, spans),
    commits: tracedCommits(parts.commits, spans),
    connections: tracedConnections(parts.connections, spans),
    publisher: tracedPublisher(parts.publisher, tracer),
  };
}

/** What reception found belongs to the job's span, and what the job sends is a child of it. */
function noted(received: Received): Received {
  const span = jobSpan();
  if (span === undefined) return received;
  const { id, type, attempt, correlationId } = received;
  if (id !== undefined) span.setAttribute(ATTRIBUTES.messageId, id);
  if (typeof correlationId === "string")
    span.setAttribute(ATTRIBUTES.conversationId, correlationId);
  span.setAttributes({ [ATTRIBUTES.action]: type, [ATTRIBUTES.attempt]: attempt });
  received.traceparent = contextOf(span) ?? received.traceparent;
  return received;
}

function contextOf(span: Span): string | undefined {
  const carrier: Record<string, string> = {};
  propagation.inject(trace.setSpan(context.active(), span), carrier);
  return carrier[HEADERS.traceparent];
}

class Spans {
  readonly #tracer: Tracer;
  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** A client's span that lasts until the promise settles. */
  async around<Result>(
    name: string,
    attributes: Attributes,
    call: () => Promise<Result>,
  ): Promise<Result> {
    const span = this.#tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes });
    try {
      return await call();
    } catch (error) {
      fail(span, (error as Error).name);
      throw error;
    } finally {
      span.end();
    }
  }
}

function fail(span: Span, type: string): void {
  span.setStatus({ code: SpanStatusCode.ERROR, message: type });
  span.setAttribute(ATTRIBUTES.errorType, type);
}

const ON_REDIS = { [ATTRIBUTES.dbSystem]: REDIS };
const ON_POSTGRES = { [ATTRIBUTES.dbSystem]: POSTGRESQL };
const ON_RESULTS = { ...ON_POSTGRES, [ATTRIBUTES.dbCollection]: "engine.results" };

function tracedClaims(claims: Claims, spans: Spans): Claims {
  return {
    claim: (...args) => spans.around(SPANS.claim, ON_REDIS, () => claims.claim(...args)),
    unclaim: (what, ...args) =>
      spans.around(SPANS.unclaim, { ...ON_REDIS, [ATTRIBUTES.dbOperation]: what }, () =>
        claims.unclaim(what, ...args),
      ),
    // Of all jobs at once: part of no trace.
    heartbeat: (jobs) => claims.heartbeat(jobs),
  };
}

function tracedCommits(commits: Commits, spans: Spans): Commits {
  return {
    ...commits,
    async commit(row) {
      const stored = await spans.around(SPANS.commit, ON_RESULTS, () => commits.commit(row));
      if (stored.kind !== "unstorable") noteEnd(stored.row);
      return stored;
    },
    read: (...args) => spans.around(SPANS.read, ON_RESULTS, () => commits.read(...args)),
    async commitIn(tx, rows) {
      const committed = await spans.around(SPANS.commit, ON_RESULTS, () =>
        commits.commitIn(tx, rows),
      );
      const [row] = rows;
      // Of a batch the context is one job's, and the rows are everybody's.
      if (committed.kind === "committed" && row !== undefined && rows.length === 1) noteEnd(row);
      return committed;
    },
  };
}

function noteEnd({ status, code }: { status: string; code: string | null }): void {
  const span = jobSpan();
  if (span === undefined) return;
  span.setAttribute(ATTRIBUTES.status, status);
  if (status === "failed") fail(span, code ?? "failed");
}

function tracedConnections(connections: Connections, spans: Spans): Connections {
  return {
    begin: (...args) =>
      spans.around(SPANS.begin, ON_POSTGRES, async () =>
        tracedTransaction(await connections.begin(...args), spans),
      ),
    query: (args, clock) =>
      spans.around(...statementOf(args), () => connections.query(args, clock)),
  };
}

function tracedTransaction(own: OwnTransaction, spans: Spans): OwnTransaction {
  const query = (...args: unknown[]) =>
    spans.around(...statementOf(args), () => Reflect.apply(own.tx.query, own.tx, args));
  return {
    tx: { ...own.tx, query } as OwnTransaction["tx"],
    lost: () => own.lost(),
    release: (discard) => own.release(discard),
  };
}

/** The text of a statement, whose values are parameters and not in it. */
function statementOf([given]: unknown[]): [name: string, attributes: Attributes] {
  const text = typeof given === "string" ? given : String((given as { text?: unknown })?.text);
  const name = SPANS.query(text);
  return [
    name,
    { ...ON_POSTGRES, [ATTRIBUTES.dbOperation]: name, [ATTRIBUTES.dbQuery]: text.slice(0, 2_000) },
  ];
}

function tracedPublisher(publisher: Publisher, tracer: Tracer): Publisher {
  return {
    ready: () => publisher.ready(),
    close: () => publisher.close(),
    async publish(outgoing, signal) {
      const destination = outgoing.exchange || outgoing.routingKey;
      const span = tracer.startSpan(SPANS.send(destination), {
        kind: SpanKind.PRODUCER,
        attributes: {
          [ATTRIBUTES.messagingSystem]: RABBITMQ,
          [ATTRIBUTES.operationName]: "send",
          [ATTRIBUTES.operationType]: "send",
          [ATTRIBUTES.destination]: destination,
          [ATTRIBUTES.routingKey]: outgoing.routingKey,
          ...(outgoing.messageId !== undefined && {
            [ATTRIBUTES.messageId]: outgoing.messageId,
          }),
        },
      });
      const traceparent = contextOf(span);
      const headers = { ...outgoing.headers, ...(traceparent && { traceparent }) };
      try {
        const published = await publisher.publish({ ...outgoing, headers }, signal);
        if (published !== "routed") fail(span, published);
        return published;
      } finally {
        span.end();
      }
    },
  };
}
