/** What the scaler reads in virtual time: the management API's figures, some seconds old, as KEDA makes readings of them. */
import { jobKey } from "../../../shared/wire/names.ts";
import type { Random } from "../../show/random.ts";
import type { TriggerReading } from "../autoscaler.ts";
import type { RabbitMqTrigger } from "../keda/scaled-object.ts";

const BULK = jobKey("", "bulk");

/**
 * RabbitMQ's `collect_statistics_interval`. It passes twice: a queue tells its figures every 5 s, and the
 * management plugin looks at them every 5 s, so that the API answers with what is up to 10 s old
 * (seen on 3.10: a confirmed message shows after 2.7 to 9.1 s, with quorum queues and classic ones).
 */
const REFRESH_S = 5;

interface Figures {
  ready: number;
  unacked: number;
  publishedPerS: number;
  deliveredPerS: number;
}

/** A trigger that the simulator can't answer. */
export class UnknownReading extends Error {
  readonly code = "UnknownReading";
}

export class BrokerFigures {
  /** What the API answers, what the queue told last, and what is. */
  #seen: Figures = { ready: 0, unacked: 0, publishedPerS: 0, deliveredPerS: 0 };
  #told: Figures = this.#seen;
  #now: Figures = this.#seen;
  #published = 0;
  #delivered = 0;
  readonly #tellsAtS: number;
  readonly #looksAtS: number;

  /** Both are when within the 5 s it happens. */
  constructor(random: Random) {
    this.#tellsAtS = random.below(REFRESH_S);
    this.#looksAtS = random.below(REFRESH_S);
  }

  /** Tells what is in the queue at the end of a step of one second. */
  record(atS: number, ready: number, unacked: number, published: number, delivered: number): void {
    this.#published += published;
    this.#delivered += delivered;
    this.#now = { ready, unacked, publishedPerS: published, deliveredPerS: delivered };
    if (atS % REFRESH_S === this.#looksAtS) this.#seen = this.#told;
    if (atS % REFRESH_S !== this.#tellsAtS) return;
    const publishedPerS = this.#published / REFRESH_S;
    const deliveredPerS = this.#delivered / REFRESH_S;
    this.#told = { ready, unacked, publishedPerS, deliveredPerS };
    this.#published = 0;
    this.#delivered = 0;
  }

  read(trigger: RabbitMqTrigger): TriggerReading {
    // The loads are what people wait for; a bulk lane is another line, and empty here.
    if (trigger.queueName.endsWith(BULK)) return { value: 0, active: false };
    // A passive declare asks the queue itself, and knows ready messages only.
    const figures = trigger.protocol === "amqp" ? this.#now : this.#seen;
    const counted = trigger.protocol === "http" && !trigger.excludeUnacknowledged;
    const messages = figures.ready + (counted ? figures.unacked : 0);
    const { activationValue } = trigger;
    switch (trigger.mode) {
      case "QueueLength":
        return { value: messages, active: messages > activationValue };
      case "MessageRate": {
        const value = figures.publishedPerS;
        return { value, active: value > activationValue || messages > activationValue };
      }
      case "DeliverGetRate":
      case "PublishedToDeliveredRatio":
      case "ExpectedQueueConsumptionTime":
        throw new UnknownReading(
          `the simulator has no reading for the mode ${trigger.mode}: use QueueLength or MessageRate`,
        );
    }
  }
}
