/** Keeps letters that are looked at often from being dropped. */
import type { Publisher } from "@tl-engine/shared/broker/publish";
import { copyOf, numberOf } from "./letter.ts";
import { type Decision, delivered, type Message } from "./walk-queue.ts";

/**
 * On RabbitMQ before 4.3 a letter that is looked at and put back counts as delivered, and the delivery limit (2,000)
 * would drop it in the end. So a letter that was looked at this often gives way to a fresh copy, at the queue's end.
 */
export const REFRESH_AFTER_LOOKS = 1_000;
/** Where nothing is to be touched, as late as it is safe. */
export const LAST_LOOKS = 1_900;

export const refreshed = (
  message: Message,
  queue: string,
  publisher: Publisher,
  afterLooks: number,
): Decision =>
  numberOf(message, "x-delivery-count") < afterLooks
    ? "stay"
    : { send: () => delivered(publisher, copyOf(message, queue)), when: "at the end" };
