/** Carries an outcome out: publishes what it says, records it in Redis, acks. One switch. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Publisher } from "../broker/publish.ts";
import type { Outgoing } from "../broker/publish-frames.ts";
import type { BrokerNames } from "../wire/names.ts";
import type { Claims } from "./claim.ts";
import type { Courier } from "./courier.ts";
import {
  bodilessDeadLetter,
  type Comeback,
  deadLetter,
  type Ending,
  endingOf,
  eventMessages,
  postponed,
  problemOfRow,
  replyMessage,
} from "./messages.ts";
import { failure, type Outcome } from "./outcome.ts";
import type { Envelope, Problem } from "./receive.ts";
import type { ResultRow } from "./result-rows.ts";
import { type RetryBudget, retryTier, type Tier, waitTier } from "./retry.ts";

export interface SettleOptions {
  publisher: Publisher;
  /** For what may be given up: replies and events. */
  courier: Courier;
  claims: Claims;
  names: BrokerNames;
  budget: RetryBudget;
  log: Logger;
  /** Ends waits when the worker gives up. */
  signal: AbortSignal;
}

/**
 * Resolves with `unsendable` where the job was to come back and the broker can never take it again: it is still
 * to be ended. Otherwise the delivery is settled.
 */
export type Settle = (
  envelope: Envelope,
  outcome: Outcome,
  token: string | undefined,
) => Promise<"settled" | "unsendable">;

const RETURNED_DELAY_MS = 2_000;
const REFUSED_DELAY_MS = 500;

export function createSettle(options: SettleOptions): Settle {
  const { publisher, courier, claims, names, budget, log, signal } = options;

  function reply(envelope: Envelope, ending: Ending): Promise<void> | undefined {
    const message = replyMessage(envelope, ending);
    return message === undefined ? undefined : courier.reply(message, envelope.id);
  }

  /** Publishes until a queue took it: our own queues are there for everybody, or for nobody. */
  async function deliver(outgoing: Outgoing): Promise<"routed" | "unsendable"> {
    for (;;) {
      const published = await publisher.publish(outgoing, signal);
      switch (published) {
        case "routed":
        case "unsendable":
          return published;
        case "returned":
          log.error(
            { to: outgoing.exchange || outgoing.routingKey },
            "no queue takes this; run the topology command",
          );
          await sleep(RETURNED_DELAY_MS, undefined, { signal });
          break;
        case "refused":
          log.warn(
            { to: outgoing.exchange || outgoing.routingKey },
            "the broker refused a message, trying again",
          );
          await sleep(REFUSED_DELAY_MS, undefined, { signal });
      }
    }
  }

  async function bury(envelope: Envelope, problem: Problem, attempt: number): Promise<void> {
    const letter = deadLetter(envelope, problem, attempt, names);
    if ((await deliver(letter)) === "routed") return;
    log.error(
      { jobId: envelope.id, alert: "dead_letter_cut" },
      "the broker can't take a dead letter whole: it is kept without its body",
    );
    await deliver(bodilessDeadLetter(letter));
  }

  const postpone = (
    envelope: Envelope,
    tier: Tier,
    next: Comeback,
  ): Promise<"routed" | "unsendable"> => deliver(postponed(envelope, tier, next, names));

  /** Where every result goes: reply and events, and the dead letter of a failure. */
  async function publishResult(envelope: Envelope, row: ResultRow): Promise<void> {
    const also =
      row.status === "failed"
        ? [bury(envelope, problemOfRow(row), row.attempt)]
        : eventMessages(envelope, row, names).map((event) => courier.event(event));
    await Promise.all([reply(envelope, endingOf(row)), ...also]);
  }

  async function publishUnrecorded(envelope: Envelope, problem: Problem): Promise<void> {
    const { generation, attempt } = envelope;
    const ending = { body: failure(problem, 0), how: problem.code, generation, attempt: 0 };
    await Promise.all([reply(envelope, ending), bury(envelope, problem, attempt)]);
  }

  function unclaim(
    what: "done" | "retry" | "release",
    envelope: Envelope,
    token: string | undefined,
    attempt?: number,
  ): Promise<void> | undefined {
    return hasId(envelope) ? claims.unclaim(what, envelope, token, attempt) : undefined;
  }

  const release = (envelope: Envelope, token: string | undefined) =>
    token === undefined ? undefined : unclaim("release", envelope, token);

  async function settleResult(
    envelope: Envelope,
    row: ResultRow,
    token: string | undefined,
  ): Promise<void> {
    if (envelope.attempt === 1) budget.earn();
    // Most results go to one place, and need nobody to wait for several.
    if (row.status === "succeeded" && row.events === null) await reply(envelope, endingOf(row));
    else await publishResult(envelope, row);
    // I2, I5. Both at once: should only the ack get through, Postgres still knows that the job is done.
    const marked = unclaim("done", envelope, token);
    ack(envelope);
    await marked;
  }

  /** I3. This order, or a crash in between loses the job: confirmed on its tier, then on record, then acked. */
  async function settleRetry(
    envelope: Envelope,
    next: Comeback,
    token: string | undefined,
  ): Promise<"settled" | "unsendable"> {
    if (envelope.attempt === 1) budget.earn();
    const holdMs = budget.spend();
    if (holdMs > 0) await sleep(holdMs, undefined, { signal });
    const sent = await postpone(envelope, retryTier(envelope.attempt), next);
    if (sent === "unsendable") return sent;
    await unclaim("retry", envelope, token, next.attempt);
    ack(envelope);
    return "settled";
  }

  /** Never earlier than asked: what outlasts the longest tier takes the time along, and waits again. */
  function settleWait(envelope: Envelope, wait: Extract<Outcome, { kind: "wait" }>) {
    const { delayMs, attempt, crashes } = wait;
    const tier = waitTier(delayMs);
    if (tier.delayMs >= delayMs) return postpone(envelope, tier, { attempt, crashes });
    return postpone(envelope, tier, { attempt, crashes, notBefore: Date.now() + delayMs });
  }

  return async (envelope, outcome, token) => {
    switch (outcome.kind) {
      case "result":
        await settleResult(envelope, outcome.row, token);
        return "settled";
      case "repeat":
        await reply(envelope, endingOf(outcome.row));
        break;
      case "unrecorded":
        await publishUnrecorded(envelope, outcome.problem);
        await release(envelope, token);
        break;
      case "retry":
        return settleRetry(envelope, outcome, token);
      case "wait":
        if ((await settleWait(envelope, outcome)) === "unsendable") return "unsendable";
        await release(envelope, token);
        break;
      case "hand-back":
        await release(envelope, token);
        envelope.delivery.acks.handBack(envelope.delivery.message);
        return "settled";
    }
    ack(envelope);
    return "settled";
  };
}

function ack({ delivery }: Envelope): void {
  delivery.acks.ack(delivery.message);
}

const hasId = (envelope: Envelope): envelope is Envelope & { id: string } =>
  envelope.id !== undefined;
