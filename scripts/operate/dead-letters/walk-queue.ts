/** Goes through a queue from its oldest message; what is not taken off goes back to its place, also if this ends midway. */
import type { Connection } from "@tl-engine/shared/broker/connection";
import type { Publisher } from "@tl-engine/shared/broker/publish";
import type { Outgoing } from "@tl-engine/shared/broker/publish-frames";

type Channel = Awaited<ReturnType<Connection["model"]["createChannel"]>>;
export type Message = Exclude<Awaited<ReturnType<Channel["get"]>>, false>;

/** Resolves with true once the message lies elsewhere, and so may be taken off. */
type Send = () => Promise<boolean>;
/** It stays; or it is sent on, at once or when all have been looked at. */
export type Decision = "stay" | { send: Send; when: "now" | "at the end" };

export interface WalkOptions {
  /** Messages looked at. Default: all that are there. */
  atMost?: number;
  visit(message: Message): Decision;
}

/** What is under way at once. */
const AT_ONCE = 100;

/**
 * Every message is held until the end, also one that comes to lie there meanwhile, so that the walk ends.
 * @returns how many messages the broker counted when it began; a quorum queue's count lags behind.
 */
export async function walkQueue(
  { model }: Pick<Connection, "model">,
  queue: string,
  { atMost = Number.POSITIVE_INFINITY, visit }: WalkOptions,
): Promise<number> {
  const channel = await model.createChannel();
  channel.on("error", () => {});
  let held = 0;
  let batch: Promise<void>[] = [];
  const late: [Message, Send][] = [];
  const take = async (message: Message, send: Send) => {
    if (!(await send())) return;
    channel.ack(message);
    held--;
  };
  try {
    const { messageCount } = await channel.checkQueue(queue);
    for (let seen = 0; seen < atMost; seen++) {
      const message = await channel.get(queue);
      if (message === false) break;
      held++;
      const decision = visit(message);
      if (decision === "stay") continue;
      if (decision.when === "at the end") {
        late.push([message, decision.send]);
        continue;
      }
      batch.push(take(message, decision.send));
      if (batch.length < AT_ONCE) continue;
      await Promise.all(batch);
      batch = [];
    }
    await Promise.all(batch);
    for (const [message, send] of late) await take(message, send);
    // LavinMQ closes a channel over a nack of all where nothing is unacked.
    if (held > 0) channel.nackAll(true);
    return messageCount;
  } finally {
    await Promise.allSettled(batch);
    // One that the broker closed, or that went with its connection, has given all back by that.
    await channel.close().catch(() => {});
  }
}

/** False where the broker can never take it. */
export async function delivered(publisher: Publisher, outgoing: Outgoing): Promise<boolean> {
  const published = await publisher.publish(outgoing);
  if (published === "routed") return true;
  if (published === "unsendable") return false;
  throw new Error(`no queue takes this; run "make topology" first. The letter stays where it is.`);
}
