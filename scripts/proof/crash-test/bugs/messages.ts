/** Planted bugs of what is published: replies, events, dead letters and retries. */
import { randomUUID } from "node:crypto";
import amqp, { type ConfirmChannel } from "amqplib";
import type { Outgoing } from "../../../../shared/broker/publish-frames.ts";
import type { Parts } from "../../../../shared/worker.ts";
import {
  type Bug,
  changes,
  isEvent,
  isLetter,
  isReply,
  isTier,
  publishes,
  remember,
  withHeaders,
} from "./bug.ts";

/** Goes on before the broker has confirmed. */
const unconfirmed =
  (test: (outgoing: Outgoing) => boolean): Bug =>
  (parts: Parts) =>
    publishes(parts, async (outgoing, send) => {
      if (!test(outgoing)) return send(outgoing);
      void send(outgoing).catch(() => {});
      return "routed";
    });

const codeOf = ({ body }: Outgoing): string | undefined => JSON.parse(String(body)).error?.code;
const without = (outgoing: Outgoing, name: string): Outgoing => {
  const { [name]: _left, ...headers } = outgoing.headers ?? {};
  return { ...outgoing, headers };
};

export const REPLY_BUGS: Record<string, Bug> = {
  "replies-unconfirmed": unconfirmed(isReply),
  "reply-to-nobody": (parts) =>
    changes(parts, isReply, (reply) => ({ ...reply, routingKey: `${reply.routingKey}.none` })),
  "replies-to-first-caller": (parts) => {
    let first: string | undefined;
    return changes(parts, isReply, (reply) => {
      first ??= reply.routingKey;
      return { ...reply, routingKey: first };
    });
  },
  "correlation-replaced": (parts) =>
    changes(parts, isReply, (reply) => ({
      ...reply,
      correlationId: String(reply.messageId).split("/")[1],
    })),
  "reply-of-another-job": (parts) => {
    let body: Outgoing["body"] | undefined;
    return changes(parts, isReply, (reply) => {
      const before = body ?? reply.body;
      body = reply.body;
      return { ...reply, body: before };
    });
  },
  "error-as-result": (parts) =>
    changes(parts, isReply, (reply) => ({
      ...reply,
      type: reply.type?.replace(/\.error$/, ".result"),
    })),
  /** Takes the ids of replies for a means against repeating oneself. */
  "reply-only-once": (parts) => {
    const told = new Set<string>();
    return changes(parts, isReply, (reply) => {
      if (told.has(String(reply.messageId))) return undefined;
      told.add(String(reply.messageId));
      return reply;
    });
  },
  "conflict-unanswered": (parts) =>
    changes(parts, isReply, (reply) =>
      codeOf(reply) === "idempotency_conflict" ? undefined : reply,
    ),
};

export const EVENT_BUGS: Record<string, Bug> = {
  "events-unconfirmed": unconfirmed(isEvent),
  "random-event-ids": (parts) =>
    changes(parts, isEvent, (event) => ({ ...event, messageId: `ev-${randomUUID()}` })),
  "only-first-event": (parts) => {
    const first = new Map<string, string>();
    return changes(parts, isEvent, (event) => {
      const job = String(event.correlationId);
      if (!first.has(job)) first.set(job, String(event.messageId));
      return first.get(job) === event.messageId ? event : undefined;
    });
  },
  "event-changed": (parts) =>
    changes(parts, isEvent, (event) => ({
      ...event,
      body: JSON.stringify({ ...JSON.parse(String(event.body)), index: 0 }),
    })),
};

export const LETTER_BUGS: Record<string, Bug> = {
  "letters-unconfirmed": unconfirmed(isLetter),
  "letters-empty": (parts) => changes(parts, isLetter, (letter) => ({ ...letter, body: "" })),
  "letter-without-error": (parts) =>
    changes(parts, isLetter, (letter) => without(letter, "x-error-code")),
  "letter-without-reply-to": (parts) =>
    changes(parts, isLetter, (letter) => ({ ...letter, replyTo: undefined })),
  "letter-dated-anew": (parts) =>
    changes(parts, isLetter, (letter) => ({ ...letter, timestamp: (letter.timestamp ?? 0) + 1 })),
  "conflict-without-letter": (parts) =>
    changes(parts, isLetter, (letter) =>
      letter.headers?.["x-error-code"] === "idempotency_conflict" ? undefined : letter,
    ),
};

let copying: Promise<ConfirmChannel> | undefined;

/** As a runtime publishes that takes a message on as it came: ours has no way to write what is no text or number. */
async function publishCopied(
  { exchange, routingKey, body, headers, ...rest }: Outgoing,
  delivered: Record<string, unknown>,
): Promise<"routed"> {
  copying ??= amqp.connect(process.env.AMQP_URL ?? "").then((connection) => {
    connection.on("error", () => {});
    return connection.createConfirmChannel();
  });
  try {
    const channel = await copying;
    const { mandatory: _never, correlationId, ...properties } = rest;
    channel.publish(exchange, routingKey, Buffer.from(body as string), {
      ...properties,
      ...(correlationId === undefined ? {} : { correlationId: correlationId.toString() }),
      contentType: "application/json",
      persistent: true,
      headers: { ...delivered, ...headers },
    });
    await channel.waitForConfirms();
    return "routed";
  } catch (error) {
    copying = undefined;
    throw error;
  }
}

export const RETRY_BUGS: Record<string, Bug> = {
  "tier-unconfirmed": unconfirmed(isTier),
  "copied-headers": (given) => {
    const { parts, received } = remember(given);
    return publishes(parts, async (outgoing, send) => {
      const job = received.get(outgoing.messageId ?? "");
      const headers = job?.delivery.message.properties.headers ?? {};
      if (!isTier(outgoing) || Object.keys(headers).length === 0) return send(outgoing);
      return publishCopied(outgoing, headers).catch(() => send(outgoing));
    });
  },
  "retry-under-wrong-key": (parts) =>
    changes(parts, isTier, (retry) => ({ ...retry, routingKey: retry.exchange })),
  "tier-not-mandatory": (parts) =>
    changes(parts, isTier, (retry) => ({ ...retry, mandatory: false })),
  "attempts-not-counted": (parts) =>
    changes(parts, isTier, (retry) => withHeaders(retry, { "x-attempt": 1 })),
  "attempt-counted-twice": (given) => {
    const { parts, received } = remember(given);
    return changes(parts, isTier, (retry) => {
      const attempt = Number(retry.headers?.["x-attempt"]);
      const isCounted = attempt > (received.get(retry.messageId ?? "")?.attempt ?? attempt);
      return isCounted ? withHeaders(retry, { "x-attempt": attempt + 1 }) : retry;
    });
  },
  "deadline-lost-on-retry": (parts) =>
    changes(parts, isTier, (retry) => without(retry, "x-deadline")),
  "generation-lost-on-retry": (parts) =>
    changes(parts, isTier, (retry) => without(retry, "x-replay")),
  "reply-to-lost-on-retry": (parts) =>
    changes(parts, isTier, (retry) => ({ ...retry, replyTo: undefined })),
  "correlation-lost-on-retry": (parts) =>
    changes(parts, isTier, (retry) => ({ ...retry, correlationId: undefined })),
};
