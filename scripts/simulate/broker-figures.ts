/** What the scaler reads in virtual time: the management API's figures, up to 5 s old, as KEDA makes readings of them. */
import type { TriggerReading } from "../autoscaler/autoscaler.ts";
import type { RabbitMqTrigger } from "../autoscaler/scaled-object.ts";

/** RabbitMQ's `collect_statistics_interval`. */
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
  #seen: Figures = { ready: 0, unacked: 0, publishedPerS: 0, deliveredPerS: 0 };
  #now: Figures = this.#seen;
  #published = 0;
  #delivered = 0;
  readonly #phaseS: number;

  /** `phaseS` is when within the 5 s the broker takes its figures. */
  constructor(phaseS: number) {
    this.#phaseS = phaseS % REFRESH_S;
  }

  /** Tells what is in the queue at the end of a step of one second. */
  record(atS: number, ready: number, unacked: number, published: number, delivered: number): void {
    this.#published += published;
    this.#delivered += delivered;
    this.#now = { ready, unacked, publishedPerS: published, deliveredPerS: delivered };
    if (atS % REFRESH_S !== this.#phaseS) return;
    const publishedPerS = this.#published / REFRESH_S;
    const deliveredPerS = this.#delivered / REFRESH_S;
    this.#seen = { ready, unacked, publishedPerS, deliveredPerS };
    this.#published = 0;
    this.#delivered = 0;
  }

  read(trigger: RabbitMqTrigger): TriggerReading {
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
