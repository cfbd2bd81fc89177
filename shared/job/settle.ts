/** What becomes of a delivery: the one switch from outcome to messages, claim and ack. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Published, Publisher } from "../broker/publish.ts";
import type { Outgoing } from "../broker/publish-frames.ts";
import type { ErrorCode } from "../wire/error-codes.ts";
import { HEADERS } from "../wire/headers.ts";
import type { BrokerNames } from "../wire/names.ts";
import { type JobError, type Reply, replyId } from "../wire/reply.ts";
import type { Claims } from "./claim.ts";
import type { StoredEvent } from "./job-context.ts";
import type { Envelope, Problem } from "./receive.ts";
import type { ResultRow } from "./result-rows.ts";
import type { Tier } from "./retry.ts";

/** How a delivery ends. Whatever needs a row has it by now. */
export type Outcome =
  /** The job has its row: tell everybody. */
  | { kind: "result"; row: ResultRow }
  /** It had been told to everybody before; only this caller wants to hear it again. */
  | { kind: "repeat"; row: ResultRow }
  /** Failed in a way that leaves no row: no usable id, or the id belongs to another input. */
  | { kind: "unrecorded"; problem: Problem }
  /** Comes back over a delay tier; `attempt` is the next counted run. */
  | { kind: "retry"; tier: Tier; attempt: number; crashes: number; holdMs: number }
  /** Comes back over a delay tier, uncounted; `attempt` where it joins a later one. */
  | { kind: "wait"; tier: Tier; crashes: number; attempt?: number }
  /** A copy with a lower attempt than the one on its way. */
  | { kind: "stale" }
  /** Back to the queue, unrun or interrupted. */
  | { kind: "hand-back" };

export interface SettleOptions {
  publisher: Publisher;
  claims: Claims;
  names: BrokerNames;
  log: Logger;
  onUnroutableReply(): void;
  /** Ends waits when the worker gives up. */
  signal: AbortSignal;
}

export type Settle = (
  envelope: Envelope,
  outcome: Outcome,
  token: string | undefined,
) => Promise<void>;

export function createSettle(options: SettleOptions): Settle {
  const { publisher, claims, names, log, signal, onUnroutableReply } = options;

  /** Undefined where no reply is wanted, or allowed. */
  function reply(
    envelope: Envelope,
    body: string,
    ending: string,
    generation: number,
    attempt: number,
  ): Promise<Published> | undefined {
    if (envelope.replyTo === undefined) return undefined;
    const { id = "", engine, replyTo, type } = envelope;
    const suffix = ending === "succeeded" ? "result" : "error";
    return publisher.publish(
      {
        exchange: "",
        routingKey: replyTo,
        body,
        messageId: replyId(engine, id, generation, ending),
        type: `${type || engine}.${suffix}`,
        correlationId: envelope.correlationId ?? id,
        mandatory: true,
        headers: headersOf(envelope, { [HEADERS.attempt]: attempt }),
      },
      signal,
    );
  }

  function noteReply({ id, replyTo = "" }: Envelope, published: Published | undefined): void {
    // Direct reply-to addresses are always returned by RabbitMQ 3.10, also when the reply arrived.
    if (published !== "returned" || replyTo.startsWith("amq.rabbitmq.reply-to.")) return;
    log.warn({ jobId: id, replyTo }, "nobody listens on reply_to; the result stays readable by id");
    onUnroutableReply();
  }

  const replyFrom = (envelope: Envelope, row: ResultRow) =>
    reply(envelope, row.reply, row.code ?? "succeeded", row.generation, row.attempt);

  async function announce(envelope: Envelope, row: ResultRow): Promise<void> {
    if (row.events === null) return;
    const events = JSON.parse(row.events) as StoredEvent[];
    await Promise.all(
      events.map(({ id, type, body }) =>
        publisher.publish(
          {
            exchange: names.events,
            routingKey: type,
            body,
            messageId: id,
            type,
            correlationId: envelope.correlationId ?? row.jobId,
            // An event that nobody subscribes to is no failure.
            mandatory: false,
            headers: headersOf(envelope, {}),
          },
          signal,
        ),
      ),
    );
  }

  /** Publishes until a queue took it: a target that is missing or closed confirms and returns. */
  async function deliver(outgoing: Outgoing): Promise<void> {
    while ((await publisher.publish(outgoing, signal)) === "returned") {
      log.error(
        { to: outgoing.exchange || outgoing.routingKey },
        "no queue takes this; run the topology command",
      );
      await sleep(RETURNED_DELAY_MS, undefined, { signal });
    }
  }

  const bury = (envelope: Envelope, code: ErrorCode, message: string, attempt: number) =>
    deliver({
      ...sameJob(envelope),
      exchange: "",
      routingKey: names.dead(envelope.engine),
      headers: headersOf(envelope, {
        [HEADERS.attempt]: attempt,
        [HEADERS.replay]: envelope.generation,
        "x-error-code": code,
        "x-error": message.slice(0, 500),
      }),
    });

  const postpone = (envelope: Envelope, tier: Tier, attempt: number, crashes: number) =>
    deliver({
      ...sameJob(envelope),
      exchange: names.delay(tier.name),
      // Always the engine, also for what came as an event: it must return to this engine alone.
      routingKey: envelope.engine,
      headers: headersOf(envelope, {
        [HEADERS.attempt]: attempt,
        [HEADERS.crashes]: crashes,
        [HEADERS.replay]: envelope.generation,
        ...(envelope.deadline === undefined ? {} : { [HEADERS.deadline]: envelope.deadline }),
      }),
    });

  /** Where every result goes: reply and events, and the dead letter of a failure. */
  async function publishResult(envelope: Envelope, row: ResultRow): Promise<void> {
    const also = row.status === "failed" ? buryFailed(envelope, row) : announce(envelope, row);
    const [told] = await Promise.all([replyFrom(envelope, row), also]);
    noteReply(envelope, told);
  }

  function buryFailed(envelope: Envelope, row: ResultRow): Promise<void> {
    const { error } = JSON.parse(row.reply) as { error: JobError };
    return bury(envelope, error.code, error.message, row.attempt);
  }

  async function publishUnrecorded(envelope: Envelope, problem: Problem): Promise<void> {
    const body = failure(problem, 0);
    const [told] = await Promise.all([
      reply(envelope, body, problem.code, envelope.generation, 0),
      bury(envelope, problem.code, problem.message, envelope.attempt),
    ]);
    noteReply(envelope, told);
  }

  function unclaim(
    what: "done" | "retry" | "release",
    envelope: Envelope,
    token: string | undefined,
    attempt?: number,
  ): Promise<void> | undefined {
    return hasId(envelope) ? claims.unclaim(what, envelope, token, attempt) : undefined;
  }

  async function settleResult(
    envelope: Envelope,
    row: ResultRow,
    token: string | undefined,
  ): Promise<void> {
    // Most results go to one place, and need nobody to wait for several.
    if (row.status === "succeeded" && row.events === null)
      noteReply(envelope, await replyFrom(envelope, row));
    else await publishResult(envelope, row);
    // Both at once: should only the ack get through, Postgres still knows that the job is done.
    const marked = unclaim("done", envelope, token);
    acked(envelope);
    await marked;
  }

  async function settleOther(
    envelope: Envelope,
    outcome: Exclude<Outcome, { kind: "result" }>,
    token: string | undefined,
  ): Promise<void> {
    switch (outcome.kind) {
      case "repeat":
        noteReply(envelope, await replyFrom(envelope, outcome.row));
        break;
      case "unrecorded":
        await publishUnrecorded(envelope, outcome.problem);
        if (token !== undefined) await unclaim("release", envelope, token);
        break;
      case "retry":
        if (outcome.holdMs > 0) await sleep(outcome.holdMs, undefined, { signal });
        // This order, or a crash in between loses the job: confirmed on its tier, then on record, then acked.
        await postpone(envelope, outcome.tier, outcome.attempt, outcome.crashes);
        await unclaim("retry", envelope, token, outcome.attempt);
        break;
      case "wait":
        await postpone(
          envelope,
          outcome.tier,
          outcome.attempt ?? envelope.attempt,
          outcome.crashes,
        );
        if (token !== undefined) await unclaim("release", envelope, token);
        break;
      case "stale":
        break;
      case "hand-back":
        if (token !== undefined) await unclaim("release", envelope, token);
        envelope.delivery.acks.handBack(envelope.delivery.message);
        return;
      default:
        outcome satisfies never;
    }
    acked(envelope);
  }

  return (envelope, outcome, token) =>
    outcome.kind === "result"
      ? settleResult(envelope, outcome.row, token)
      : settleOther(envelope, outcome, token);
}

function acked({ delivery }: Envelope): void {
  delivery.acks.ack(delivery.message);
}

const hasId = (envelope: Envelope): envelope is Envelope & { id: string } =>
  envelope.id !== undefined;

const RETURNED_DELAY_MS = 2_000;

/** The reply of a job that ended without success. */
export function failure(problem: Problem, attempt: number): string {
  const error: JobError = { ...problem, retriable: RETRIABLE.has(problem.code), attempt };
  return JSON.stringify({ status: "failed", error } satisfies Reply);
}

/** Failures that say nothing about the input: the same job under a new id could succeed. */
const RETRIABLE: ReadonlySet<ErrorCode> = new Set([
  "attempts_exhausted",
  "quarantined",
  "expired",
  "cancelled",
]);

/** The whitelist of what a job keeps on its way to a tier or to the dead letters. */
function sameJob(envelope: Envelope) {
  const { content, properties } = envelope.delivery.message;
  return {
    body: content,
    messageId: text(properties.messageId),
    type: text(properties.type),
    correlationId: envelope.correlationId,
    replyTo: envelope.replyTo,
    contentType: text(properties.contentType) ?? "application/octet-stream",
    timestamp: validTimestamp(properties.timestamp),
    mandatory: true,
  };
}

const text = (value: unknown) => (typeof value === "string" ? value : undefined);

function validTimestamp(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function headersOf(envelope: Envelope, headers: Record<string, string | number>) {
  if (envelope.traceparent !== undefined) headers[HEADERS.traceparent] = envelope.traceparent;
  return headers;
}
