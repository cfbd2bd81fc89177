/** Publishes the plan as tl-plane would: each job confirmed, its reply wanted, in the plan's order. */
import type { SendOptions } from "../../../shared/client/index.ts";
import type { Plan } from "./plan.ts";
import type { ChangeInput } from "./plan-issue.ts";

/** Publishes that are under way at once. */
const BATCH = 250;

export interface Published {
  /** Confirmed publishes, copies included. */
  count: number;
  /** Job id → when it was first handed to the client, epoch ms. */
  at: Map<string, number>;
}

/** Sends one job for `activities.record`; resolves when the broker has confirmed it. */
export type Send = (
  input: ChangeInput,
  options: Pick<SendOptions, "id" | "replyTo">,
) => Promise<unknown>;

export const nothingPublished = (): Published => ({ count: 0, at: new Map() });

/** Counts into `published` as it goes, for the view. Rejects when the broker takes no more. */
export async function publishAll(
  send: Send,
  plan: Plan,
  replyTo: string,
  published: Published,
  signal: AbortSignal,
): Promise<void> {
  const publish = async (index: number) => {
    const job = plan.jobs[index];
    if (!job) throw new RangeError(`the plan has no job ${index}`);
    const { id, input } = job;
    if (!published.at.has(id)) published.at.set(id, Date.now());
    await send(input, { id, replyTo });
    published.count++;
  };
  for (let start = 0; start < plan.publishes.length; start += BATCH) {
    signal.throwIfAborted();
    await Promise.all(plan.publishes.slice(start, start + BATCH).map(publish));
  }
}
