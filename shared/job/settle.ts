/** Carries an outcome out: publishes what it says, records it in Redis, acks. One switch. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Publisher } from "../broker/publish.ts";
import type { Outgoing } from "../broker/publish-frames.ts";
import type { BrokerNames } from "../wire/names.ts";
import type { Claims, NextRun } from "./claim.ts";
import type { Courier } from "./courier.ts";
import {
  type Comeback,
  deadLetter,
  type Ending,
  endingOf,
  eventMessages,
  laterMessages,
  postponed,
  problemOfRow,
  replyMessage,
  smallestDeadLetter,
} from "./messages.ts";
import { failure, type Outcome } from "./outcome.ts";
import type { Envelope, Problem } from "./receive.ts";
import type { ResultRow } from "./result-rows.ts";
import { nearestTier, type RetryBudget, retryTier, type Tier, waitTier } from "./retry.ts";

export interface SettleOptions {
  publisher: Publisher;
  /** For what may be given up: replies and events. */
  courier: Courier;
  claims: Claims;
  /** The worker's own; burials end the jobs of others. */
  engine: string;
  names: BrokerNames;
  /** REPLY_EXCHANGE; "" is the default one. */
  replyExchange: string;
  /** The most that the worker takes in, and so of a body that a dead letter keeps. */
  maxBodyBytes: number;
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
/** So often is the exchange of another engine's dead letters tried before it is taken to be missing. */
const LOOKS_FOR_GRAVE = 3;

export function createSettle(options: SettleOptions): Settle {
  const settler = new Settler(options);
  return (envelope, outcome, token) => settler.settle(envelope, outcome, token);
}

class Settler {
  readonly #options: SettleOptions;

  constructor(options: SettleOptions) {
    this.#options = options;
  }

  #reply(envelope: Envelope, ending: Ending): Promise<void> | undefined {
    const { courier, replyExchange } = this.#options;
    const message = replyMessage(envelope, ending, replyExchange);
    return message === undefined ? undefined : courier.reply(message, envelope.id);
  }

  /** Publishes until a queue took it: our own queues are there for everybody, or for nobody. */
  async #deliver(outgoing: Outgoing): Promise<"routed" | "unsendable"> {
    const { publisher, log, signal } = this.#options;
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
        case "unconfirmed":
          log.warn(
            { to: outgoing.exchange || outgoing.routingKey },
            "the broker does not take a message, trying again",
          );
          await sleep(REFUSED_DELAY_MS, undefined, { signal });
      }
    }
  }

  async #bury(envelope: Envelope, problem: Problem, attempt: number): Promise<void> {
    const { engine, names, maxBodyBytes, log } = this.#options;
    const isOwn = envelope.engine === engine;
    const grave = { name: names.dead(envelope.engine), maxBodyBytes };
    const letter = deadLetter(envelope, problem, attempt, grave);
    let buried = isOwn ? await this.#deliver(letter) : await this.#buryElsewhere(letter);
    if (buried === "no grave") {
      letter.exchange = names.dead(engine);
      letter.routingKey = letter.exchange;
      buried = await this.#deliver(letter);
    }
    if (buried === "routed") return;
    log.error(
      { jobId: envelope.id, alert: "dead_letter_cut" },
      "the broker can't take a dead letter whole: only the head of its body is kept",
    );
    await this.#deliver(smallestDeadLetter(letter));
  }

  /** What a forged or an old message says of the engine in whose queue it died may be no engine of the fleet. */
  async #buryElsewhere(letter: Outgoing): Promise<"routed" | "unsendable" | "no grave"> {
    const { publisher, signal } = this.#options;
    for (let looks = 1; ; looks++) {
      const published = await publisher.publish(letter, signal);
      if (published === "routed" || published === "unsendable") return published;
      if (published === "returned" || looks === LOOKS_FOR_GRAVE) return "no grave";
      await sleep(RETURNED_DELAY_MS, undefined, { signal });
    }
  }

  #postpone(envelope: Envelope, tier: Tier, next: Comeback): Promise<"routed" | "unsendable"> {
    const { names } = this.#options;
    return this.#deliver(postponed(envelope, names.delay(tier.name), next));
  }

  async #keep(job: Outgoing): Promise<void> {
    if ((await this.#deliver(job)) === "routed") return;
    const { messageId: jobId, type } = job;
    this.#options.log.error(
      { jobId, type, alert: "later_unsendable" },
      "a job for later is larger than the broker takes, and is lost: pass its data by reference",
    );
  }

  /** Where every result goes: reply and events, and the dead letter of a failure. */
  async #publishResult(envelope: Envelope, row: ResultRow): Promise<void> {
    const { courier, names } = this.#options;
    const also =
      row.status === "failed"
        ? [this.#bury(envelope, problemOfRow(row), row.attempt)]
        : [
            ...eventMessages(envelope, row, names).map((event) => courier.event(event)),
            // The engine counts on them: unlike an event, none is ever given up.
            ...laterMessages(envelope, row, names).map((job) => this.#keep(job)),
          ];
    await Promise.all([this.#reply(envelope, endingOf(row)), ...also]);
  }

  async #publishUnrecorded(envelope: Envelope, problem: Problem): Promise<void> {
    const { generation, attempt } = envelope;
    const ending = { body: failure(problem, 0), how: problem.code, generation, attempt: 0 };
    await Promise.all([this.#reply(envelope, ending), this.#bury(envelope, problem, attempt)]);
  }

  #unclaim(
    what: "done" | "retry" | "release",
    envelope: Envelope,
    token: string | undefined,
    attempt?: number,
    next?: NextRun,
  ): Promise<void> | undefined {
    const { claims } = this.#options;
    return hasId(envelope) ? claims.unclaim(what, envelope, token, attempt, next) : undefined;
  }

  #release(
    envelope: Envelope,
    token: string | undefined,
    next?: NextRun,
  ): Promise<void> | undefined {
    return token === undefined
      ? undefined
      : this.#unclaim("release", envelope, token, undefined, next);
  }

  async #settleResult(
    envelope: Envelope,
    row: ResultRow,
    token: string | undefined,
  ): Promise<void> {
    const { budget } = this.#options;
    if (envelope.attempt === 1) budget.earn();
    // Most results go to one place, and need nobody to wait for several.
    if (row.status === "succeeded" && row.events === null)
      await this.#reply(envelope, endingOf(row));
    else await this.#publishResult(envelope, row);
    // I2, I5. Both at once: should only the ack get through, Postgres still knows that the job is done.
    const marked = this.#unclaim("done", envelope, token);
    ack(envelope);
    await marked;
  }

  /** I3. This order, or a crash in between loses the job: confirmed on its tier, then on record, then acked. */
  async #settleRetry(
    envelope: Envelope,
    { failure, ...next }: Extract<Outcome, { kind: "retry" }>,
    token: string | undefined,
  ): Promise<"settled" | "unsendable"> {
    const { budget, signal } = this.#options;
    if (envelope.attempt === 1) budget.earn();
    const holdMs = budget.spend();
    if (holdMs > 0) await sleep(holdMs, undefined, { signal });
    const tier = retryTier(envelope.attempt);
    const sent = await this.#postpone(envelope, tier, next);
    if (sent === "unsendable") return sent;
    const told = { inMs: tier.delayMs, failure: JSON.stringify(failure) };
    await this.#unclaim("retry", envelope, token, next.attempt, told);
    ack(envelope);
    return "settled";
  }

  /** I3. Where it matters, never earlier than asked. What outlasts the longest tier waits with the scheduler. */
  async #settleWait(
    envelope: Envelope,
    wait: Extract<Outcome, { kind: "wait" }>,
    token: string | undefined,
  ): Promise<"routed" | "unsendable"> {
    const { delayMs, mayBeEarly, attempt, crashes, runAt } = wait;
    const { names } = this.#options;
    const next: Comeback = { attempt, crashes };
    const tier = mayBeEarly ? nearestTier(delayMs) : waitTier(delayMs);
    const isHeld = runAt !== undefined || (!mayBeEarly && tier.delayMs < delayMs);
    if (isHeld) next.runAt = runAt ?? Date.now() + delayMs;
    const sent = isHeld
      ? await this.#deliver(postponed(envelope, names.later, next))
      : await this.#postpone(envelope, tier, next);
    if (sent === "routed")
      await this.#release(envelope, token, {
        inMs: isHeld ? delayMs : Math.max(delayMs, tier.delayMs),
        failure: "",
      });
    return sent;
  }

  async settle(
    envelope: Envelope,
    outcome: Outcome,
    token: string | undefined,
  ): Promise<"settled" | "unsendable"> {
    switch (outcome.kind) {
      case "result":
        await this.#settleResult(envelope, outcome.row, token);
        return "settled";
      case "repeat":
        await this.#reply(envelope, endingOf(outcome.row));
        break;
      case "unrecorded":
        await this.#publishUnrecorded(envelope, outcome.problem);
        await this.#release(envelope, token);
        break;
      case "retry":
        return this.#settleRetry(envelope, outcome, token);
      case "wait":
        if ((await this.#settleWait(envelope, outcome, token)) === "unsendable")
          return "unsendable";
        break;
      case "hand-back":
        await this.#release(envelope, token);
        envelope.delivery.acks.handBack(envelope.delivery.message);
        return "settled";
    }
    ack(envelope);
    return "settled";
  }
}

function ack({ delivery }: Envelope): void {
  delivery.acks.ack(delivery.message);
}

const hasId = (envelope: Envelope): envelope is Envelope & { id: string } =>
  envelope.id !== undefined;
